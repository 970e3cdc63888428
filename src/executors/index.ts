export {
  createPythonKind,
  inputsOfCalls,
  lockOf,
  publishOutput,
  pythonSchema,
  type PythonDeclaration,
  type StepContracts,
  type StepTests,
} from "./kinds/python.ts";
export { createTapRunner } from "./tap-runner.ts";
export { runScriptOnce, type ScriptOnce } from "./kinds/python-once.ts";
export { quoteWord } from "./shell-word.ts";
export { createPythonEnvironments, type PythonEnvironments, type PythonRequest } from "./python-environment.ts";
export { findPython } from "./python-interpreter.ts";
export { type EsteiraCall, readEsteiraCalls } from "./python-source.ts";
export { findImportedFiles } from "./python-imports.ts";
export { matchFiles, otherFiles, patternsOf } from "./kinds/run.ts";
export { logsToMlflow, pythonPackageFolder, type StepContext, writeStepContext } from "./step-context.ts";
export { identifyProcess, isRunning, type ProcessIdentity } from "./service/process-identity.ts";
export type { ServicePlan } from "./service/service-process.ts";
export {
  createServices,
  type RunningService,
  type ServiceKey,
  type Services,
  type ServicesOptions,
} from "./service/services.ts";
export { askService, type ServiceAnswer } from "./service/ask-service.ts";
export { createWorkers, type Worker, type WorkerPlan, type Workers } from "./worker/worker-process.ts";
export type { ReceivedFrame, WorkerFrame } from "./worker/worker-frame.ts";
export {
  createGitServer,
  GIT_SERVICES,
  type GitExchange,
  type GitServer,
  type GitService,
  type PushLimits,
} from "./git-server.ts";
export { createGit, type Git, type GitOptions } from "./git.ts";
export { createWorkspace, type WorkspaceRequest } from "./workspace.ts";
export { rememberWorkspace, type WorkspaceMemory } from "./workspace-changes.ts";
export { createSandbox, type Sandbox } from "./isolation/sandbox.ts";
export { certificateVariables } from "./isolation/system-view.ts";
export { createIsolation, type Isolation, type IsolationOptions, type IsolationReport } from "./isolation/isolation.ts";
export { createLocalExecutor, type LocalExecutorOptions } from "./drivers/local.ts";
export { createSlurmExecutor, type SlurmExecutorOptions } from "./drivers/slurm.ts";
export { createKubernetesExecutor, type KubernetesExecutorOptions } from "./drivers/kubernetes.ts";
export { createRayExecutor, type RayExecutorOptions } from "./drivers/ray.ts";
export { createSshExecutor, type SshExecutorOptions } from "./drivers/ssh.ts";
export { createWorkerPool, type WorkerPoolOptions } from "./drivers/worker-pool.ts";
export { runTaskRelay } from "./host/task-relay.ts";
export { runWorker, type WorkerHostOptions } from "./host/worker-host.ts";
export { actorOfTask, createTaskBoard, isTaskKept, type Sealer, type TaskBoard } from "./remote/task-board.ts";
export { executorNotDeclared, trialFailed } from "./errors.ts";
export { createDbtKind, type DbtKindDependencies } from "./dbt/dbt-kind.ts";
export { createNodeKind, type NodeDeclaration } from "./kinds/node.ts";
export { createRunKind, type RunDeclaration } from "./kinds/run.ts";
export type { ScriptFacts } from "./ssh/deploy-script.ts";
export { createSshHosts, nameOfHost, type SshHost, type SshHosts, type SshSession } from "./ssh/ssh-hosts.ts";
export { type ClusterAccess, readKubeconfig, readServiceAccount } from "./kubernetes/cluster-access.ts";
export { Cluster } from "./kubernetes/cluster.ts";
export {
  type ClusterObject,
  clusterObjectSchema,
  nameOfObject,
  type ResourceKind,
} from "./kubernetes/cluster-object.ts";
export { clusterConflict, clusterRefused, kubeconfigInvalid } from "./kubernetes/kubernetes-errors.ts";

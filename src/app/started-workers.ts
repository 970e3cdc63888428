import { join } from "node:path";
import { newId } from "#base";
import type { ProjectConfig, Settings } from "#config";
import type { Executor } from "#engine";
import {
  createKubernetesExecutor,
  createRayExecutor,
  createSshExecutor,
  kubeconfigInvalid,
  type Sealer,
  type WorkerPoolOptions,
} from "#executors";
import { readAccess } from "./cluster-access.ts";
import type { StorePlatform } from "./platform.ts";
import { createTaskTokens } from "./task-tokens.ts";

type SshSettings = Extract<ProjectConfig["executors"][string], { readonly ssh: object }>["ssh"];

/** What a worker that this process starts is given. */
interface StartingFacts extends Pick<
  StorePlatform,
  "store" | "objects" | "project" | "access" | "url" | "log" | "version"
> {
  readonly config: ProjectConfig;
  readonly settings: Settings;
  readonly sealer: Sealer;
}

type RaySettings = Extract<ProjectConfig["executors"][string], { readonly ray: object }>["ray"];

/** What every pool of tasks is opened with, and who its workers call as. */
function poolOf(
  name: string,
  lease: number | undefined,
  { store, objects, project, access, url, log, config, sealer }: StartingFacts,
): WorkerPoolOptions & Pick<Parameters<typeof createSshExecutor>[0], "ownUrl" | "lender" | "lendToken" | "log"> {
  const lender = `executor:${name}:${newId()}`;
  return {
    name,
    store,
    objects,
    project,
    sealer,
    log,
    leaseMs: lease,
    workFolder: join(config.storeFolder, "work"),
    storeFolder: config.storeFolder,
    ownUrl: url,
    lender,
    lendToken: () => access.lendToken({ name: lender, project }),
  };
}

/** Its tasks see nothing of this machine, and are placed by Ray. */
export function createRay(name: string, ray: RaySettings, facts: StartingFacts): Executor {
  const settings = { lease: undefined, token: undefined, url: undefined, folder: undefined, ...ray };
  const { address, lease, token, url, folder } = settings;
  return createRayExecutor({
    ...poolOf(name, lease, facts),
    address,
    token: () => (token === undefined ? undefined : facts.settings.secret(token)),
    python: "python" in ray ? (ray.python ?? "python") : "python",
    command: "command" in ray ? ray.command : "esteira",
    folder,
    url,
    version: facts.version,
  });
}

type KubernetesSettings = Extract<ProjectConfig["executors"][string], { readonly kubernetes: object }>["kubernetes"];

/** Its pods see nothing of this machine, and are placed by the cluster. */
export function createKubernetes(name: string, declared: KubernetesSettings, facts: StartingFacts): Executor {
  const { store, project, settings, config } = facts;
  const tokens = createTaskTokens(store, config, settings);
  const missing = (secret: string): Error =>
    kubeconfigInvalid({
      target: name,
      problem: `the secret ${secret} is not set`,
      cure: `Set ESTEIRA_SECRET_${secret} to a kubeconfig, or the path of one, where esteira is started.`,
    });
  return createKubernetesExecutor({
    ...poolOf(name, declared.lease, facts),
    access: () => readAccess(name, declared, { settings, missing }),
    pod: {
      namespace: declared.namespace,
      image: declared.image,
      command: declared.command,
      serviceAccount: declared.service_account,
      nodeSelector: declared.node_selector,
      tolerations: declared.tolerations,
      labels: declared.labels,
      annotations: declared.annotations,
      imagePullSecrets: declared.image_pull_secrets,
      priorityClass: declared.priority_class,
      user: declared.user,
      isolation: declared.isolation,
      gpu: declared.gpu,
      keepMs: declared.keep,
    },
    largest: { cpus: declared.cpus, gpus: declared.gpus, memoryBytes: declared.memory },
    startMs: declared.start,
    url: declared.url,
    tokenOf: (task) => tokens.issue({ project, task }),
  });
}

/** Its workers see nothing of this machine, and are started by it. */
export function createSsh(name: string, ssh: SshSettings, facts: StartingFacts): Executor {
  const { hosts, key, command, folder, cpus, gpus, memory, lease, url } = ssh;
  const { settings } = facts;
  return createSshExecutor({
    ...poolOf(name, lease, facts),
    hosts,
    command,
    folder,
    share: { cpus, gpus, memoryBytes: memory },
    keyName: key,
    key: () => settings.secret(key),
    url,
    searchPath: settings.searchPath,
  });
}

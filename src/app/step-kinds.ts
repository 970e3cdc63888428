import { join } from "node:path";
import {
  contractInputs,
  createCaptureKind,
  createPublishKind,
  createSqlKind,
  describeContract,
  modelContractProblems,
  scriptTestProblems,
} from "#data";
import type { Settings } from "#config";
import { createDeployKind, type DeployKindOptions } from "#delivery";
import { readRunNumber, readStepResults } from "#engine";
import { createDbtKind, createNodeKind, createPythonKind, createRunKind, createTapRunner } from "#executors";
import { createJoinKind } from "#features";
import { createAdoptKind, createTestKind } from "#models";
import { createNotebookKind } from "#notebooks";
import { createPackageKind } from "#packaging";
import type { StepKind } from "#pipeline";
import { createScoreKind } from "#serving";
import { createJobKind, createKeptFiles } from "#workflows";
import type { Parts } from "./parts.ts";

/** Every step kind. Adding one is its file and a line here. */
export function createStepKinds(parts: Parts, settings: Pick<Settings, "secret">): readonly StepKind<never>[] {
  return untyped([
    createRunKind(),
    createPythonKind({
      environments: parts.environments,
      contracts: { problems: modelContractProblems, inputs: contractInputs, describe: describeContract },
      tests: { problems: scriptTestProblems },
    }),
    createNodeKind(),
    createDbtKind(parts),
    createCaptureKind({
      ...parts,
      captureFolders: parts.config.capture.folders,
      captureHosts: parts.config.capture.hosts,
      taps: createTapRunner(parts),
      secret: (name) => settings.secret(name),
    }),
    createSqlKind(parts),
    createPublishKind(parts),
    createJoinKind(parts),
    createNotebookKind(parts),
    createAdoptKind(parts),
    createTestKind({ ...parts, datasets: parts.reader, scorer: parts.serving.scorer }),
    createScoreKind({ ...parts, scorer: parts.serving.scorer }),
    createPackageKind(),
    createDeployKind({ ...parts, targets: kindsOfTargets(parts.config.targets) }),
  ]);
}

function kindsOfTargets(targets: Parts["config"]["targets"]): NonNullable<DeployKindOptions["targets"]> {
  return Object.fromEntries(
    Object.entries(targets).map(([name, target]) => [name, "ssh" in target ? "ssh" : "kubernetes"]),
  );
}

/** Kinds of steps that are never written into a pipeline: the jobs of workflows. */
export function createWorkflowKinds(
  { config, store, clock }: Pick<Parts, "config" | "store" | "clock">,
  { searchPath }: Pick<Settings, "searchPath">,
): readonly StepKind<never>[] {
  const kept = createKeptFiles(join(config.storeFolder, "cache", "workflows"));
  return untyped([
    createJobKind({
      results: (pipelineRunId) => readStepResults(store, pipelineRunId),
      runNumber: (pipelineRunId) => readRunNumber(store, pipelineRunId),
      searchPath,
      isProtected: (environment) => isProtected(config, environment),
      kept,
      clock,
    }),
  ]);
}

/** Whether a project guards an environment: by approvals, signatures or a freeze. GitHub's names know no case. */
export function isProtected({ environments }: Pick<Parts["config"], "environments">, name: string): boolean {
  const found = environments.find((one) => one.name.toLowerCase() === name.toLowerCase());
  return found !== undefined && (found.approvals > 0 || found.signed || found.freeze.length > 0);
}

/** What each declares stays inside it. */
function untyped(kinds: readonly object[]): readonly StepKind<never>[] {
  return kinds as unknown as readonly StepKind<never>[];
}

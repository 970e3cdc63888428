import type { RegisteredModel } from "./tracking-queries.ts";
import { callMlflow } from "./mlflow.ts";

interface VersionKey {
  readonly name: string;
  readonly version: string;
}

/** What the pages ask of MLflow's API. All throw ProblemError with the server's message. */
export const trackingCommands = {
  createExperiment: (name: string): Promise<{ readonly experiment_id: string }> =>
    callMlflow("createExperiment", { name }),
  renameExperiment: (id: string, name: string) => callMlflow("updateExperiment", { experiment_id: id, new_name: name }),
  deleteExperiment: (id: string) => callMlflow("deleteExperiment", { experiment_id: id }),
  restoreExperiment: (id: string) => callMlflow("restoreExperiment", { experiment_id: id }),
  setExperimentTag: (id: string, key: string, value: string) =>
    callMlflow("setExperimentTag", { experiment_id: id, key, value }),
  deleteExperimentTag: (id: string, key: string) => callMlflow("deleteExperimentTag", { experiment_id: id, key }),
  renameRun: (id: string, name: string) => callMlflow("updateRun", { run_id: id, run_name: name }),
  deleteRun: (id: string) => callMlflow("deleteRun", { run_id: id }),
  restoreRun: (id: string) => callMlflow("restoreRun", { run_id: id }),
  setRunTag: (id: string, key: string, value: string) => callMlflow("setTag", { run_id: id, key, value }),
  deleteRunTag: (id: string, key: string) => callMlflow("deleteTag", { run_id: id, key }),
  createModel: (name: string, description: string): Promise<{ readonly registered_model: RegisteredModel }> =>
    callMlflow("createRegisteredModel", { name, ...(description === "" ? {} : { description }) }),
  renameModel: (name: string, newName: string) => callMlflow("renameRegisteredModel", { name, new_name: newName }),
  describeModel: (name: string, description: string) => callMlflow("updateRegisteredModel", { name, description }),
  deleteModel: (name: string) => callMlflow("deleteRegisteredModel", { name }),
  setModelTag: (name: string, key: string, value: string) => callMlflow("setRegisteredModelTag", { name, key, value }),
  deleteModelTag: (name: string, key: string) => callMlflow("deleteRegisteredModelTag", { name, key }),
  setAlias: ({ name, version }: VersionKey, alias: string) =>
    callMlflow("setRegisteredModelAlias", { name, alias, version }),
  deleteAlias: (name: string, alias: string) => callMlflow("deleteRegisteredModelAlias", { name, alias }),
  describeVersion: (key: VersionKey, description: string) => callMlflow("updateModelVersion", { ...key, description }),
  deleteVersion: (key: VersionKey) => callMlflow("deleteModelVersion", key),
  setVersionTag: (version: VersionKey, key: string, value: string) =>
    callMlflow("setModelVersionTag", { ...version, key, value }),
  deleteVersionTag: (version: VersionKey, key: string) => callMlflow("deleteModelVersionTag", { ...version, key }),
} as const;

/** Does the same for many, a few at a time; stops at the first that fails. */
export async function forEach<Item>(items: readonly Item[], run: (item: Item) => Promise<unknown>): Promise<void> {
  const AT_ONCE = 6;
  for (let from = 0; from < items.length; from += AT_ONCE)
    await Promise.all(items.slice(from, from + AT_ONCE).map(run));
}

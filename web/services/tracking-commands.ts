import type { RegisteredModel } from "./tracking-queries.ts";
import { mlflowSend } from "./mlflow.ts";

interface VersionKey {
  readonly name: string;
  readonly version: string;
}

const post = <Answer = object>(call: string, body: object): Promise<Answer> => mlflowSend<Answer>("POST", call, body);

/** What the pages ask of MLflow's API. All throw ProblemError with the server's message. */
export const trackingCommands = {
  createExperiment: (name: string): Promise<{ readonly experiment_id: string }> => post("experiments/create", { name }),
  renameExperiment: (id: string, name: string) => post("experiments/update", { experiment_id: id, new_name: name }),
  deleteExperiment: (id: string) => post("experiments/delete", { experiment_id: id }),
  restoreExperiment: (id: string) => post("experiments/restore", { experiment_id: id }),
  setExperimentTag: (id: string, key: string, value: string) =>
    post("experiments/set-experiment-tag", { experiment_id: id, key, value }),
  deleteExperimentTag: (id: string, key: string) =>
    post("experiments/delete-experiment-tag", { experiment_id: id, key }),
  renameRun: (id: string, name: string) => post("runs/update", { run_id: id, run_name: name }),
  deleteRun: (id: string) => post("runs/delete", { run_id: id }),
  restoreRun: (id: string) => post("runs/restore", { run_id: id }),
  setRunTag: (id: string, key: string, value: string) => post("runs/set-tag", { run_id: id, key, value }),
  deleteRunTag: (id: string, key: string) => post("runs/delete-tag", { run_id: id, key }),
  createModel: (name: string, description: string): Promise<{ readonly registered_model: RegisteredModel }> =>
    post("registered-models/create", { name, ...(description === "" ? {} : { description }) }),
  renameModel: (name: string, newName: string) => post("registered-models/rename", { name, new_name: newName }),
  describeModel: (name: string, description: string) =>
    mlflowSend("PATCH", "registered-models/update", { name, description }),
  deleteModel: (name: string) => mlflowSend("DELETE", "registered-models/delete", { name }),
  setModelTag: (name: string, key: string, value: string) => post("registered-models/set-tag", { name, key, value }),
  deleteModelTag: (name: string, key: string) => mlflowSend("DELETE", "registered-models/delete-tag", { name, key }),
  setAlias: ({ name, version }: VersionKey, alias: string) => post("registered-models/alias", { name, alias, version }),
  deleteAlias: (name: string, alias: string) => mlflowSend("DELETE", "registered-models/alias", { name, alias }),
  describeVersion: (key: VersionKey, description: string) =>
    mlflowSend("PATCH", "model-versions/update", { ...key, description }),
  deleteVersion: (key: VersionKey) => mlflowSend("DELETE", "model-versions/delete", key),
  setVersionTag: (version: VersionKey, key: string, value: string) =>
    post("model-versions/set-tag", { ...version, key, value }),
  deleteVersionTag: (version: VersionKey, key: string) =>
    mlflowSend("DELETE", "model-versions/delete-tag", { ...version, key }),
} as const;

/** Does the same for many, a few at a time; stops at the first that fails. */
export async function forEach<Item>(items: readonly Item[], run: (item: Item) => Promise<unknown>): Promise<void> {
  const AT_ONCE = 6;
  for (let from = 0; from < items.length; from += AT_ONCE)
    await Promise.all(items.slice(from, from + AT_ONCE).map(run));
}

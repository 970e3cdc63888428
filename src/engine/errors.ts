import { defineError, type ErrorFactory } from "#base";

export const runUnknown: ErrorFactory<{ id: string }> = defineError("PIPELINE_RUN_UNKNOWN", {
  status: 404,
  message: ({ id }) => `There is no pipeline run or step run ${id} in this store`,
  hint: () => "List them with: esteira status",
  solve: "Use an id shown by `esteira status`; check that `--store` names the store in which the run was made.",
});

export const logMalformed: ErrorFactory<{ digest: string; startByte: number; reason: string }> = defineError(
  "PIPELINE_LOG_MALFORMED",
  {
    status: 500,
    message: ({ digest, startByte, reason }) =>
      `The part of a step's log in ${digest} from byte ${startByte} cannot be read: ${reason}`,
    hint: () => "Look for damage with: esteira verify --deep",
    solve:
      "A newer program may have written it: use that one. Otherwise look for damage with `esteira verify --deep` and restore the store from a backup.",
  },
);

export const inputMissing: ErrorFactory<{ step: string; input: string; pipelineRunId: string }> = defineError(
  "PIPELINE_INPUT_MISSING",
  {
    status: 409,
    message: ({ step, input, pipelineRunId }) =>
      `Step "${step}" cannot start: its input "${input}" has no version (pipeline run ${pipelineRunId})`,
    hint: ({ input }) => `Run the step that makes "${input}" first, without --from or --only.`,
    solve: "Run the step that makes the missing asset first.",
  },
);

export const secretMissing: ErrorFactory<{ step: string; secret: string }> = defineError("PIPELINE_SECRET_MISSING", {
  status: 400,
  message: ({ step, secret }) => `Step "${step}" needs the secret "${secret}", which is not set`,
  hint: ({ secret }) =>
    `Set ESTEIRA_SECRET_${secret.toUpperCase().replaceAll("-", "_")} in the environment of esteira and start it again.`,
  solve:
    "Set `ESTEIRA_SECRET_<NAME>` in the environment of `esteira run` or `esteira up`, NAME in capitals with _ for -.",
});

export const secretTooShort: ErrorFactory<{ step: string; secret: string }> = defineError("PIPELINE_SECRET_TOO_SHORT", {
  status: 400,
  message: ({ step, secret }) =>
    `Step "${step}" names the secret "${secret}", which has fewer than 8 characters: it could not be masked in the log`,
  hint: () => "Use a longer secret, or give what is no secret in `env`.",
  solve: "Use a secret of at least 8 characters, or put what is no secret into `env` of the step.",
});

export const executorUnknown: ErrorFactory<{ step: string; executor: string; executors: readonly string[] }> =
  defineError("PIPELINE_EXECUTOR_UNKNOWN", {
    status: 409,
    message: ({ step, executor, executors }) =>
      `Step "${step}" runs on the executor "${executor}", which the project does not have; it has: ${executors.join(", ")}`,
    hint: () => "Declare it under executors in esteira.yaml, or let the step run elsewhere.",
    solve: "Declare the executor under `executors` in `esteira.yaml`, or change `executor` of the step.",
  });

export const resourcesMissing: ErrorFactory<{
  step: string;
  asked: string;
  executor: string;
  given: string;
  able: readonly string[];
  unable: readonly string[];
}> = defineError("PIPELINE_RESOURCES_MISSING", {
  status: 422,
  message: ({ step, asked, executor, given }) =>
    `Step "${step}" asks for ${asked}, and one process on executor "${executor}" has at most ${given}`,
  hint: ({ able, unable }) =>
    able.length > 0
      ? `It could run on: ${able.join(", ")}. Say so with executor in the step.`
      : `No executor of the project can give that${unable.length === 0 ? "" : ` (${unable.join("; ")})`}: ask for less, or declare one that can.`,
  solve: "Let the step ask for less under `resources`, or run it on an executor that has as much.",
});

export const placeLost: ErrorFactory<{ executor: string; reason: string }> = defineError("PIPELINE_PLACE_LOST", {
  status: 503,
  kind: "transient",
  message: ({ executor, reason }) => `Executor "${executor}" lost the process: ${reason}`,
  hint: () => "The step is started again by itself; when that goes on, look at the machine.",
  solve: "Nothing: the step is started again, on its own budget. When that goes on, look at the machine that is named.",
});

export const takeoverRefused: ErrorFactory<{ step: string; reason: string }> = defineError(
  "PIPELINE_TAKEOVER_REFUSED",
  {
    status: 409,
    kind: "transient",
    message: ({ step, reason }) => `What runs of step "${step}" is not taken over: ${reason}`,
    hint: () => "It is ended, and the step is started again.",
    solve: "Nothing: the step is started again from what the project's files and inputs are now.",
  },
);

export const limitExceeded: ErrorFactory<{
  step: string;
  limit: "memory" | "processes";
  found: number;
  allowed: number;
}> = defineError("PIPELINE_LIMIT_EXCEEDED", {
  status: 422,
  message: ({ step, limit, found, allowed }) =>
    limit === "memory"
      ? `Step "${step}" was ended: its processes took ${mebibytes(found)} of memory, and limits.memory allows ${mebibytes(allowed)}`
      : `Step "${step}" was ended: it had ${found} processes at once, and limits.processes allows ${allowed}`,
  hint: ({ limit }) => `Let it take less, or raise limits.${limit} of the step or of esteira.yaml.`,
  solve: "Let the step take less of the machine, or raise `limits` of the step or of `esteira.yaml`.",
});

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}

export const stepTimedOut: ErrorFactory<{ step: string; timeoutMs: number }> = defineError("PIPELINE_STEP_TIMED_OUT", {
  status: 504,
  message: ({ step, timeoutMs }) =>
    `Step "${step}" took longer than its timeout of ${timeoutMs / 1000} s; its processes were ended`,
  hint: () => "Raise timeout in the step, or make it faster.",
  solve: "Raise the step's `timeout`.",
});

export const workerLost: ErrorFactory<{ step: string; losses: number }> = defineError("PIPELINE_WORKER_LOST", {
  status: 503,
  message: ({ step, losses }) => `Step "${step}" lost its engine ${losses} times; it is not tried again`,
  hint: () => "Does it take all memory, or end the engine itself? Look at its log, then: esteira run --resume",
  solve: "Find out what ends the engine (often memory), then resume the pipeline run.",
});

export const outputMissing: ErrorFactory<{ step: string; output: string; given: readonly string[]; reader?: string }> =
  defineError("PIPELINE_OUTPUT_MISSING", {
    status: 422,
    message: ({ step, output, given, reader }) =>
      `${reader === undefined ? "" : `Step "${reader}" cannot start: `}step "${step}" gave no output "${output}"; it gave ${given.length === 0 ? "none" : given.join(", ")}`,
    hint: ({ output }) => `Write it in the step: echo "${output}=…" >> "$ESTEIRA_OUTPUT".`,
    solve: "Let the step write the output to the file that `ESTEIRA_OUTPUT` names, or read one that it gives.",
  });

export const itemsWrong: ErrorFactory<{ step: string; found: string }> = defineError("PIPELINE_ITEMS_WRONG", {
  status: 422,
  message: ({ step, found }) => `for_each of step "${step}" found ${found}, expected a JSON list`,
  hint: () => 'Give a list as the output, for example ["a","b"]; one item a line is read by { lines: … }.',
  solve: "Let the output that `for_each` names be a JSON list, or use `for_each: { lines: … }` for one item a line.",
});

export const itemsTooMany: ErrorFactory<{ step: string; found: number; most: number }> = defineError(
  "PIPELINE_ITEMS_TOO_MANY",
  {
    status: 422,
    message: ({ step, found, most }) => `for_each of step "${step}" found ${found} items, at most ${most} are allowed`,
    hint: () => "Let each item stand for several: a list of files, a range.",
    solve: "Let each item stand for several things, or split the list over several steps.",
  },
);

export const itemTooLarge: ErrorFactory<{ step: string; index: number; most: number }> = defineError(
  "PIPELINE_ITEM_TOO_LARGE",
  {
    status: 422,
    message: ({ step, index, most }) =>
      `for_each of step "${step}": item ${index} is larger than ${most} bytes, so no process could get it`,
    hint: () => "Put what is large into a file or an asset, and its name into the item.",
    solve: "Put what is large into a file or an asset, and its name into the item.",
  },
);

export const stepFailed: ErrorFactory<{ step: string; reason: string }> = defineError("PIPELINE_STEP_FAILED", {
  status: 500,
  message: ({ step, reason }) => `Step "${step}" failed: ${reason}`,
  hint: () => "The step's log says more.",
  solve: "Look at the step's log; correct its cause; resume the pipeline run.",
});

export const resumeChanged: ErrorFactory<{ pipeline: string; id: string; change: string }> = defineError(
  "PIPELINE_RESUME_CHANGED",
  {
    status: 409,
    message: ({ pipeline, id, change }) =>
      `Pipeline run ${id} cannot go on with the new definition of "${pipeline}": ${change}`,
    hint: ({ pipeline }) => `Start a new run: esteira run ${pipeline} (what did not change is reused).`,
    solve:
      "A run can be resumed with a repaired definition only when its steps and edges are the same. Start a new run.",
  },
);

export const retryNothing: ErrorFactory<{ id: string; pipeline: string; steps: readonly string[] }> = defineError(
  "PIPELINE_RETRY_NOTHING",
  {
    status: 409,
    message: ({ id, steps }) =>
      `Nothing ${steps.length === 0 ? "that was named" : `of ${steps.join(", ")}`} in pipeline run ${id} has failed, was cancelled or left out`,
    hint: ({ pipeline, steps }) =>
      `What succeeded stays. To run it again: esteira run ${pipeline} --from ${steps[0] ?? "STEP"}.`,
    solve: "Only what did not succeed is tried again. Start a new run to make what succeeded anew.",
  },
);

export const sourcesChanged: ErrorFactory<{ step: string; changes: readonly string[] }> = defineError(
  "PIPELINE_SOURCES_CHANGED",
  {
    status: 409,
    message: ({ step, changes }) =>
      `Files of step "${step}" changed while it was starting or running: ${changes.slice(0, 5).join("; ")}`,
    hint: () => "Nothing of what it made was taken: it would not be what its recipe says.",
    solve: "Resume the pipeline run when the files are as they should be.",
  },
);

export const partitionKeysWrong: ErrorFactory<{
  pipeline: string;
  dataset: string;
  column: string;
  problem: string;
}> = defineError("PIPELINE_PARTITION_KEYS_WRONG", {
  status: 409,
  message: ({ pipeline, dataset, column, problem }) =>
    `The keys of pipeline "${pipeline}" are the values of "${column}" of dataset "${dataset}", and ${problem}`,
  hint: () => "Name a column with few short values, or list the keys in the pipeline's file.",
  solve: "Take a column whose values can be keys: at most 10,000, none empty, without characters that cannot be shown.",
});

export const backfillUnknown: ErrorFactory<{ id: string }> = defineError("PIPELINE_BACKFILL_UNKNOWN", {
  status: 404,
  message: ({ id }) => `There is no backfill ${id}`,
  hint: () => "The list of backfills has their ids.",
  solve: "Use the id of a backfill of this project.",
});

export const backfillEnded: ErrorFactory<{ id: string; status: string }> = defineError("PIPELINE_BACKFILL_ENDED", {
  status: 409,
  message: ({ id, status }) => `Backfill ${id} has ended: ${status}`,
  hint: () => "What failed or was cancelled of it can be tried again.",
  solve: "Retry the backfill, or start another one.",
});

export const backfillEmpty: ErrorFactory<{ pipeline: string }> = defineError("PIPELINE_BACKFILL_EMPTY", {
  status: 409,
  message: ({ pipeline }) =>
    `Nothing is to be made of pipeline "${pipeline}": its partitions are as what is there now makes them`,
  hint: () => "All of them can be asked for all the same.",
  solve: "Ask for all partitions, those that are current included.",
});

export const partitionNotOfBackfill: ErrorFactory<{ id: string; partitions: readonly string[] }> = defineError(
  "PIPELINE_BACKFILL_PARTITION_UNKNOWN",
  {
    status: 400,
    message: ({ id, partitions }) =>
      `Not all of ${partitions.slice(0, 5).join(", ")} failed or were cancelled in backfill ${id}: none was tried again`,
    hint: () => "The backfill's own list says what became of each partition.",
    solve: "Name partitions of the backfill that failed or were cancelled.",
  },
);

export const debugImpossible: ErrorFactory<{ step: string; reason: string; hint: string }> = defineError(
  "PIPELINE_DEBUG_IMPOSSIBLE",
  {
    status: 409,
    message: ({ step, reason }) => `Step "${step}" has no workspace to open: ${reason}`,
    hint: ({ hint }) => hint,
    solve: "Open a step that runs a process of yours: `run`, `node`, `python`, `notebook`, `dbt`.",
  },
);

import { defineError, type ErrorFactory } from "#base";

export const workerMissing: ErrorFactory<{ executor: string; labels: readonly string[]; known: readonly string[] }> =
  defineError("EXECUTORS_WORKER_MISSING", {
    status: 503,
    kind: "transient",
    message: ({ executor, labels, known }) =>
      `Executor "${executor}" has no worker${labels.length === 0 ? "" : ` with the labels ${labels.join(", ")}`}; ${known.length === 0 ? "none is connected" : `connected: ${known.join(", ")}`}`,
    hint: ({ labels }) =>
      `Start one on a machine that reaches this server: esteira worker --url URL --token-file FILE${labels.length === 0 ? "" : ` --labels ${labels.join(",")}`}`,
    solve: "Start a worker that the executor may use, and see `esteira executor list` for those that are there.",
  });

export const workerUnknown: ErrorFactory<{ worker: string }> = defineError("EXECUTORS_WORKER_UNKNOWN", {
  status: 409,
  message: ({ worker }) =>
    `Worker ${worker} is not known, or another one has taken its name: what it runs is no more its own`,
  hint: () => "Give each worker a name of its own, with --name.",
  solve: "Give each worker a name of its own; start this one again.",
});

export const taskNotHeld: ErrorFactory<{ task: string }> = defineError("EXECUTORS_TASK_NOT_HELD", {
  status: 409,
  message: ({ task }) => `Task ${task} is not this worker's, or not any more: its lease ran out, or it was ended`,
  hint: () => "The worker ends what it runs of it; the engine starts the step again.",
  solve: "Nothing: a worker that was away too long gives up what it ran, and the engine starts it again.",
});

export const taskBlobForeign: ErrorFactory<{ task: string; digest: string }> = defineError(
  "EXECUTORS_TASK_BLOB_FOREIGN",
  {
    status: 404,
    message: ({ task, digest }) => `${digest} is no file of task ${task}`,
    hint: () => "A worker may read what its tasks are made of, and nothing else.",
    solve: "Ask for files that the task names.",
  },
);

export const taskMessageInvalid: ErrorFactory<{ what: string; problems: readonly string[] }> = defineError(
  "EXECUTORS_TASK_MESSAGE_INVALID",
  {
    status: 400,
    message: ({ what, problems }) => `The ${what} of a worker is not what was expected: ${problems.join("; ")}`,
    hint: () => "Give the worker the version of esteira that the server has.",
    solve: "Install the server's version of esteira on the worker's machine.",
  },
);

export const taskOutputRefused: ErrorFactory<{ path: string; reason: string }> = defineError(
  "EXECUTORS_TASK_OUTPUT_REFUSED",
  {
    status: 422,
    message: ({ path, reason }) => `What a worker sent as ${path} is not taken: ${reason}`,
    hint: () => "Outputs are files and folders below the step's own folders.",
    solve: "Let the step write files into its own folders; if it does, look at who runs the worker.",
  },
);

export const workerUnreachable: ErrorFactory<{ url: string; reason: string }> = defineError(
  "EXECUTORS_SERVER_UNREACHABLE",
  {
    status: 503,
    kind: "transient",
    message: ({ url, reason }) => `The server at ${url} cannot be reached: ${reason}`,
    hint: () => "Check --url, the network and the server's certificate; it is tried again.",
    solve: "Check the address, the network between the two and the server's certificate.",
  },
);

export const workerRefused: ErrorFactory<{ url: string; status: number; said: string }> = defineError(
  "EXECUTORS_WORKER_REFUSED",
  {
    status: 403,
    message: ({ url, status, said }) => `The server at ${url} refuses this worker (${status}): ${said}`,
    hint: ({ status }) =>
      status === 401 || status === 403
        ? "Create a token for it on the server: esteira token create USER --only work"
        : "Check --url and the version of esteira on both sides.",
    solve: "Create a token with `esteira token create USER --only work`, and name its file with --token-file.",
  },
);

export const workerPythonMissing: ErrorFactory<{ worker: string; wanted: string; found: string }> = defineError(
  "EXECUTORS_WORKER_PYTHON_MISSING",
  {
    status: 422,
    message: ({ worker, wanted, found }) =>
      `The step's environment is locked for Python ${wanted}; worker "${worker}" has ${found}`,
    hint: ({ wanted }) => `Install Python ${wanted} there, or name it with --python.`,
    solve: "Install the Python that the environment is locked for on the worker's machine, or name it with --python.",
  },
);

import { defineError, type ErrorFactory } from "#base";

export const sandboxUnavailable: ErrorFactory<{ requiredBy: string; reason: string }> = defineError(
  "EXECUTORS_SANDBOX_UNAVAILABLE",
  {
    status: 424,
    message: ({ requiredBy, reason }) => `A sandbox is required by ${requiredBy}, but none can be made here: ${reason}`,
    hint: ({ reason }) =>
      /uid map|RTM_NEWADDR|userns|namespace/i.test(reason)
        ? "This system restricts unprivileged user namespaces: allow them for bwrap (on Ubuntu 23.10 and later, an AppArmor profile for /usr/bin/bwrap)."
        : "Install bubblewrap (on Debian: apt-get install bubblewrap), or do not require a sandbox.",
    solve: "Install bubblewrap and allow unprivileged user namespaces for it, or do not require a sandbox.",
  },
);

export const isolationUnavailable: ErrorFactory<{
  requiredBy: string;
  level: string;
  levels: readonly string[];
  reason: string;
}> = defineError("EXECUTORS_ISOLATION_UNAVAILABLE", {
  status: 424,
  message: ({ requiredBy, level, reason }) =>
    `Isolation "${level}" is required by ${requiredBy}, but this machine cannot do it: ${reason}`,
  hint: ({ levels }) =>
    `Levels, weakest first: ${levels.join(", ")}. Install bubblewrap (on Debian: apt-get install bubblewrap), or require less.`,
  solve: "Install bubblewrap, run the engine as root, or require a weaker level of isolation.",
});

export const commandMissing: ErrorFactory<{ command: string; searched: string }> = defineError(
  "EXECUTORS_COMMAND_MISSING",
  {
    status: 400,
    message: ({ command, searched }) => `The command "${command}" was not found; searched: ${searched}`,
    hint: () => "Check its spelling, install it, or write its path.",
    solve: "Correct the command's name, install it, or give its absolute path.",
  },
);

export const folderUnusable: ErrorFactory<{ folder: string; reason: string }> = defineError(
  "EXECUTORS_FOLDER_UNUSABLE",
  {
    status: 500,
    message: ({ folder, reason }) => `A process cannot be started in ${folder}: ${reason}`,
    hint: () => "Check that the folder is there and that this user may enter it.",
    solve: "Make the folder, or correct its permissions.",
  },
);

export const startFailed: ErrorFactory<{ command: string; reason: string }> = defineError("EXECUTORS_START_FAILED", {
  status: 503,
  kind: "transient",
  message: ({ command, reason }) => `The process "${command}" could not be started: ${reason}`,
  hint: ({ reason }) =>
    /EAGAIN|EMFILE|ENFILE|ENOMEM/.test(reason)
      ? "The system is out of processes, files or memory: lower the concurrency."
      : "Try again; if it stays, look at the system's log.",
  solve: "Lower the engine's concurrency, or raise the system's limits for processes, open files and memory.",
});

export const reportMissing: ErrorFactory<{ step: string; report: string }> = defineError("EXECUTORS_REPORT_MISSING", {
  status: 500,
  message: ({ step, report }) => `The command of step "${step}" left no report at ${report}`,
  hint: () => "Is the path right? It is project-relative.",
  solve: "Let the command write its JUnit report to the path under `report`, or leave `report` out.",
});

export const outputsMalformed: ErrorFactory<{ reason: string }> = defineError("EXECUTORS_OUTPUTS_MALFORMED", {
  status: 422,
  message: ({ reason }) => `The outputs that the step wrote to the file of ESTEIRA_OUTPUT cannot be taken: ${reason}`,
  hint: () =>
    'One NAME=VALUE a line, for example: echo "count=3" >> "$ESTEIRA_OUTPUT". What is large belongs in an asset.',
  solve:
    "Write `NAME=VALUE` lines to the file that `ESTEIRA_OUTPUT` names, or `NAME<<MARK`, lines, `MARK`; at most 1 MiB. What is larger is an asset: `makes`.",
});

export const outputFolderMissing: ErrorFactory<{ step: string; asset: string; folder: string }> = defineError(
  "EXECUTORS_OUTPUT_FOLDER_MISSING",
  {
    status: 500,
    message: ({ step, asset, folder }) =>
      `Step "${step}" makes "${asset}" from the folder ${folder}, but its command left nothing there`,
    hint: () => "Let the command write its files there, or correct the folder under makes.",
    solve: "Let the command write its files to the folder named under `makes`.",
  },
);

export const workerSilent: ErrorFactory<{ reason: string; lastLines: string }> = defineError(
  "EXECUTORS_WORKER_SILENT",
  {
    status: 503,
    kind: "transient",
    message: ({ reason, lastLines }) =>
      `A worker process did not come up: ${reason}${lastLines === "" ? "" : `; its last lines: ${lastLines}`}`,
    hint: () =>
      "Its last lines say why, where it wrote any; else look whether the machine is out of memory or processes.",
    solve: "Read the worker's last lines in the message; give the machine memory and processes.",
  },
);

export const slurmMissing: ErrorFactory<{ program: string }> = defineError("EXECUTORS_SLURM_MISSING", {
  status: 424,
  message: ({ program }) => `Slurm's command ${program} is not on this machine`,
  hint: () =>
    "Run esteira on a login node, or install Slurm's client (on Debian: apt-get install slurm-client) with the cluster's slurm.conf and munge key.",
  solve: "Run esteira where `sbatch`, `squeue`, `scancel`, `scontrol` and `sinfo` are in PATH and reach the cluster.",
});

export const slurmUnreachable: ErrorFactory<{ program: string; said: string }> = defineError(
  "EXECUTORS_SLURM_UNREACHABLE",
  {
    status: 503,
    kind: "transient",
    message: ({ program, said }) => `Slurm does not answer (${program}): ${said}`,
    hint: () => "See that slurmctld and munged run: sinfo. Jobs that run go on meanwhile.",
    solve: "Bring the Slurm controller or munge back; jobs that run are found again.",
  },
);

export const jobRefused: ErrorFactory<{ program: string; said: string }> = defineError("EXECUTORS_JOB_REFUSED", {
  status: 422,
  message: ({ program, said }) => `Slurm refused the job (${program}): ${said}`,
  hint: () =>
    "Look at partition, account, qos and time of the executor in esteira.yaml, and at what the step asks for.",
  solve: "Correct the executor's settings in `esteira.yaml`, or what the step asks for under `resources`.",
});

export const partitionUnknown: ErrorFactory<{ executor: string; partition: string; partitions: readonly string[] }> =
  defineError("EXECUTORS_PARTITION_UNKNOWN", {
    status: 422,
    message: ({ executor, partition, partitions }) =>
      `Executor "${executor}" names the Slurm partition "${partition}", which has no nodes; partitions: ${partitions.join(", ")}`,
    hint: () => "Correct partition of the executor in esteira.yaml.",
    solve: "Name a partition of the cluster, as `sinfo` lists them.",
  });

export const storeNotShared: ErrorFactory<{ executor: string; folder: string; node: string }> = defineError(
  "EXECUTORS_STORE_NOT_SHARED",
  {
    status: 422,
    message: ({ executor, folder, node }) =>
      `A job of executor "${executor}" cannot use ${folder} on ${node}: the store and the project must lie on a file system that all its machines share, at the same path and writable`,
    hint: () => "Put the project and store.folder on the cluster's shared file system.",
    solve:
      "Put the project and the store's folder (`store.folder`) on a file system that every node mounts at the same path, writable by the same user.",
  },
);

export const wrapperUnstartable: ErrorFactory<{ executor: string; node: string; program: string }> = defineError(
  "EXECUTORS_NODE_PROGRAM_MISSING",
  {
    status: 422,
    message: ({ executor, node, program }) =>
      `A job of executor "${executor}" cannot run ${program} on ${node}: steps are started there by Node 24 or later`,
    hint: () =>
      "Install esteira on the shared file system, or name a Node of the machines with node under the executor.",
    solve: "Install esteira on the shared file system, or set `node` of the executor to a Node that its machines have.",
  },
);

export const jobEnded: ErrorFactory<{ executor: string; job: string; how: string; advice: string }> = defineError(
  "EXECUTORS_JOB_ENDED",
  {
    status: 422,
    message: ({ executor, job, how }) => `Job ${job} of executor "${executor}" ${how}`,
    hint: ({ advice }) => advice,
    solve: "Give the job more time or memory, or ask who ended it; then run the step again.",
  },
);

export const executorNotDeclared: ErrorFactory<{ executor: string; executors: readonly string[] }> = defineError(
  "EXECUTORS_NOT_DECLARED",
  {
    status: 404,
    message: ({ executor, executors }) => `There is no executor "${executor}"; there are: ${executors.join(", ")}`,
    hint: () => "Use one of these, or declare it under executors in esteira.yaml.",
    solve: "Use the name of an executor of `esteira.yaml`.",
  },
);

export const trialFailed: ErrorFactory<{ executor: string; exit: string; said: string }> = defineError(
  "EXECUTORS_TRIAL_FAILED",
  {
    status: 422,
    message: ({ executor, exit, said }) =>
      `The trial on executor "${executor}" ended with ${exit}${said === "" ? ": it did not see the same files" : `: ${said}`}`,
    hint: () => "Its machines must see the store's folder at the same path, and reach url of the executor.",
    solve:
      "Put the store on a file system that the machines share, and let `url` of the executor be reachable from them.",
  },
);

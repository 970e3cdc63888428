import { z } from "zod";
import { sshHostSchema, sshKeySchema } from "./targets.ts";
import { sizeSchema, waitSchema } from "./values.ts";

/** A part of this machine. */
export const localExecutorSchema = z.strictObject({
  local: z
    .strictObject({
      cpus: z.int().min(1).max(100_000).optional().describe("Default: the machine's processors."),
      gpus: z.int().min(0).max(10_000).optional().describe("Default: the machine's NVIDIA devices."),
      memory: sizeSchema.optional().describe('"16 GiB". Default: the machine\'s memory.'),
    })
    .describe("A part of this machine: what its steps ask for under `resources` is never more than this at once."),
});

const plainWord = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.,:&|*-]{0,199}$/, "expected a plain word");
const absolutePath = z.string().regex(/^\//, "expected an absolute path");

/** A Slurm cluster. */
export const slurmExecutorSchema = z.strictObject({
  slurm: z
    .strictObject({
      partition: plainWord.optional().describe("Partition of its jobs. Default: the cluster's."),
      account: plainWord.optional().describe("Account that they are charged to. Default: the user's."),
      qos: plainWord.optional().describe("Quality of service. Default: the user's."),
      constraint: plainWord.optional().describe("Features that their node must have."),
      time: z
        .string()
        .regex(/^[1-9]\d{0,4}[mhd]$/, 'expected minutes, hours or days: "90m", "4h", "2d"')
        .transform((text) => Number(text.slice(0, -1)) * ({ m: 1, h: 60, d: 1440 }[text.slice(-1)] ?? 1))
        .optional()
        .describe("Time limit of a job. Default: the step's `timeout` and ten minutes, else the partition's."),
      arguments: z
        .array(
          z.string().regex(/^--[a-z][a-z-]*(=.*)?$/, 'expected an option such as "--exclusive" or "--mail-type=FAIL"'),
        )
        .default([])
        .describe("Further options of `sbatch`. Default: none."),
      conf: absolutePath.optional().describe("The cluster's slurm.conf. Default: where Slurm looks for it."),
      node: absolutePath
        .optional()
        .describe("Node 24 or later on the cluster's machines. Default: the engine's own, at the same path there."),
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe(
          "Where its machines reach this server, for MLflow calls of steps. Default: the server's own address, which is only right on one machine.",
        ),
    })
    .nullable()
    .transform((settings) => settings ?? { arguments: [] })
    .describe(
      "Jobs of a Slurm cluster, whose machines share the folder of the project and of the store, at the same path.",
    ),
});

const labelSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,62}$/, "expected a label such as gpu or zone:a");

const leaseSchema = waitSchema
  .refine((ms) => ms >= 10_000, "at least 10s")
  .optional()
  .describe(
    "How long a worker may be silent until what it runs counts as lost and is started again. Shorter finds dead machines sooner, longer bears longer losses of the network. Default 90s.",
  );

/** Workers of other machines. */
export const workerExecutorSchema = z.strictObject({
  worker: z
    .strictObject({
      labels: z.array(labelSchema).max(50).default([]).describe("Its workers carry all of these. Default none: any."),
      lease: leaseSchema,
    })
    .nullable()
    .transform((settings) => settings ?? { labels: [] })
    .describe(
      "Workers on other machines, which share no files with this one and take steps over HTTP: a process started with `esteira worker` is one.",
    ),
});

const commandSchema = z
  .string()
  .regex(/^(\/[\w./-]+|[\w.-]+)$/, "expected a plain name or an absolute path")
  .default("esteira");

/** Workers that the server starts itself. */
export const sshExecutorSchema = z.strictObject({
  ssh: z
    .strictObject({
      hosts: z.array(sshHostSchema).min(1).max(100).describe("Each gets a worker."),
      key: sshKeySchema,
      command: commandSchema.describe(
        "Program on the hosts, of the server's version: a name on the PATH of the login, or an absolute path. Default esteira.",
      ),
      folder: z
        .string()
        .regex(/^\/(?!.*(^|\/)\.\.?(\/|$))[\w./-]*[\w-]$/, "expected an absolute folder of plain names")
        .optional()
        .describe(
          "Folder on the hosts with cache, environments and folders of steps. Default ~/.cache/esteira/ssh/PROJECT/NAME.",
        ),
      cpus: z.int().min(1).max(100_000).optional().describe("What the steps of a host have together. Default: all."),
      gpus: z.int().min(0).max(10_000).optional().describe("Default: the host's NVIDIA devices."),
      memory: sizeSchema.optional().describe("Default: the host's memory."),
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe(
          "Where the hosts reach this server by themselves. Default: through the SSH connection, which asks nothing of the network but that.",
        ),
      lease: leaseSchema,
    })
    .describe(
      "Hosts that are reached by SSH, and share no files with this machine: the server starts a worker on each, keeps it running, and ends it with itself.",
    ),
});

/** A Ray cluster. */
export const rayExecutorSchema = z.strictObject({
  ray: z
    .union(
      [
        z.url({ protocol: /^https?$/ }).transform((address) => ({ address })),
        z.strictObject({
          address: z.url({ protocol: /^https?$/ }).describe("Of the head's dashboard: http://head:8265."),
          token: z
            .string()
            .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "expected the name of a secret")
            .optional()
            .describe("Name of the secret with the cluster's token. Default: it asks for none."),
          url: z
            .url({ protocol: /^https?$/ })
            .optional()
            .describe(
              "Where the cluster's machines reach this server. Default: the server's own address, which is only right on one machine.",
            ),
          command: commandSchema.describe("Program on the nodes, of the server's version. Default esteira."),
          python: z
            .string()
            .regex(/^(\/[\w./-]+|[\w.-]+)$/, "expected a plain name or an absolute path")
            .optional()
            .describe("Python with ray, where Ray starts drivers. Default python."),
          folder: z
            .string()
            .regex(/^\/(?!.*(^|\/)\.\.?(\/|$))[\w./-]*[\w-]$/, "expected an absolute folder of plain names")
            .optional()
            .describe(
              "Folder on the nodes with caches, environments and folders of steps. Default ~/.cache/esteira/ray/PROJECT/NAME.",
            ),
          lease: leaseSchema,
        }),
      ],
      'expected an address such as "http://head:8265", or settings',
    )
    .describe("The address of a Ray cluster's dashboard, or settings: each process of a step is a task of Ray."),
});

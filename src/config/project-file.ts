import { z } from "zod";
import { alertsSchema } from "./alert-routes.ts";
import { environmentSchema } from "./environments.ts";
import {
  localExecutorSchema,
  rayExecutorSchema,
  slurmExecutorSchema,
  sshExecutorSchema,
  workerExecutorSchema,
} from "./executors.ts";
import { kubernetesExecutorSchema } from "./kubernetes-executor.ts";
import { forgeSchema } from "./forge.ts";
import { targetsSchema } from "./targets.ts";
import { DATA_PACKAGINGS, ISOLATION_SETTINGS, LANGUAGES } from "./project-choices.ts";
import { PROJECT_NAME } from "./project-name.ts";
import { DAY_MS, keptSchema, sizeSchema } from "./values.ts";

/** Less makes queries fail that could be run. */
const SMALLEST_MEMORY_BYTES = 256 * 1024 ** 2;

/** As buckets are named, and a prefix of plain names. */
const STORAGE = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/(?!\.{1,2}(\/|$))[A-Za-z0-9._=-]+)*\/?$/;

/** Access keys of Amazon look like names of variables: one that was written here by mistake is not taken for a name. */
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "expected the name of an environment variable")
  .refine((name) => !/^(AKIA|ASIA)[A-Z0-9]{12,}$/.test(name), {
    error:
      "this looks like a key: name the environment variable that holds it, and replace the key, which others may have read",
  });

const STORE_DEFAULTS = {
  region: "us-east-1",
  addressing: "virtual" as const,
  credentials: { key: "AWS_ACCESS_KEY_ID", secret: "AWS_SECRET_ACCESS_KEY", token: "AWS_SESSION_TOKEN" },
  cache: 10 * 1024 ** 3,
};

const WEEK_MS = 7 * DAY_MS;

const isolationSchema = z.strictObject({
  level: z
    .enum(ISOLATION_SETTINGS)
    .default("auto")
    .describe(
      "`auto`: the strongest that the machine can do. `sandbox`, `user`: at least this, or processes are refused. `none`: processes run as the engine's own user, unless a step or an environment requires more. Default auto.",
    ),
  exempt: z
    .array(z.string())
    .default([])
    .describe(
      "Steps that need the machine itself, as PIPELINE.STEP: they run with `none`, unless an environment requires more. Default none.",
    ),
  network: z
    .enum(["all", "platform"])
    .default("all")
    .describe(
      "What steps reach that have no `network` of their own. `platform`: the platform alone; they run in a sandbox, or not at all, unless they are exempt. Default all.",
    ),
  folders: z
    .array(z.string().regex(/^\//, "expected an absolute path"))
    .default([])
    .describe("Absolute folders that isolated processes may read, beside their own and the system's programs."),
});

const workflowsSchema = z.strictObject({
  mirror: z
    .string()
    .min(1)
    .optional()
    .describe("Folder with actions as OWNER/NAME@REF, for those that are not built in. Default: none."),
  secrets: z
    .array(variable)
    .default([])
    .describe("Names of the secrets that workflows may read, each where it is named. Default: none."),
  vars: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
    .default({})
    .describe("What `vars` of the workflows holds."),
  repository: z
    .string()
    .regex(/^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/, 'expected "owner/name"')
    .optional()
    .describe("What `github.repository` says. Default: local/ and the project's name."),
  branch: z.string().min(1).default("main").describe("The repository's default branch. Default main."),
  unsupported: z
    .enum(["strict", "refuse", "skip"])
    .default("refuse")
    .describe(
      "What becomes of a workflow with a job that cannot run here. `refuse`: nothing of it runs, unless the job is for another system or for GitHub alone: that is left out, with what needs it. `skip`: every such job is left out. `strict`: nothing of it runs, whatever the reason. Default refuse.",
    ),
});

const GIT_DEFAULTS = {
  branch: "main",
  protected: ["main"],
  push: 512 * 1024 ** 2,
  limit: 5 * 1024 ** 3,
};

const branch = z
  .string()
  .regex(/^(?![-/.])(?!.*(\.\.|\/\/|@\{|\.lock(\/|$)))[\w./@+-]{1,200}(?<![/.])$/, "expected the name of a branch");

const gitSchema = z.strictObject({
  branch: branch.default("main").describe("Branch whose pipelines are the project's current ones. Default main."),
  subfolder: z
    .string()
    .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$)).+$/, "expected a folder of the repository")
    .optional()
    .describe("Folder of esteira.yaml in the repository. Default: its root."),
  protected: z
    .array(z.string().regex(/^[\w./@+*-]{1,200}$/, "expected the name of a branch, with * for any text"))
    .default(["main"])
    .describe("Branches that only grow: pushes that would remove commits, or the branch, are refused. Default main."),
  push: sizeSchema.default(GIT_DEFAULTS.push).describe('Largest push, as it is sent: "512 MiB". Default "512 MiB".'),
  limit: sizeSchema
    .default(GIT_DEFAULTS.limit)
    .describe('Largest size of the repository; nothing more is taken then. Default "5 GiB".'),
});

const projectKeys = z.strictObject({
  name: z
    .string()
    .regex(PROJECT_NAME, "a name starts with a letter and holds only a–z, 0–9, _ and -, at most 63")
    .describe("Name of the project; part of every record."),
  description: z.string().optional().describe("One sentence for people."),
  language: z.enum(LANGUAGES).optional().describe("Language of messages and pages. Default: the user's."),
  environments: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "an environment's name holds a–z, 0–9 and -"),
      environmentSchema.nullable(),
    )
    .default({})
    .describe("Where releases are deployed, with their protection."),
  store: z
    .strictObject({
      folder: z.string().optional().describe("Folder of the embedded store. Default .esteira"),
      metadata: z
        .string()
        .optional()
        .describe("postgres://… for metadata on many machines. Default: SQLite in the store's folder."),
      storage: z
        .string()
        .regex(STORAGE, 'expected "s3://bucket" or "s3://bucket/prefix"')
        .optional()
        .describe(
          "`s3://bucket/prefix` for objects, datasets and MLflow artifacts in an S3-compatible bucket that honours conditional writes. The store's folder then holds a cache of them. Default: the store's folder.",
        ),
      endpoint: z
        .url({ protocol: /^https?$/, error: 'expected "https://host" or "http://host:port"' })
        .refine((text) => /^https?:\/\/[^/@?#]+\/?$/.test(text), "an address has no user, no path and no question mark")
        .optional()
        .describe("Address of the bucket's server. Default: Amazon's, of the region."),
      region: z
        .string()
        .regex(/^[a-z0-9-]{1,40}$/, 'expected a region such as "us-east-1"')
        .default("us-east-1")
        .describe("Region of the bucket. Default us-east-1."),
      addressing: z
        .enum(["virtual", "path"])
        .default("virtual")
        .describe("`virtual`: bucket.host, as Amazon wants it. `path`: host/bucket, for most others. Default virtual."),
      credentials: z
        .strictObject({
          key: variable.default("AWS_ACCESS_KEY_ID").describe("Holds the access key. Default AWS_ACCESS_KEY_ID."),
          secret: variable
            .default("AWS_SECRET_ACCESS_KEY")
            .describe("Holds the secret key. Default AWS_SECRET_ACCESS_KEY."),
          token: variable
            .default("AWS_SESSION_TOKEN")
            .describe("Holds a session token, where there is one. Default AWS_SESSION_TOKEN."),
        })
        .default({ key: "AWS_ACCESS_KEY_ID", secret: "AWS_SECRET_ACCESS_KEY", token: "AWS_SESSION_TOKEN" })
        .describe("Names of the environment variables that hold the keys of the bucket; never the keys themselves."),
      cache: sizeSchema
        .default(10 * 1024 ** 3)
        .describe(
          'Size of the cache of a bucket in the store\'s folder; beyond it what was not used for longest goes, once it was not used for a day. Default "10 GiB".',
        ),
    })
    .refine(({ storage, endpoint }) => storage !== undefined || endpoint === undefined, {
      error: "an endpoint is that of a bucket: name it with storage: s3://bucket/prefix",
      path: ["endpoint"],
    })
    .default(STORE_DEFAULTS)
    .describe("Where metadata and objects live."),
  executors: z
    .record(
      z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,30}$/, "the name of an executor starts with a letter and holds a–z, 0–9 and -")
        .refine((name) => name !== "local", "local is always there: the whole machine"),
      z.union([
        localExecutorSchema,
        slurmExecutorSchema,
        workerExecutorSchema,
        sshExecutorSchema,
        rayExecutorSchema,
        kubernetesExecutorSchema,
      ]),
    )
    .default({})
    .describe("Where steps can run beside `local`, by the name that `executor` of a step or pipeline gives."),
  defaults: z
    .strictObject({
      executor: z
        .string()
        .default("local")
        .describe("Where processes of steps run that do not say it, of those that can run there. Default local."),
    })
    .default({ executor: "local" })
    .describe("What holds for pipelines and steps that say nothing else."),
  capture: z
    .strictObject({
      folders: z
        .array(z.string())
        .default([])
        .describe("Folders outside the project that capture steps may read, with all below them. Default none."),
      hosts: z
        .array(
          z
            .string()
            .regex(/^[A-Za-z0-9.:_-]+(\/\d{1,3})?$/, "expected a host, an address or a network such as 10.1.0.0/16"),
        )
        .default([])
        .describe(
          "Hosts, addresses and networks of the inside that capture steps may read, for example db.internal or 10.1.0.0/16. Default: none, only addresses of the public internet.",
        ),
    })
    .default({ folders: [], hosts: [] })
    .describe("What capture steps may read."),
  isolation: z
    .union([isolationSchema, z.enum(ISOLATION_SETTINGS).transform((level) => isolationSchema.parse({ level }))])
    .default({ level: "auto", exempt: [], folders: [], network: "all" })
    .describe("How the processes of steps, models and releases are kept from the platform: a level, or more."),
  workflows: z
    .union([workflowsSchema, z.literal(false)])
    .default({ secrets: [], vars: {}, branch: "main", unsupported: "refuse" })
    .describe("GitHub workflows of the project, which run as pipelines; `false`: they are left alone."),
  git: gitSchema.default(GIT_DEFAULTS).describe("The repository that the server takes pushes to."),
  targets: targetsSchema,
  forge: forgeSchema
    .optional()
    .describe("Where the repository and its pull requests are. Default: nobody is told of runs."),
  pull_requests: z
    .strictObject({
      outside: z
        .enum(["run", "ignore"])
        .default("ignore")
        .describe(
          "Pull requests from other repositories. `run`: their pipelines run in a sandbox, without network, secrets, the platform and an environment. `ignore`: they start nothing. Default ignore.",
        ),
      keep: keptSchema
        .default(14 * DAY_MS)
        .describe('A preview of which nobody heard for so long is removed: "14d". Default "14d".'),
    })
    .default({ outside: "ignore", keep: 14 * DAY_MS })
    .describe("What becomes of pull requests."),
  limits: z
    .strictObject({
      memory: sizeSchema.optional().describe('Memory of all processes of a step together: "2 GiB". Default: no limit.'),
      processes: z.int().min(1).max(100_000).optional().describe("Processes of a step at once. Default: no limit."),
      files: z
        .int()
        .min(16)
        .max(1_000_000)
        .optional()
        .describe("Files that each process of a step may have open. Default: as the engine's."),
    })
    .default({})
    .describe("What the processes of a step may take of the machine, where the step says nothing else."),
  data: z
    .strictObject({
      memory: sizeSchema
        .refine((bytes) => bytes >= SMALLEST_MEMORY_BYTES, "at least 256 MiB")
        .optional()
        .describe(
          'Memory that queries on datasets may take, "4 GiB"; beyond it intermediate results go to disk, below the store. For each capture, each SQL step, and everything else together. Default: 60 percent of what the process may have.',
        ),
    })
    .default({})
    .describe("How datasets are computed."),
  packaging: z
    .strictObject({
      data: z
        .enum(DATA_PACKAGINGS)
        .default("value")
        .describe(
          "Put training data into exported models (`value`) or only its digests, schema and profile (`reference`).",
        ),
      limit: sizeSchema.default(1024 ** 3).describe('Larger data go by reference. Default "1 GiB".'),
    })
    .default({ data: "value", limit: 1024 ** 3 })
    .describe("How models are exported."),
  access: z
    .strictObject({
      loopback: z
        .enum(["none", "viewer", "contributor"])
        .default("none")
        .describe(
          "What callers on this machine may do without a token once users exist. Before, they are administrators. Default none.",
        ),
    })
    .default({ loopback: "none" })
    .describe("Who may do what without signing in."),
  audit: z
    .strictObject({
      key: z
        .string()
        .min(1)
        .optional()
        .describe(
          "File of the Ed25519 key (PKCS #8 PEM) that signs the checkpoints of the event log, relative to the project. Default: `keys/audit.pem` in the store, made when it is missing.",
        ),
      git: z
        .string()
        .regex(/^refs\/[A-Za-z0-9][\w/-]*[\w]$/, 'a ref such as "refs/esteira/audit"')
        .optional()
        .describe("Ref of the project's repository that also keeps the checkpoints. Default: none."),
      webhook: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe("Address that every checkpoint is posted to, as text. Default: none."),
    })
    .default({})
    .describe("Who else keeps the signed checkpoints of the event log."),
  models: z
    .strictObject({
      protected_aliases: z
        .array(z.string())
        .default(["champion"])
        .describe("Aliases that move only with an approved deployment."),
    })
    .default({ protected_aliases: ["champion"] })
    .describe("Rules of the model registry."),
  server: z
    .strictObject({
      concurrency: z
        .int()
        .min(1)
        .max(100_000)
        .default(512)
        .describe(
          "Requests of one caller (a user, a token, a step; an address without one) that are answered at once; more get 429. Default 512.",
        ),
      rate: z
        .number()
        .min(0.1)
        .max(1_000_000)
        .optional()
        .describe(
          "Requests a second of one caller, as many at once after a rest; more get 429 with the time to wait. Default: no limit.",
        ),
    })
    .default({ concurrency: 512 })
    .describe("What one caller may ask of the server."),
  retention: z
    .strictObject({
      predictions: keptSchema
        .optional()
        .describe('How long predictions are kept with their labels, "90d"; counts of them stay. Default: for ever.'),
      versions: keptSchema
        .optional()
        .describe(
          'How long a version of a dataset can be read after another took its place, "180d"; the latest, and what a registered model, a release or an open run is made of, stay. Default: for ever.',
        ),
      runs: keptSchema
        .optional()
        .describe(
          'How long pipeline runs are kept with their steps and logs, "365d"; those that made a version or a deployment, and the last of each step, stay. Default: for ever.',
        ),
      logs: keptSchema
        .optional()
        .describe(
          'How long logs of steps are kept, "30d"; those of steps that made what a registered model or a release is made of stay. Default: for ever.',
        ),
    })
    .default({})
    .describe("What goes by itself once it is old: daily while a server runs, and with `esteira gc`."),
  verify: z
    .strictObject({
      every: z
        .union([z.literal("never").transform(() => undefined), keptSchema])
        .default(WEEK_MS)
        .describe(
          'How often a server reads everything that the store keeps and compares it with what was recorded, "7d"; "never" for not at all. Default "7d".',
        ),
      rate: sizeSchema
        .refine((bytes) => bytes >= 1024 ** 2, "expected at least 1 MiB")
        .default(50 * 1024 ** 2)
        .describe('How much it reads in a second at most. Default "50 MiB".'),
    })
    .default({ every: WEEK_MS, rate: 50 * 1024 ** 2 })
    .describe(
      "The verification that a server does by itself: what it finds opens alerts and stands on the first page.",
    ),
  sql: z
    .strictObject({
      port: z
        .int()
        .min(0)
        .max(65_535)
        .optional()
        .describe(
          "Port on which `esteira up` serves datasets to PostgreSQL's clients, for reading. Default: none is opened.",
        ),
      host: z.string().min(1).default("127.0.0.1").describe('Address of that port. Default "127.0.0.1".'),
      timeout: z.int().min(1).max(86_400).default(60).describe("Seconds that a query may take. Default 60."),
      rows: z
        .int()
        .min(1)
        .max(1_000_000_000)
        .default(10_000_000)
        .describe("Rows that the answer to a query over that port may have. Default 10,000,000."),
      memory: sizeSchema
        .default(1024 ** 3)
        .describe('Memory of one connection\'s queries; beyond it they use the disk. Default "1 GiB".'),
      connections: z.int().min(1).max(1000).default(32).describe("Connections at once. Default 32."),
      tls: z
        .strictObject({
          certificate: z.string().min(1).describe("PEM file with the certificate and its chain."),
          key: z.string().min(1).describe("PEM file with its private key."),
        })
        .optional()
        .describe("Needed where the port can be reached from other machines."),
    })
    .default({ host: "127.0.0.1", timeout: 60, rows: 10_000_000, memory: 1024 ** 3, connections: 32 })
    .describe("SQL over datasets: `esteira query`, the page, and PostgreSQL's protocol."),
  pools: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, "expected letters, digits, _ . and -, beginning with a letter or _"),
      z
        .union([
          z.int().min(1).max(100_000),
          z.strictObject({
            slots: z.int().min(1).max(100_000).describe("How many there are."),
            description: z.string().max(200).optional().describe("What it stands for."),
          }),
        ])
        .transform((stated) => (typeof stated === "number" ? { slots: stated } : stated)),
    )
    .default({})
    .describe(
      "Slots that steps of all pipelines share, by the name of the pool: `pools: { warehouse: 3 }`. A step with `pool: warehouse` is at work only while it holds one. Default: none.",
    ),
  serving: z
    .strictObject({
      timeout: z
        .int()
        .min(1)
        .max(3600)
        .default(60)
        .describe(
          "Seconds that a request to an endpoint may take, waiting included; then it is answered with 504. Default 60.",
        ),
      threads: z
        .int()
        .min(1)
        .max(64)
        .default(1)
        .describe(
          "Requests of one model that are computed at once, each on a thread. More help when processors are idle. Default 1.",
        ),
      memory: sizeSchema
        .default(4 * 1024 ** 3)
        .describe('Private memory of the process of one Python model; beyond it, it fails. Default "4 GiB".'),
    })
    .default({ timeout: 60, threads: 1, memory: 4 * 1024 ** 3 })
    .describe("How endpoints compute."),
  outbox: z
    .strictObject({
      private_networks: z
        .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]))
        .default([])
        .describe(
          "Networks of the inside that webhooks and alerts may be sent to all the same, for example 10.1.0.0/16. Default: none, only addresses of the public internet.",
        ),
    })
    .default({ private_networks: [] })
    .describe("What leaves the platform by itself: webhooks and alerts."),
  alerts: alertsSchema.default({ routes: {}, default: [] }).describe("Who is told of alerts, and how."),
});

export const projectSchema = projectKeys.superRefine(({ executors, defaults: { executor } }, context) => {
  if (executor === "local" || Object.hasOwn(executors, executor)) return;
  context.addIssue({
    code: "custom",
    path: ["defaults", "executor"],
    message: `there is no executor "${executor}"; there are: ${["local", ...Object.keys(executors)].join(", ")}`,
  });
});

/** `esteira.yaml`, checked, with defaults filled in. */
export type ProjectFile = z.output<typeof projectSchema>;

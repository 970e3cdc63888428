import { access, readFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { readYaml } from "#base";
import { projectInvalid, projectMissing } from "./errors.ts";
import type { APPROVAL_BINDINGS } from "./project-choices.ts";
import type { ProjectFile, projectSchema } from "./project-file.ts";

export const PROJECT_FILE = "esteira.yaml";

export interface EnvironmentConfig {
  readonly name: string;
  readonly approvals: number;
  readonly bind: (typeof APPROVAL_BINDINGS)[number];
  readonly sandbox: boolean;
  readonly signed: boolean;
  /** Sorted; undefined: every reviewer. */
  readonly reviewers: readonly string[] | undefined;
  /** ISO moments in UTC; `to` is left out. */
  readonly freeze: readonly { readonly from: string; readonly to: string; readonly reason?: string | undefined }[];
}

export interface ProjectConfig extends Omit<ProjectFile, "environments" | "store"> {
  /** Absolute folder of `esteira.yaml`. */
  readonly folder: string;
  readonly environments: readonly EnvironmentConfig[];
  /** Absolute. */
  readonly storeFolder: string;
  /** Absolute SQLite file or `postgres://…`. */
  readonly metadataAddress: string;
  /** Bucket that holds what the store keeps; undefined where the store's folder does. */
  readonly bucket: BucketConfig | undefined;
}

/** A place in an S3-compatible bucket. */
export interface BucketConfig {
  readonly bucket: string;
  /** Without slashes at its ends; `""` for the whole bucket. */
  readonly prefix: string;
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly addressing: "virtual" | "path";
  /** Names of environment variables. */
  readonly credentials: { readonly key: string; readonly secret: string; readonly token: string };
  readonly cacheBytes: number;
}

/** What a repository has that is a project without saying so. */
const WORKFLOW_FOLDER = ".github/workflows";

/**
 * Folder that holds `esteira.yaml`: `start` or the nearest above; else the nearest that holds GitHub workflows. @throws
 * CONFIG_PROJECT_MISSING
 */
export async function findProjectFolder(start: string): Promise<string> {
  const found = (await nearestWith(start, PROJECT_FILE)) ?? (await nearestWith(start, WORKFLOW_FOLDER));
  if (found === undefined) throw projectMissing({ folder: resolve(start) });
  return found;
}

async function nearestWith(start: string, name: string): Promise<string | undefined> {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (await exists(join(folder, name))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A project that has workflows and no file of its own is called after its folder. */
function nameFrom(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 63);
  return name === "" ? "project" : name;
}

/**
 * Reads and checks a project's `esteira.yaml`.
 *
 * @param folder absolute folder that holds it
 * @param storeFolder overrides all of `store`, a bucket too: everything is in this folder, absolute or relative to the
 *   working folder
 * @throws CONFIG_PROJECT_MISSING, CONFIG_PROJECT_INVALID with every mistake and its place
 */
export async function loadProjectConfig(folder: string, storeFolder?: string): Promise<ProjectConfig> {
  const text = await readFile(join(folder, PROJECT_FILE), "utf8").catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    if (await exists(join(folder, WORKFLOW_FOLDER))) return `name: ${nameFrom(folder)}\n`;
    throw projectMissing({ folder });
  });
  const { value, problems } = readYaml(text, PROJECT_FILE, await loadProjectSchema());
  if (value === undefined) throw projectInvalid({ problems });
  const store = resolve(storeFolder ?? join(folder, value.store.folder ?? ".esteira"));
  return {
    ...value,
    folder,
    environments: Object.entries(value.environments).map(([name, environment]) => toEnvironment(name, environment)),
    ...(value.sql.tls === undefined
      ? {}
      : {
          sql: {
            ...value.sql,
            tls: { certificate: resolve(folder, value.sql.tls.certificate), key: resolve(folder, value.sql.tls.key) },
          },
        }),
    audit: {
      ...value.audit,
      ...(value.audit.key === undefined ? {} : { key: resolve(folder, value.audit.key) }),
    },
    capture: {
      folders: value.capture.folders.map((path) => (isAbsolute(path) ? path : resolve(folder, path))),
      hosts: value.capture.hosts,
    },
    storeFolder: store,
    metadataAddress:
      storeFolder === undefined
        ? (value.store.metadata ?? join(store, "metadata.sqlite"))
        : join(store, "metadata.sqlite"),
    bucket: storeFolder === undefined ? toBucket(value.store) : undefined,
  };
}

function toEnvironment(name: string, environment: ProjectFile["environments"][string]): EnvironmentConfig {
  const none = { approvals: 0, bind: "version", sandbox: false, signed: false, freeze: [] } as const;
  if (environment === null) return { ...none, name, reviewers: undefined };
  const { approvals, bind, sandbox, isolation, signed, reviewers, freeze } = environment;
  return {
    name,
    approvals,
    bind: bind === "source" ? "recipe" : bind,
    sandbox: sandbox || isolation === "sandbox",
    signed,
    reviewers: reviewers === undefined ? undefined : [...new Set(reviewers)].toSorted(),
    freeze,
  };
}

function toBucket({ storage, cache, ...place }: ProjectFile["store"]): BucketConfig | undefined {
  if (storage === undefined) return undefined;
  const [bucket = "", ...prefix] = storage.slice("s3://".length).replace(/\/$/, "").split("/");
  const { endpoint, region, addressing, credentials } = place;
  return { bucket, prefix: prefix.join("/"), endpoint, region, addressing, credentials, cacheBytes: cache };
}

/** The schema of `esteira.yaml`; loaded when it is asked for, as a bare store has no such file. */
export async function loadProjectSchema(): Promise<typeof projectSchema> {
  return (await import("./project-file.ts")).projectSchema;
}

/** The configuration of a store that is served without a project: tracking and registry only. */
export function storeOnlyConfig(storeFolder: string, metadataAddress?: string): ProjectConfig {
  const store = resolve(storeFolder);
  return {
    name: "default",
    description: undefined,
    language: undefined,
    folder: store,
    environments: [],
    storeFolder: store,
    metadataAddress: metadataAddress ?? join(store, "metadata.sqlite"),
    bucket: undefined,
    executors: {},
    defaults: { executor: "local" },
    capture: { folders: [], hosts: [] },
    isolation: { level: "auto", exempt: [], folders: [], network: "all" },
    workflows: false,
    git: { branch: "main", protected: ["main"], push: 512 * 1024 ** 2, limit: 5 * 1024 ** 3 },
    targets: {},
    pull_requests: { outside: "ignore", keep: 14 * 24 * 3600_000 },
    limits: {},
    data: {},
    packaging: { data: "value", limit: 1024 ** 3 },
    models: { protected_aliases: ["champion"] },
    access: { loopback: "none" },
    server: { concurrency: 512 },
    sql: { host: "127.0.0.1", timeout: 60, rows: 10_000_000, memory: 1024 ** 3, connections: 32 },
    audit: {},
    retention: {},
    pools: {},
    verify: { every: 7 * 24 * 3600_000, rate: 50 * 1024 ** 2 },
    serving: { timeout: 60, threads: 1, memory: 4 * 1024 ** 3 },
    outbox: { private_networks: [] },
    alerts: { routes: {}, default: [] },
  };
}

import { randomUUID } from "node:crypto";
import { lstat, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, EsteiraError, messageOf } from "#base";
import type { ProjectConfig, Settings } from "#config";
import { createIsolation, createSandbox } from "#executors";
import { type MetadataStore, openMetadataStore } from "#metadata-store";
import type { SecretBox } from "#outbox";
import { readVersion } from "./open-platform.ts";
import { openStorage } from "./open-storage.ts";
import { openSecretBox } from "./secret-keys.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warning" | "failure";
  readonly message: string;
  /** What to do about it. */
  readonly cure?: string | undefined;
}

const LEAST_NODE = 24;
const LOW_DISK_BYTES = 1024 ** 3;
const OTHERS = 0o077;
const LARGEST_SKEW_MS = 2000;
const DEADLINE_MS = 10_000;

/**
 * Looks at everything a project needs, each part by itself, so that a broken one hides no other. Nothing is changed but
 * what opening a store changes: it is migrated; one that is missing is not made.
 *
 * @param config or the error that reading it was
 */
export async function examineProject(config: ProjectConfig | Error, settings: Settings): Promise<readonly Finding[]> {
  const versions = [checkNode(readVersion())];
  if (config instanceof Error) return [...versions, failed("project", config)];
  const { isMissing, findings } = await checkFolder(config);
  const parts = [
    checkIsolation(config, isMissing),
    ...(isMissing && !config.metadataAddress.startsWith("postgres") ? [] : [checkDatabase(config, settings)]),
    ...(config.bucket === undefined ? [] : [checkBucket(config, settings)]),
  ];
  return [
    ...versions,
    ok("project", `${config.name} in ${config.folder}`),
    ...findings,
    ...(await Promise.all(parts)).flat(),
  ];
}

function checkNode(version: string): Finding {
  const isNew = Number(process.versions.node.split(".")[0]) >= LEAST_NODE;
  const message = `esteira ${version}, Node ${process.versions.node}`;
  return isNew ? ok("versions", message) : failure("versions", message, `Install Node ${LEAST_NODE} or later.`);
}

async function checkFolder({
  storeFolder,
  audit,
}: ProjectConfig): Promise<{ readonly isMissing: boolean; readonly findings: readonly Finding[] }> {
  const facts = await lstat(storeFolder).catch((error: NodeJS.ErrnoException) => error);
  if (facts instanceof Error) {
    const isMissing = facts.code === "ENOENT";
    const finding = isMissing
      ? warning(
          "store",
          `${storeFolder} is not there yet`,
          "It is made by the first command that writes; after a loss: esteira restore FOLDER.",
        )
      : failure(
          "store",
          `${storeFolder} cannot be read: ${facts.message}`,
          "Run esteira as the user that owns the store.",
        );
    return { isMissing, findings: [finding] };
  }
  const findings: Finding[] = [];
  const open: string[] = [];
  for (const path of [
    storeFolder,
    join(storeFolder, "metadata.sqlite"),
    join(storeFolder, "keys/audit.pem"),
    audit.key,
  ]) {
    const mode =
      path === undefined
        ? 0
        : await stat(path).then(
            ({ mode: found }) => found,
            () => 0,
          );
    if (path !== undefined && (mode & OTHERS) !== 0) open.push(path);
  }
  findings.push(
    open.length === 0
      ? ok("file modes", "the store is its user's alone")
      : warning("file modes", `others may read ${open.join(", ")}`, `chmod -R go= ${storeFolder}`),
    await checkDisk(storeFolder),
    await checkFileClock(storeFolder),
    await checkKey(audit.key ?? join(storeFolder, "keys/audit.pem")),
  );
  return { isMissing: false, findings };
}

async function checkDisk(folder: string): Promise<Finding> {
  const { bavail, bsize, blocks } = await statfs(folder);
  const [free, total] = [bavail * bsize, blocks * bsize];
  const message = `${gib(free)} GiB of ${gib(total)} GiB free`;
  if (free < LOW_DISK_BYTES / 10) return failure("disk", message, "Make room: esteira gc, then a larger disk.");
  return free < LOW_DISK_BYTES || free < total / 50
    ? warning("disk", message, "Make room before it is full. What may go: esteira gc --dry-run")
    : ok("disk", message);
}

/** Also whether the store can be written. */
async function checkFileClock(folder: string): Promise<Finding> {
  const file = join(folder, `.doctor-${randomUUID()}`);
  try {
    await writeFile(file, "", { mode: 0o600 });
    const skewMs = (await stat(file)).mtimeMs - Date.now();
    return Math.abs(skewMs) < LARGEST_SKEW_MS
      ? ok("file system", "it can be written, and its clock is this machine's")
      : warning("file system", `its clock differs by ${Math.round(skewMs)} ms`, "Let both machines keep time by NTP.");
  } catch (error) {
    return failure(
      "file system",
      `the store cannot be written: ${messageOf(error)}`,
      "Run esteira as the user that owns the store, on a disk that is writable and not full.",
    );
  } finally {
    await rm(file, { force: true }).catch(() => undefined);
  }
}

async function checkKey(path: string): Promise<Finding> {
  const facts = await stat(path).catch(() => undefined);
  return facts === undefined
    ? warning(
        "audit key",
        `${path} is not there`,
        "It is made with the first event; if there were events, restore it: without it no checkpoint is signed.",
      )
    : ok("audit key", path);
}

async function checkIsolation(
  { isolation, storeFolder }: ProjectConfig,
  isMissing: boolean,
): Promise<readonly Finding[]> {
  try {
    const sandbox = createSandbox(undefined, isMissing ? undefined : join(storeFolder, "cache/sandbox"));
    const { level, missing } = await createIsolation({ level: isolation.level, sandbox }).report();
    if (level === "sandbox") return [ok("isolation", level)];
    const reasons = missing.map(({ level: wanted, reason }) => `${wanted}: ${reason}`).join("; ");
    const cure = "Install bubblewrap (on Debian: apt-get install bubblewrap) and allow user namespaces.";
    return [warning("isolation", reasons === "" ? level : `${level}; ${reasons}`, cure)];
  } catch (error) {
    return [failed("isolation", error)];
  }
}

async function checkDatabase(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  try {
    return await Promise.race([lookAtDatabase(config, settings), late.promise]);
  } catch (error) {
    return [failed("database", error, "See that the database runs, and that store.metadata of esteira.yaml is right.")];
  } finally {
    clearTimeout(timer);
  }
}

async function lookAtDatabase(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  const { readStoreFacts } = await import("#upkeep");
  const store = await openMetadataStore(config.metadataAddress);
  try {
    const askedAtMs = Date.now();
    const facts = await readStoreFacts(store);
    const skewMs = Math.round(facts.nowMs - (askedAtMs + Date.now()) / 2);
    const wrong = facts.durability.filter(({ value, expected }) => value !== expected);
    return [
      ok("database", `${store.kind} answers, its schema is this version's`),
      wrong.length === 0
        ? ok("durability", "what is acknowledged is on disk")
        : failure(
            "durability",
            wrong.map(({ setting, value }) => `${setting} is ${value}`).join(", "),
            `Set ${wrong.map(({ setting, expected }) => `${setting} = ${expected}`).join(", ")} in postgresql.conf.`,
          ),
      Math.abs(skewMs) < LARGEST_SKEW_MS
        ? ok("clock", `within ${LARGEST_SKEW_MS} ms of the database's`)
        : warning("clock", `it differs from the database's by ${skewMs} ms`, "Let both machines keep time by NTP."),
      await checkSecrets(store, openSecretBox(config, settings)),
      facts.users > 0
        ? ok("users", `${facts.users} users`)
        : warning(
            "users",
            "no user exists: whoever reaches this machine administers it",
            "esteira user create NAME --role admin",
          ),
      facts.staleAttempts + facts.silentEngines === 0
        ? ok("leases", "none is stale")
        : warning(
            "leases",
            `${facts.staleAttempts} attempts and ${facts.silentEngines} engines are silent`,
            "Start a server or esteira run --resume: it takes over what is left.",
          ),
    ];
  } finally {
    await store.close();
  }
}

async function checkSecrets(store: MetadataStore, secrets: SecretBox): Promise<Finding> {
  const { examineWebhookSecrets } = await import("#registry");
  try {
    const { total, unreadable, outdated } = await examineWebhookSecrets(store, secrets);
    if (unreadable > 0)
      return failure(
        "secrets",
        `${unreadable} of ${total} cannot be opened: they are sealed with a key that is not here, or were changed`,
        "Bring back ~/.config/esteira/secrets.key or ESTEIRA_SECRETS_KEY of the machine that wrote them, or set them again.",
      );
    return outdated > 0
      ? warning("secrets", `${outdated} of ${total} are not sealed with the newest key`, "esteira secrets rotate")
      : ok("secrets", total === 0 ? "none is kept" : `${total} sealed`);
  } catch (error) {
    return failed("secrets", error);
  }
}

async function checkBucket(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  try {
    const { objects } = await openStorage(config, settings);
    await objects.stat(digestOf("esteira doctor"));
    return [ok("bucket", `${config.bucket?.bucket} answers`)];
  } catch (error) {
    return [failed("bucket", error)];
  }
}

function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}

function ok(name: string, message: string): Finding {
  return { name, state: "ok", message };
}

function warning(name: string, message: string, cure: string): Finding {
  return { name, state: "warning", message, cure };
}

function failure(name: string, message: string, cure: string): Finding {
  return { name, state: "failure", message, cure };
}

function failed(name: string, error: unknown, cure?: string): Finding {
  const hint = error instanceof EsteiraError ? error.hint : undefined;
  return { name, state: "failure", message: messageOf(error), cure: hint ?? cure ?? "Mend what the message names." };
}

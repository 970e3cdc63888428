import { randomUUID } from "node:crypto";
import { lstat, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, messageOf } from "#base";
import type { ProjectConfig, Settings } from "#config";
import { readVersion } from "../open-platform.ts";
import { openStorage } from "../open-storage.ts";
import { checkDatabase } from "./check-database.ts";
import { checkIsolation, checkNode, checkPorts, checkPython } from "./check-machine.ts";
import { failed, failure, type Finding, gib, ok, warning } from "./finding.ts";

const LOW_DISK_BYTES = 1024 ** 3;
const OTHERS = 0o077;
const LARGEST_SKEW_MS = 2000;

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
  const hasDatabase = !isMissing || config.metadataAddress.startsWith("postgres");
  const parts = [
    checkPython(settings),
    checkPorts(config),
    checkIsolation(config, isMissing),
    ...(hasDatabase ? [checkDatabase(config, settings)] : []),
    ...(config.bucket === undefined ? [] : [checkBucket(config, settings)]),
    // What they need is loaded only where there are some.
    ...(Object.keys(config.executors).length === 0
      ? []
      : [import("./check-executors.ts").then(({ checkExecutors }) => checkExecutors(config, settings))]),
  ];
  return [
    ...versions,
    ok("project", `${config.name} in ${config.folder}`),
    ...findings,
    ...(await Promise.all(parts)).flat(),
  ];
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

async function checkBucket(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  try {
    const { objects } = await openStorage(config, settings);
    await objects.stat(digestOf("esteira doctor"));
    return [ok("bucket", `${config.bucket?.bucket} answers`)];
  } catch (error) {
    return [failed("bucket", error)];
  }
}

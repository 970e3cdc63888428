import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "#base";
import { folderUnusable } from "../errors.ts";

/** In memory, on every Linux. */
const MEMORY = "/dev/shm";
const PREFIX = "esteira-secrets-";

/** Secrets of one process, as files that only its user reads. */
export interface SecretFiles {
  /** Absolute; gone after `remove`. */
  readonly folder: string;
  /** Variables that name the files, `NAME_FILE`, for a process that sees them in `place`. */
  variables(place: string): Readonly<Record<string, string>>;
  remove(): void;
}

/**
 * Writes secrets into a folder of their own, in memory where the system has such a place, else in the temporary folder.
 *
 * @param secrets value by name; names are those of variables
 * @throws EXECUTORS_FOLDER_UNUSABLE
 */
export function placeSecretFiles(secrets: Readonly<Record<string, string>>): SecretFiles {
  const root = secretsRoot();
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(root, `${PREFIX}${process.pid}-`));
    chmodSync(folder, 0o700);
    for (const [name, value] of Object.entries(secrets)) writeFileSync(join(folder, name), value, { mode: 0o400 });
  } catch (error) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    throw folderUnusable({ folder: root, reason: messageOf(error) }, error);
  }
  const made = folder;
  return {
    folder: made,
    variables: (place) =>
      Object.fromEntries(Object.keys(secrets).map((name) => [`${name}_FILE`, join(place, name)] as const)),
    remove: () => rmSync(made, { recursive: true, force: true }),
  };
}

/** Removes what processes left that were killed. */
export function sweepSecretFiles(): void {
  const root = secretsRoot();
  for (const name of existsSync(root) ? readdirSync(root) : []) {
    const pid = Number(/^esteira-secrets-(\d+)-/.exec(name)?.[1]);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    try {
      rmSync(join(root, name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function secretsRoot(): string {
  if (existsSync(MEMORY)) return MEMORY;
  const folder = tmpdir();
  mkdirSync(folder, { recursive: true });
  return folder;
}

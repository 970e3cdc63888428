import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import type { ProjectConfig, Settings } from "#config";
import {
  createSecretBox,
  type SecretBox,
  type SecretKey,
  secretKeyInvalid,
  type SecretKeys,
  secretKeyMissing,
} from "#outbox";

const KEY_BYTES = 32;
const OTHERS = 0o077;
/** What a secret is for is authenticated with it: none passes for another. */
type SecretPurpose = "webhook secret" | "push secret" | "task secret" | "task token";

/** File of the machine user's keys, one in base64 a line, the one that seals first; undefined without a home folder. */
export function secretKeyFile({ homeFolder }: Pick<Settings, "homeFolder">): string | undefined {
  return homeFolder === undefined ? undefined : join(homeFolder, ".config", "esteira", "secrets.key");
}

/**
 * What seals the secrets of a store: `ESTEIRA_SECRETS_KEY`, else the key file, which is made when a secret is first
 * sealed.
 */
export function openSecretBox(
  config: Pick<ProjectConfig, "storeFolder">,
  settings: Settings,
  purpose: SecretPurpose = "webhook secret",
): SecretBox {
  return createSecretBox({ purpose, keys: (use) => readKeys(config, settings, use) });
}

async function readKeys(
  { storeFolder }: Pick<ProjectConfig, "storeFolder">,
  settings: Settings,
  use: "seal" | "open",
): Promise<SecretKeys | undefined> {
  if (settings.secretsKey !== undefined) {
    const from = "ESTEIRA_SECRETS_KEY";
    return { all: parseKeys(settings.secretsKey.split(","), from), from };
  }
  const file = secretKeyFile(settings);
  if (file === undefined) throw secretKeyMissing({ reason: "this user has no home folder" });
  // A copy of the store would bring its key along.
  if (resolve(file).startsWith(resolve(storeFolder) + sep))
    throw secretKeyMissing({ reason: `${file} lies in the store that it is to protect` });
  const all = await readKeyFile(file, use);
  return all === undefined ? undefined : { all, from: file };
}

async function readKeyFile(file: string, use: "seal" | "open"): Promise<SecretKeys["all"] | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw secretKeyInvalid({ from: file, problem: error.message }, error);
  });
  if (text === undefined && use === "open") return undefined;
  if (text === undefined) {
    const key = randomBytes(KEY_BYTES);
    const isFirst = await writeKeyFile(file, [key], "new");
    return isFirst ? [key] : readKeyFile(file, use);
  }
  if (((await stat(file)).mode & OTHERS) !== 0)
    throw secretKeyInvalid({ from: file, problem: "others may read it; run: chmod 600 on it" });
  return parseKeys(text.split("\n"), file);
}

/** Whole or not at all. @returns false when another process made a new one first */
async function writeKeyFile(file: string, keys: readonly SecretKey[], how: "new" | "replace"): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const partial = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(partial, `${keys.map((key) => key.toString("base64")).join("\n")}\n`, { mode: 0o600, flush: true });
  if (how === "replace") {
    await rename(partial, file);
    return true;
  }
  try {
    await link(partial, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(partial, { force: true });
  }
}

function parseKeys(lines: readonly string[], from: string): SecretKeys["all"] {
  const [first, ...others] = lines.flatMap((line) => (line.trim() === "" ? [] : [Buffer.from(line.trim(), "base64")]));
  if (first === undefined) throw secretKeyInvalid({ from, problem: "it holds no key" });
  if ([first, ...others].some((key) => key.length !== KEY_BYTES))
    throw secretKeyInvalid({ from, problem: `each key has ${KEY_BYTES} bytes in base64` });
  return [first, ...others];
}

/**
 * Puts a new key before those of the key file, which stay: backups need them. Nothing where the environment holds the
 * keys: whoever sets it puts the new one first.
 */
export async function addSecretKey(config: Pick<ProjectConfig, "storeFolder">, settings: Settings): Promise<void> {
  const found = await readKeys(config, settings, "open");
  const file = secretKeyFile(settings);
  if (settings.secretsKey !== undefined || file === undefined) return;
  await writeKeyFile(file, [randomBytes(KEY_BYTES), ...(found?.all ?? [])], "replace");
}

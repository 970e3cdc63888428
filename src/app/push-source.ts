import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createPushHandler, installPushHook, type PushAnswer, type PushRequest } from "#delivery";
import type { StepKind } from "#pipeline";
import type { Parts } from "./parts.ts";

/** Which repository's pushes trigger the project, kept in the store's folder, readable by its owner alone. */
interface PushSource {
  readonly format: "push-source/1";
  readonly repository: string;
  readonly branch: string;
  readonly subfolder?: string | undefined;
  readonly secret: string;
}

const FILE = "push-source.json";

/**
 * Installs the hook and remembers the secret that it signs with. Idempotent; the secret is kept. @throws
 * DELIVERY_HOOK_EXISTS
 */
export async function installPushSource(
  { config }: Parts,
  request: {
    readonly repository: string;
    readonly url: string;
    readonly branch: string;
    readonly subfolder?: string | undefined;
  },
): Promise<void> {
  const known = await readPushSource(config.storeFolder);
  const source: PushSource = {
    format: "push-source/1",
    ...request,
    repository: resolve(request.repository),
    secret: known?.secret ?? randomBytes(32).toString("base64url"),
  };
  await installPushHook(source.repository, `${request.url}/hooks/push`, source.secret);
  await mkdir(config.storeFolder, { recursive: true });
  const partial = join(config.storeFolder, `${FILE}.part`);
  await writeFile(partial, JSON.stringify(source), { mode: 0o600, flush: true });
  await rename(partial, join(config.storeFolder, FILE));
}

/** What answers push events; undefined while no hook was installed. */
export async function createPushSourceHandler(
  parts: Parts,
  kinds: readonly StepKind<never>[],
): Promise<((request: PushRequest) => Promise<PushAnswer>) | undefined> {
  const source = await readPushSource(parts.config.storeFolder);
  if (source === undefined) return undefined;
  const { store, git, project, clock, config } = parts;
  const { repository, branch, subfolder, secret } = source;
  return createPushHandler({
    store,
    git,
    project,
    repository,
    subfolder,
    mainBranch: branch,
    secret,
    folder: join(config.storeFolder, "checkouts"),
    kinds,
    clock,
  });
}

async function readPushSource(storeFolder: string): Promise<PushSource | undefined> {
  const text = await readFile(join(storeFolder, FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as PushSource);
}

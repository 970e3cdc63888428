import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type CaughtUpPush,
  catchUpPushes,
  createPushHandler,
  installPushHook,
  type PushAnswer,
  type PushHandlerOptions,
  type PushRequest,
} from "#delivery";
import type { StepKind } from "#pipeline";
import { acceptsPush, type WorkflowSource } from "#workflows";
import type { Parts } from "./parts.ts";

/** Which repository's pushes trigger the project, kept in the store's folder, readable by its owner alone. */
interface PushSource {
  readonly format: "push-source/2";
  readonly repository: string;
  readonly branch: string;
  readonly subfolder?: string | undefined;
  readonly secret: string;
  /** Commit of each branch when the hook was installed: what was pushed before starts nothing. */
  readonly heads: Readonly<Record<string, string>>;
}

/** Written before pushes were looked for: without the commits. */
type PushSourceFile = PushSource | (Omit<PushSource, "format" | "heads"> & { readonly format: "push-source/1" });

const FILE = "push-source.json";

/**
 * Installs the hook and remembers the secret that it signs with. Idempotent; the secret is kept. @throws
 * DELIVERY_HOOK_EXISTS
 */
export async function installPushSource(
  { config, git }: Parts,
  request: {
    readonly repository: string;
    readonly url: string;
    readonly branch: string;
    readonly subfolder?: string | undefined;
  },
): Promise<void> {
  const known = await readPushSource(config.storeFolder, git);
  const repository = resolve(request.repository);
  const source: PushSource = {
    format: "push-source/2",
    ...request,
    repository,
    secret: known?.secret ?? randomBytes(32).toString("base64url"),
    heads: known?.repository === repository ? known.heads : await headsOf(git, repository),
  };
  await installPushHook(source.repository, `${request.url}/hooks/push`, source.secret);
  await writePushSource(config.storeFolder, source);
}

async function writePushSource(storeFolder: string, source: PushSource): Promise<void> {
  await mkdir(storeFolder, { recursive: true });
  const partial = join(storeFolder, `${FILE}.part`);
  await writeFile(partial, JSON.stringify(source), { mode: 0o600, flush: true });
  await rename(partial, join(storeFolder, FILE));
}

async function headsOf(git: Parts["git"], repository: string): Promise<Record<string, string>> {
  return Object.fromEntries((await git.branchHeads(repository)) ?? []);
}

/** What a pushed commit's pipelines are made of. */
interface PushedProject {
  readonly kinds: readonly StepKind<never>[];
  readonly workflows: WorkflowSource | undefined;
}

/** What answers push events; undefined while no hook was installed. */
export async function createPushSourceHandler(
  parts: Parts,
  pushed: PushedProject,
): Promise<((request: PushRequest) => Promise<PushAnswer>) | undefined> {
  const source = await readPushSource(parts.config.storeFolder, parts.git);
  return source === undefined ? undefined : createPushHandler(handlerOptions(parts, pushed, source));
}

/** Starts what pushes whose event never arrived would have started. Nothing while no hook was installed. */
export async function catchUpPushSource(parts: Parts, pushed: PushedProject): Promise<readonly CaughtUpPush[]> {
  const source = await readPushSource(parts.config.storeFolder, parts.git);
  return source === undefined ? [] : catchUpPushes(handlerOptions(parts, pushed, source), source.heads);
}

function handlerOptions(parts: Parts, pushed: PushedProject, source: PushSource): PushHandlerOptions {
  const { store, git, project, clock, config } = parts;
  const { repository, branch, subfolder, secret } = source;
  return {
    store,
    git,
    project,
    repository,
    subfolder,
    mainBranch: branch,
    secret,
    folder: join(config.storeFolder, "checkouts"),
    kinds: pushed.kinds,
    source: pushed.workflows,
    accepts: acceptsPush,
    clock,
  };
}

async function readPushSource(storeFolder: string, git: Parts["git"]): Promise<PushSource | undefined> {
  const text = await readFile(join(storeFolder, FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const file = JSON.parse(text) as PushSourceFile;
  if (file.format === "push-source/2") return file;
  const source: PushSource = { ...file, format: "push-source/2", heads: await headsOf(git, file.repository) };
  await writePushSource(storeFolder, source);
  return source;
}

import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isEsteiraError } from "#base";
import {
  type CaughtUpPush,
  catchUpPushes,
  createPushHandler,
  installPushHook,
  type PushAnswer,
  type PushedRepository,
  type PullRequestOptions,
  type PushRequest,
} from "#delivery";
import { isSealed, type SecretBox, secretKeyMissing, secretUnreadable } from "#outbox";
import type { StepKind } from "#pipeline";
import { acceptsPush, type WorkflowSource } from "#workflows";
import { knownExecutors } from "./examine-executors.ts";
import type { Parts } from "./parts.ts";

/** Which repository's pushes trigger the project, kept in the store's folder, readable by its owner alone. */
interface PushSource {
  readonly format: "push-source/3";
  readonly repository: string;
  readonly branch: string;
  readonly subfolder?: string | undefined;
  /** Sealed; as it is where it could not be, until it can. */
  readonly secret: string;
  /** Commit of each branch when the hook was installed: what was pushed before starts nothing. */
  readonly heads: Readonly<Record<string, string>>;
}

/** 2: the secret in the clear. 1, before pushes were looked for: also without the commits. */
type PushSourceFile =
  | (Omit<PushSource, "format"> & { readonly format: "push-source/2" | "push-source/3" })
  | (Omit<PushSource, "format" | "heads"> & { readonly format: "push-source/1" });

/** The parts of a process, and what its secrets are sealed with. */
type PushParts = Parts & { readonly pushSecrets: SecretBox };

const FILE = "push-source.json";

/**
 * Installs the hook and remembers the secret that it signs with. Idempotent; the secret is kept. @throws
 * DELIVERY_HOOK_EXISTS, OUTBOX_SECRET_KEY_MISSING, OUTBOX_SECRET_KEY_INVALID
 */
export async function installPushSource(
  { config, git, pushSecrets }: PushParts,
  request: {
    readonly repository: string;
    readonly url: string;
    readonly branch: string;
    readonly subfolder?: string | undefined;
  },
): Promise<void> {
  const known = await readPushSource({ config, git, pushSecrets });
  const repository = resolve(request.repository);
  const secret = (await knownSecret(known, pushSecrets)) ?? randomBytes(32).toString("base64url");
  const source: PushSource = {
    format: "push-source/3",
    ...request,
    repository,
    secret: await pushSecrets.seal(secret),
    heads: known?.repository === repository ? known.heads : await headsOf(git, repository),
  };
  await installPushHook(source.repository, `${request.url}/hooks/push`, secret);
  await writePushSource(config.storeFolder, source);
}

/** Undefined where its key is gone: the hook is written anew with another. */
async function knownSecret(known: PushSource | undefined, pushSecrets: SecretBox): Promise<string | undefined> {
  if (known === undefined) return undefined;
  return pushSecrets.open(known.secret).catch((error: unknown) => {
    if (isEsteiraError(error, secretUnreadable.code)) return undefined;
    throw error;
  });
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
  readonly pullRequests: PullRequestOptions;
}

/** What answers push events; undefined while no hook was installed. */
export async function createPushSourceHandler(
  parts: PushParts,
  pushed: PushedProject,
): Promise<((request: PushRequest) => Promise<PushAnswer>) | undefined> {
  const source = await readPushSource(parts);
  if (source === undefined) return undefined;
  const secret = await parts.pushSecrets.open(source.secret);
  return createPushHandler({ ...handlerOptions(parts, pushed, source), secret });
}

/** Starts what pushes whose event never arrived would have started. Nothing while no hook was installed. */
export async function catchUpPushSource(parts: PushParts, pushed: PushedProject): Promise<readonly CaughtUpPush[]> {
  const source = await readPushSource(parts);
  return source === undefined ? [] : catchUpPushes(handlerOptions(parts, pushed, source), source.heads);
}

function handlerOptions(parts: Parts, pushed: PushedProject, source: PushSource): PushedRepository {
  const { store, git, project, clock, config } = parts;
  const { repository, branch, subfolder } = source;
  return {
    store,
    git,
    project,
    repository,
    subfolder,
    mainBranch: branch,
    folder: join(config.storeFolder, "checkouts"),
    kinds: pushed.kinds,
    executors: knownExecutors(parts.executors),
    source: pushed.workflows,
    pools: parts.config.pools,
    accepts: acceptsPush,
    pullRequests: pushed.pullRequests,
    clock,
  };
}

/**
 * Seals the secret with the key that seals now.
 *
 * @returns whether there was one that was not
 * @throws OUTBOX_SECRET_UNREADABLE
 */
export async function renewPushSecret(storeFolder: string, pushSecrets: SecretBox): Promise<boolean> {
  const file = await readFileOf(storeFolder);
  if (file?.format !== "push-source/3" || (await pushSecrets.isCurrent(file.secret))) return false;
  const secret = await pushSecrets.seal(await pushSecrets.open(file.secret));
  await writePushSource(storeFolder, { ...file, format: "push-source/3", secret });
  return true;
}

async function readPushSource({
  config: { storeFolder },
  git,
  pushSecrets,
}: Pick<PushParts, "config" | "git" | "pushSecrets">): Promise<PushSource | undefined> {
  const file = await readFileOf(storeFolder);
  if (file === undefined) return undefined;
  const format = "push-source/3";
  if (file.format === format && isSealed(file.secret)) return { ...file, format };
  const heads = file.format === "push-source/1" ? await headsOf(git, file.repository) : file.heads;
  // A user without a place for keys goes on with what there is, as before.
  const secret = isSealed(file.secret)
    ? file.secret
    : await pushSecrets.seal(file.secret).catch((error: unknown) => {
        if (isEsteiraError(error, secretKeyMissing.code)) return file.secret;
        throw error;
      });
  const source: PushSource = { ...file, format, heads, secret };
  await writePushSource(storeFolder, source);
  return source;
}

/** The repository whose pushes start pipelines; undefined while no hook was installed. */
export async function pushedRepositoryOf(storeFolder: string): Promise<string | undefined> {
  return (await readFileOf(storeFolder))?.repository;
}

async function readFileOf(storeFolder: string): Promise<PushSourceFile | undefined> {
  const text = await readFile(join(storeFolder, FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as PushSourceFile);
}

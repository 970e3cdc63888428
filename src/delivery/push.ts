import { join } from "node:path";
import { z } from "zod";
import { assertJsonDepth, type Clock, digestOf, newId } from "#base";
import { appendEvent, type MetadataStore } from "#metadata-store";
import { getLatestPush, getPushDelivery, insertPushDelivery, queueCommitChecks } from "#metadata-store/delivery";
import type { Git } from "#executors";
import {
  type KnownExecutor,
  assertValid,
  loadProjectPipelines,
  type PipelineDefinition,
  type PipelineSource,
  type Pools,
  type StepKind,
} from "#pipeline";
import { fireTrigger, registerPipelines } from "#engine";
import { type PullRequestOptions, receivePullRequest } from "./pull-request.ts";
import { isPullRequestEvent } from "./pull-request-event.ts";
import { identifySender } from "./push-sender.ts";
import { pushInvalid } from "./errors.ts";

/** A request as any HTTP server can hand it on. */
export interface PushRequest {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The bytes as they were sent: the signature is over them. */
  readonly body: Uint8Array;
}

export interface PushAnswer {
  readonly status: number;
  readonly json: { readonly commit?: string; readonly pipelineRuns?: readonly string[]; readonly ignored?: string };
}

export interface PushedRepository {
  readonly store: MetadataStore;
  readonly git: Git;
  readonly project: string;
  /** Where commits are fetched from; never what a request says. */
  readonly repository: string;
  /** Folder of `esteira.yaml` in the repository; default its root. */
  readonly subfolder?: string | undefined;
  /** Branch whose pipelines are the project's current ones. */
  readonly mainBranch: string;
  /** Who moved a branch to a commit, where the repository notes it. Default: nobody knows. */
  readonly pusherOf?: (branch: string, commit: string) => Promise<string | undefined>;
  /** Where commits are checked out: `<store>/checkouts`. */
  readonly folder: string;
  readonly kinds: readonly StepKind<never>[];
  /** Of pipelines beside those of the folder `pipelines`. */
  readonly source?: PipelineSource | undefined;
  /** Of `esteira.yaml`. */
  readonly pools?: Pools | undefined;
  /** Where steps can run beside `local`. */
  readonly executors?: readonly KnownExecutor[];
  /** Whether a pipeline that subscribes to pushes is for this one. Default: for every push of a branch. */
  readonly accepts?: (definition: PipelineDefinition, pushed: PushedCommit) => boolean;
  /** Default: those from other repositories start nothing. */
  readonly pullRequests?: PullRequestOptions;
  readonly clock: Clock;
}

export interface PushHandlerOptions extends PushedRepository {
  /** Shared with the sender. */
  readonly secret: string;
}

/** What was pushed: a branch or a tag. */
export interface PushedCommit {
  readonly branch?: string;
  readonly tag?: string;
  /** Project-relative files that differ from the commit before; undefined when they are not known. */
  readonly changed?: readonly string[] | undefined;
}

const person = z.string().min(1).max(200);

const pushSchema = z.object({
  ref: z.string().min(1),
  before: z
    .string()
    .regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)
    .optional(),
  after: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
  deleted: z.boolean().optional(),
  /** GitHub's has a name; Gitea's and Forgejo's are users. */
  pusher: z.object({ name: person, username: person, login: person }).partial().optional(),
  /** GitLab's. */
  user_username: person.optional(),
});

const NO_COMMIT = /^0+$/;

/**
 * Answers push events of GitHub, GitLab, Gitea and Forgejo: queues the pipelines with `on: { push: BRANCH }` on a
 * checkout of the pushed commit. A push to the main branch makes that commit's pipelines the project's current ones
 * first; a mistake in them refuses the push event and starts nothing.
 *
 * The same delivery twice is one push. Events of pull requests: see `receivePullRequest`. Others are answered
 * and ignored.
 *
 * @throws DELIVERY_PUSH_UNSIGNED, DELIVERY_PUSH_INVALID, DELIVERY_PULL_REQUEST_INVALID, PIPELINE_DEFINITION_INVALID,
 *   EXECUTORS_GIT_FAILED
 */
export function createPushHandler(options: PushHandlerOptions): (request: PushRequest) => Promise<PushAnswer> {
  return async (request) => {
    const sender = identifySender(request, options.secret);
    if (isPullRequestEvent(sender.event)) return receivePullRequest(request, sender, options);
    if (!sender.isPush) return { status: 200, json: { ignored: `event ${sender.event}` } };
    const push = parsePush(request.body);
    const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/.exec(push.ref) ?? [];
    if (name === undefined || push.deleted === true || NO_COMMIT.test(push.after))
      return { status: 200, json: { ignored: `${push.ref} carries no commit of a branch or tag` } };
    const id = sender.delivery ?? digestOf(request.body);
    const known = await options.store.read((transaction) =>
      getPushDelivery(transaction, { project: options.project, id }),
    );
    if (known !== undefined) return { status: 200, json: known.answer };
    const facts = { id, commit: push.after, before: push.before, pusher: pusherOf(push) };
    return startPipelines(kind === "tags" ? { ...facts, tag: name } : { ...facts, branch: name }, options);
  };
}

/** A push that nobody announced, and what it started; `error` where its pipelines could not be read or fetched. */
export interface CaughtUpPush {
  readonly branch: string;
  readonly commit: string;
  readonly pipelineRuns: readonly string[];
  readonly error?: unknown;
}

/**
 * Finds the pushes whose event never arrived, made while no server listened or with a wrong address in the hook, and
 * treats each branch's newest commit as pushed now. Commits between are passed over, as if they were one push. Branches
 * that are gone start nothing, and neither do commits made in a work tree.
 *
 * The delivery carries the id that the repository's own hook gives a push from the known commit to the newest one, so
 * an event that arrives late all the same is the same delivery.
 *
 * @param known commit of each branch when the hook was installed
 * @throws EXECUTORS_GIT_FAILED when the repository cannot be read
 */
export async function catchUpPushes(
  options: PushedRepository,
  known: Readonly<Record<string, string>>,
): Promise<readonly CaughtUpPush[]> {
  const { store, project, git, repository } = options;
  const caught: CaughtUpPush[] = [];
  for (const [branch, commit] of (await git.branchHeads(repository)) ?? []) {
    const latest = await store.read((transaction) => getLatestPush(transaction, { project, branch }));
    const before = latest?.commit ?? (Object.hasOwn(known, branch) ? known[branch] : undefined);
    if (before === commit) continue;
    const id = [`refs/heads/${branch}`, before ?? "0".repeat(commit.length), commit].join(" ");
    try {
      const pusher = (await options.pusherOf?.(branch, commit)) ?? "git";
      const { json } = await startPipelines({ id, branch, commit, before, pusher, isSeen: true }, options);
      caught.push({ branch, commit, pipelineRuns: json.pipelineRuns ?? [] });
    } catch (error) {
      caught.push({ branch, commit, pipelineRuns: [], error });
    }
  }
  return caught;
}

/**
 * Queues what a moved branch or tag starts. The same `id` twice is one push, unless the branch is seen to have moved so
 * again.
 *
 * @throws PIPELINE_DEFINITION_INVALID, EXECUTORS_GIT_FAILED
 */
export async function startPipelines(
  push: {
    readonly id: string;
    readonly branch?: string;
    readonly tag?: string;
    readonly commit: string;
    readonly before?: string | undefined;
    readonly pusher: string;
    /** The repository says so itself: nobody repeats what was said before. */
    readonly isSeen?: boolean;
  },
  options: PushedRepository,
): Promise<PushAnswer> {
  const { store, project, clock } = options;
  const { branch, tag, commit, pusher } = push;
  const subject = branch ?? tag ?? "";
  const checkout = join(options.folder, project, commit);
  await options.git.checkout({ repository: options.repository, commit, folder: checkout });
  const folder = options.subfolder === undefined ? checkout : join(checkout, options.subfolder);
  if (branch === options.mainBranch) {
    const { pipelines } = assertValid(
      await loadProjectPipelines({
        project,
        projectFolder: folder,
        kinds: options.kinds,
        source: options.source,
        pools: options.pools,
        executors: options.executors,
      }),
    );
    await registerPipelines(store, { project, pipelines, actor: pusher, atMs: clock.now() });
  }
  const changed = await changedFiles(push, options);
  const pushed: PushedCommit =
    tag === undefined ? { branch: subject, changed } : { tag, ...(changed === undefined ? {} : { changed }) };
  const accepts = options.accepts ?? (() => tag === undefined);
  return store.write(async (transaction) => {
    const atMs = clock.now();
    const ref = tag === undefined ? subject : `refs/tags/${tag}`;
    const raced = await getPushDelivery(transaction, { project, id: push.id });
    const latest = raced === undefined ? undefined : await getLatestPush(transaction, { project, branch: ref });
    const isAgain = push.isSeen === true && latest !== undefined && latest.commit !== commit;
    if (raced !== undefined && !isAgain) return { status: 200, json: raced.answer };
    const id = raced === undefined ? push.id : `${push.id} ${newId(atMs)}`;
    const pipelineRuns = await fireTrigger(transaction, {
      project,
      on: "push",
      subject,
      cause: { ...(tag === undefined ? { branch: subject } : { tag }), commit, pusher, delivery: id },
      atMs,
      actor: pusher,
      source: { folder, commit },
      accepts: (definition) => accepts(definition, pushed),
    });
    await queueCommitChecks(transaction, { project, commit, pipelineRunIds: pipelineRuns, atMs });
    const answer = { commit, pipelineRuns };
    await insertPushDelivery(transaction, { project, id, branch: ref, commit, pusher, atMs, answer });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "push.received",
      subjectKind: "push",
      subject: ref,
      actor: pusher,
      data: { commit, pipelineRuns },
    });
    return { status: 202, json: answer };
  });
}

/** Files of the project that a push changed; undefined where that cannot be told: a new branch, another machine. */
async function changedFiles(
  { before, commit }: { readonly before?: string | undefined; readonly commit: string },
  { git, repository, subfolder }: PushedRepository,
): Promise<readonly string[] | undefined> {
  if (before === undefined || NO_COMMIT.test(before)) return undefined;
  const changed = await git.changedFiles(repository, { from: before, to: commit });
  if (changed === undefined || subfolder === undefined) return changed;
  const prefix = `${subfolder}/`;
  return changed.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
}

function pusherOf({ pusher, user_username }: z.output<typeof pushSchema>): string {
  return pusher?.name ?? pusher?.username ?? pusher?.login ?? user_username ?? "git";
}

function parsePush(body: Uint8Array): z.output<typeof pushSchema> {
  let value: unknown;
  try {
    const text = Buffer.from(body).toString("utf8");
    assertJsonDepth(text);
    value = JSON.parse(text);
  } catch (error) {
    throw pushInvalid({ problem: `it is no JSON (${(error as Error).message})` }, error);
  }
  const parsed = pushSchema.safeParse(value);
  if (!parsed.success)
    throw pushInvalid({
      problem: parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "),
    });
  return parsed.data;
}

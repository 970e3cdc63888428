import { join } from "node:path";
import { digestOf } from "#base";
import { appendEvent, type WriteTransaction } from "#metadata-store";
import {
  getPushDelivery,
  insertPushDelivery,
  listChecksOf,
  queueCommitChecks,
  savePullRequest,
} from "#metadata-store/delivery";
import { requestCancel } from "#metadata-store/engine";
import { fireTrigger } from "#engine";
import type { PipelineDefinition } from "#pipeline";
import { parsePullRequest, previewNameOf, type PullRequestEvent } from "./pull-request-event.ts";
import type { PushAnswer, PushedRepository, PushRequest } from "./push.ts";

/** What happened to a pull request, as pipelines ask for it. */
export interface ToldPullRequest {
  readonly action: NonNullable<PullRequestEvent["action"]>;
  /** The branch that it is to be merged into. */
  readonly base: string;
}

/** What becomes of pull requests. */
export interface PullRequestOptions {
  /** What becomes of those from other repositories: `run` in a sandbox with nothing of the project, or nothing. */
  readonly outside: "run" | "ignore";
  /** Further says which of the pipelines that subscribe are meant. Default: all of them. */
  readonly accepts?: (definition: PipelineDefinition, told: ToldPullRequest) => boolean;
  /** Tells that something of a preview may be left to remove. */
  readonly changed?: () => void;
}

/**
 * Answers the event of a pull request: queues the pipelines with `on: { pull_request: BRANCH }` of the project, as its
 * main branch has them, on a checkout of its newest commit. What they make and deploy belongs to its preview. Runs of
 * commits before end; a closed pull request has none left but those that it started by closing.
 *
 * Branch, title and author are what anybody wrote: they are kept as facts and name nothing.
 *
 * @throws DELIVERY_PULL_REQUEST_INVALID, EXECUTORS_GIT_FAILED
 */
export async function receivePullRequest(
  { body }: PushRequest,
  sender: { readonly event: string; readonly delivery: string | undefined },
  options: PushedRepository,
): Promise<PushAnswer> {
  const told = parsePullRequest(body, sender.event);
  const { store, project, pullRequests = { outside: "ignore" } } = options;
  if (told.action === undefined && told.state === "open")
    return { status: 200, json: { ignored: `nothing that starts pipelines happened to pull request ${told.number}` } };
  if (told.isOutside && pullRequests.outside === "ignore" && told.state === "open")
    return { status: 200, json: { ignored: `pull request ${told.number} is from another repository` } };
  const id = `pull request:${sender.delivery ?? digestOf(body)}`;
  const known = await store.read((transaction) => getPushDelivery(transaction, { project, id }));
  if (known !== undefined) return { status: 200, json: known.answer };
  const folder = await checkOut(told, options);
  const answer = await store.write((transaction) => start(transaction, { told, id, folder }, options));
  pullRequests.changed?.();
  return answer;
}

async function checkOut(told: PullRequestEvent, options: PushedRepository): Promise<string | undefined> {
  const { git, repository, folder, project, subfolder } = options;
  // The commit of a closed one may be gone with its branch, and nothing may need it.
  const isNeeded = told.state === "open";
  const checkout = join(folder, project, told.commit);
  try {
    await git.checkout({ repository, commit: told.commit, folder: checkout, ref: told.ref });
  } catch (error) {
    if (isNeeded) throw error;
    return undefined;
  }
  return subfolder === undefined ? checkout : join(checkout, subfolder);
}

async function start(
  transaction: WriteTransaction,
  facts: { readonly told: PullRequestEvent; readonly id: string; readonly folder: string | undefined },
  options: PushedRepository,
): Promise<PushAnswer> {
  const { told, id, folder } = facts;
  const { project, clock, pullRequests } = options;
  const atMs = clock.now();
  const raced = await getPushDelivery(transaction, { project, id });
  if (raced !== undefined) return { status: 200, json: raced.answer };
  const actor = told.author === "" ? "git" : told.author;
  const preview = previewNameOf(told);
  const { number, commit, isOutside, action } = told;
  await savePullRequest(transaction, { ...told, project, preview, atMs });
  await endEarlierRuns(transaction, { project, number, actor, atMs });
  const pipelineRuns =
    action === undefined || folder === undefined
      ? []
      : await fireTrigger(transaction, {
          project,
          on: "pull_request",
          subject: told.base,
          cause: causeOf(told, { preview, delivery: id }),
          atMs,
          actor,
          source: { folder, commit },
          accepts: (definition) => pullRequests?.accepts?.(definition, { action, base: told.base }) ?? true,
        });
  await queueCommitChecks(transaction, { project, commit, pipelineRunIds: pipelineRuns, pullRequest: number, atMs });
  const answer = { commit, pipelineRuns };
  await insertPushDelivery(transaction, {
    project,
    id,
    branch: `refs/pull/${number}`,
    commit,
    pusher: actor,
    atMs,
    answer,
  });
  await appendEvent(transaction, {
    atMs,
    project,
    type: "pull_request.received",
    subjectKind: "pull_request",
    subject: String(number),
    actor,
    data: { action: action ?? told.state, commit, isOutside, pipelineRuns },
  });
  return { status: 202, json: answer };
}

/** `trigger.…` in pipelines. */
function causeOf(
  told: PullRequestEvent,
  { preview, delivery }: { readonly preview: string; readonly delivery: string },
): object {
  return {
    number: told.number,
    action: told.action,
    title: told.title,
    author: told.author,
    branch: told.branch,
    base: told.base,
    commit: told.commit,
    url: told.url,
    merged: told.state === "merged",
    outside: told.isOutside,
    preview,
    delivery,
  };
}

async function endEarlierRuns(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly number: number; readonly actor: string; readonly atMs: number },
): Promise<void> {
  const { project, number, actor, atMs } = of;
  for (const run of await listChecksOf(transaction, { project, pullRequest: number })) {
    if (["succeeded", "failed", "cancelled"].includes(run.status)) continue;
    const reason = `pull request ${number} has gone on`;
    await requestCancel(transaction, { id: run.pipelineRunId, actor, reason, atMs });
  }
}

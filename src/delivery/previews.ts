import { type Clock, type Log, messageOf, nearestName } from "#base";
import { appendEvent, dropAsset, listAssets, type MetadataStore } from "#metadata-store";
import {
  getPullRequest,
  listChecksOf,
  listDeployed,
  listPullRequests,
  markPreviewRemoved,
  type PullRequest,
} from "#metadata-store/delivery";
import { requestCancel } from "#metadata-store/engine";
import { environmentOfPreview, projectOfPreview } from "#pipeline";
import type { Delivery } from "./delivery.ts";
import { previewMissing } from "./errors.ts";

const PAGE = 1000;
const ENDED = ["succeeded", "failed", "cancelled"];

export interface PreviewsOptions {
  readonly store: MetadataStore;
  readonly project: string;
  readonly delivery: Delivery;
  /** One that nobody told of for so long is removed, as if its pull request were closed. */
  readonly keepMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A preview with what runs of it, and where. */
export interface PreviewState {
  readonly pullRequest: PullRequest;
  readonly environment: string;
  readonly live: readonly { readonly asset: string; readonly versionId: string; readonly sinceMs: number }[];
  readonly runs: Awaited<ReturnType<typeof listChecksOf>>;
}

/**
 * What pull requests have running, and its end. Looks at the store alone: whoever dies in the middle is followed by
 * whoever looks next.
 */
export interface Previews {
  list(): Promise<readonly PreviewState[]>;
  /** Removes what is left of closed and forgotten pull requests; how many previews are gone. */
  sweep(): Promise<number>;
  /**
   * Ends the runs of an open one and removes what it has; the next commit makes it anew.
   *
   * @throws DELIVERY_PREVIEW_MISSING
   */
  remove(name: string, actor: string): Promise<void>;
}

export function createPreviews(options: PreviewsOptions): Previews {
  const { store, project, clock, keepMs, log } = options;
  const left = (): Promise<readonly PullRequest[]> =>
    store.read((transaction) => listPullRequests(transaction, { project, isLeft: true, limit: PAGE }));
  return {
    list: async () => Promise.all((await left()).map((pullRequest) => describe(pullRequest, options))),
    async sweep() {
      let gone = 0;
      for (const pullRequest of await left()) {
        const isForgotten = clock.now() - pullRequest.updatedAtMs > keepMs;
        if (pullRequest.state === "open" && !isForgotten) continue;
        try {
          if (isForgotten) await endRuns(pullRequest, "engine", options);
          if (await removePreview(pullRequest, "engine", options)) gone++;
        } catch (error) {
          log.warn("a preview could not be removed", { preview: pullRequest.preview, reason: messageOf(error) });
        }
      }
      return gone;
    },
    async remove(name, actor) {
      const all = await left();
      const found = all.find(({ preview }) => preview === name || `preview/${preview}` === name);
      if (found === undefined) {
        const known = all.map(({ preview }) => preview);
        throw previewMissing({ preview: name, known, nearest: nearestName(name, known) });
      }
      await endRuns(found, actor, options);
      if (!(await isShared(found, options))) await removeDeployed(found, actor, options);
      await removePreview(found, actor, options);
    },
  };
}

async function describe(pullRequest: PullRequest, { store, project }: PreviewsOptions): Promise<PreviewState> {
  const environment = environmentOfPreview({ name: pullRequest.preview });
  return store.read(async (transaction) => ({
    pullRequest,
    environment,
    live: (await listDeployed(transaction, { project, environment })).map(({ asset, versionId, atMs }) => ({
      asset,
      versionId,
      sinceMs: atMs,
    })),
    runs: await listChecksOf(transaction, { project, pullRequest: pullRequest.number }),
  }));
}

async function endRuns({ number }: PullRequest, actor: string, options: PreviewsOptions): Promise<void> {
  const { store, project, clock } = options;
  await store.write(async (transaction) => {
    for (const { pipelineRunId: id, status } of await listChecksOf(transaction, { project, pullRequest: number }))
      if (!ENDED.includes(status))
        await requestCancel(transaction, { id, actor, reason: `its preview was removed`, atMs: clock.now() });
  });
}

/** Another pull request of the same branch goes on with it. */
async function isShared({ number, preview }: PullRequest, { store, project }: PreviewsOptions): Promise<boolean> {
  const others = await store.read((transaction) =>
    listPullRequests(transaction, { project, isLeft: true, limit: PAGE }),
  );
  return others.some((other) => other.number !== number && other.preview === preview && other.state === "open");
}

/** False while a run could still deploy something: the next look finds it ended. */
async function removePreview(pullRequest: PullRequest, actor: string, options: PreviewsOptions): Promise<boolean> {
  const { store, project, clock } = options;
  const { number } = pullRequest;
  const runs = await store.read((transaction) => listChecksOf(transaction, { project, pullRequest: number }));
  if (runs.some(({ status }) => !ENDED.includes(status))) return false;
  const goesOn = await isShared(pullRequest, options);
  if (!goesOn) await removeDeployed(pullRequest, actor, options);
  return store.write(async (transaction) => {
    const atMs = clock.now();
    const now = await getPullRequest(transaction, { project, number });
    if (now?.updatedAtMs !== pullRequest.updatedAtMs) return false;
    if (!goesOn) {
      const of = projectOfPreview(project, { name: pullRequest.preview });
      // What is dropped is listed no more.
      for (let isMore = true; isMore;) {
        const assets = await listAssets(transaction, { project: of, limit: PAGE });
        for (const { asset } of assets) await dropAsset(transaction, { project: of, asset, atMs });
        isMore = assets.length === PAGE;
      }
    }
    if (!(await markPreviewRemoved(transaction, { ...now, atMs }))) return false;
    await appendEvent(transaction, {
      atMs,
      project,
      type: "preview.removed",
      subjectKind: "preview",
      subject: pullRequest.preview,
      actor,
      data: { number },
    });
    return true;
  });
}

async function removeDeployed({ preview }: PullRequest, actor: string, options: PreviewsOptions): Promise<void> {
  const { store, project, delivery } = options;
  const environment = environmentOfPreview({ name: preview });
  for (const { asset } of await store.read((transaction) => listDeployed(transaction, { project, environment })))
    await delivery.remove({ project, environment, asset, actor });
}

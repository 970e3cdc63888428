import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { createDigester, type Digest, formatQuantity } from "#base";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import { forgetPushedEvents, listPushedBatches, sumPushedEvents, takePushedBatches } from "#metadata-store/data";
import type { Problem } from "#pipeline";
import { type PushDeclaration, pushSettings } from "../../push/push-declaration.ts";
import { pushedEventsTaken, pushNoEvents } from "../../push-errors.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import type { OpenSource, Source, SourceContext, SourceReader, SourceReading } from "./source.ts";

/** What one run takes; the rest waits for the next one. */
const MOST_EVENTS = 1_000_000;
const MOST_BYTES = 256 * 2 ** 20;
const PAGE = 50;
/** Keys that are forgotten with one version: more wait for the next one. */
const MOST_FORGOTTEN = 100_000;

/** Events that were pushed over HTTP, or from a file, and wait in the metadata store. */
export function createPushSource(
  declaration: PushDeclaration,
  { capture, write, contract }: CaptureDeclaration,
  { store }: { readonly store: MetadataStore },
): Source {
  return {
    description: "pushed events",
    write: "append",
    keeps: "rows",
    analyse: () => Promise.resolve({ problems: pushProblems({ capture, write }), fingerprint: undefined }),
    async preview({ project, step }) {
      const { events, batches } = await store.read((transaction) =>
        sumPushedEvents(transaction, { project, dataset: step }),
      );
      return events === 0
        ? "no event waits"
        : `${formatQuantity(events, "event waits", "events wait")}, of ${formatQuantity(batches, "request")}`;
    },
    open: (context) => Promise.resolve(openPush({ store, declaration, hasContract: contract !== undefined }, context)),
  };
}

function pushProblems({ capture, write }: Pick<CaptureDeclaration, "capture" | "write">): Problem[] {
  const problems: Problem[] = [];
  if (write === "replace")
    problems.push({
      path: ["write"],
      message: "a run would leave only the events that it takes",
      hint: "Use write: append or { merge: KEY }.",
    });
  if (capture.allow_empty !== undefined)
    problems.push({
      path: ["capture", "allow_empty"],
      message: "a run that takes events of which none can be published is never a failure: they are in the quarantine",
      hint: "Take it out; quarantine: { max_percent } says how many may be held.",
    });
  return problems;
}

interface Opening {
  readonly store: MetadataStore;
  readonly declaration: PushDeclaration;
  /** The columns are known before the first event. */
  readonly hasContract: boolean;
}

function openPush({ store, declaration, hasContract }: Opening, context: SourceContext): OpenSource {
  const { project, step: dataset, position } = context;
  const of = { project, dataset };
  return {
    async read(reader) {
      const path = join(reader.workFolder, "pushed.ndjson");
      const written = await writeWaiting(store, of, { path, reader });
      const { ids, events, sizeBytes, digest } = written;
      if (ids.length === 0 && position.latest === undefined && !hasContract) throw pushNoEvents({ dataset });
      const name = ids.length === 0 ? "none" : `${ids[0]}${ids.length === 1 ? "" : `-${ids.at(-1)}`}`;
      return {
        files:
          ids.length === 0
            ? []
            : [
                {
                  path: `pushed/${name}`,
                  absolute: path,
                  sizeBytes,
                  mtimeMs: 0,
                  digest,
                  lineFeeds: events,
                  supersedes: [],
                  format: "ndjson",
                },
              ],
        cursor: undefined,
        moved: [],
        notes: [
          `${formatQuantity(events, "event")} of ${formatQuantity(ids.length, "request")}${written.isWhole ? "" : "; more wait for the next run"}`,
        ],
        nothingNew: "no event waits",
        take: (transaction) => take(transaction, of, { ids, rememberMs: pushSettings(declaration).rememberMs }),
      } satisfies SourceReading;
    },
    close: () => Promise.resolve(),
  };
}

/** @throws DATA_PUSHED_EVENTS_TAKEN when another run has published some of them: all would be there twice */
async function take(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly dataset: string },
  { ids, rememberMs }: { readonly ids: readonly string[]; readonly rememberMs: number },
): Promise<void> {
  if ((await takePushedBatches(transaction, { ...of, ids })) !== ids.length) throw pushedEventsTaken(of);
  await forgetPushedEvents(transaction, { ...of, beforeMs: Date.now() - rememberMs, limit: MOST_FORGOTTEN });
}

interface Written {
  readonly ids: readonly string[];
  readonly events: number;
  readonly sizeBytes: number;
  /** Of which requests they are, and of what they hold: equal events that come later are others. */
  readonly digest: Digest;
  readonly isWhole: boolean;
}

async function writeWaiting(
  store: MetadataStore,
  of: { readonly project: string; readonly dataset: string },
  { path, reader }: { readonly path: string; readonly reader: SourceReader },
): Promise<Written> {
  const file = createWriteStream(path);
  const ended = finished(file);
  ended.catch(() => {});
  const digester = createDigester();
  const ids: string[] = [];
  let [events, sizeBytes, isWhole] = [0, 0, true];
  try {
    for (let after = ""; ;) {
      reader.signal.throwIfAborted();
      const last = after;
      const page = await store.read((transaction) =>
        listPushedBatches(transaction, { ...of, after: last, limit: PAGE }),
      );
      for (const batch of page) {
        if (ids.length > 0 && (events + batch.events > MOST_EVENTS || sizeBytes + batch.sizeBytes > MOST_BYTES)) {
          isWhole = false;
          break;
        }
        ids.push(batch.id);
        events += batch.events;
        sizeBytes += batch.sizeBytes;
        digester.update(`${batch.id}\n`);
        digester.update(batch.payload);
        if (!file.write(batch.payload)) await once(file, "drain");
      }
      if (page.length < PAGE || !isWhole) break;
      after = ids.at(-1) ?? "";
      reader.progress(events, undefined, "events");
    }
    file.end();
    await ended;
    return { ids, events, sizeBytes, digest: digester.digest(), isWhole };
  } catch (error) {
    file.destroy();
    throw error;
  }
}

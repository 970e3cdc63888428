import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import type { ConsumerMessages, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import { z } from "zod";
import { digestOf, formatQuantity } from "#base";
import type { Problem } from "#pipeline";
import { sourceChanged, sourceEmpty, sourceQueryFailed, sourceUnreachable, streamGap } from "../../source-errors.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import { connectNats, type NatsDependencies, natsError } from "./nats-connection.ts";
import type { NatsDeclaration } from "./nats-declaration.ts";
import type { OpenSource, Source, SourceContext, SourceReader, SourceReading } from "./source.ts";

const cursorSchema = z.object({
  format: z.literal("nats-stream/1"),
  source: z.string(),
  /** When the stream was made: another one of its name counts anew. */
  created: z.string(),
  /** Sequence of the last message that was looked at. */
  sequence: z.int(),
  /** Digest under which the ledger has what was read last; its path there says how far the stream was read. */
  file: z.string(),
});

type NatsCursor = z.infer<typeof cursorSchema>;

const MOST_MESSAGES = 1_000_000;
const MOST_BYTES = 256 * 2 ** 20;
const MOST_BATCH = 5000;
/** They are in memory together, by the mean of the stream. */
const BATCH_BYTES = 16 * 2 ** 20;
const BATCH_LIMIT_MS = 5000;
const PROGRESS_EVERY = 10_000;
const UP_TO = " up to ";
const NANOS_PER_MS = 1_000_000;
/** A consumer that nobody asks any more goes by itself. */
const CONSUMER_LIFE_MS = 60_000;

/** Columns beside those of the messages. */
const [SEQUENCE, SUBJECT, TIME] = ["nats_sequence", "nats_subject", "nats_time"];

/** Messages of a stream of NATS JetStream. */
export function createNatsSource(
  declaration: NatsDeclaration,
  write: CaptureDeclaration["write"],
  dependencies: NatsDependencies,
): Source {
  const { servers, stream, subject } = declaration;
  const description = `nats ${[servers].flat()[0]} ${stream}${subject === undefined ? "" : ` (${[subject].flat().join(", ")})`}`;
  return {
    description,
    write: "append",
    duplicates: "last",
    // The stream may let go of messages.
    keeps: "rows",
    analyse: () => Promise.resolve({ problems: natsProblems(write), fingerprint: undefined }),
    async preview({ position }) {
      const last = cursorSchema.safeParse(await position.cursor()).data;
      return last === undefined ? `${description}: all messages` : `${description}: messages after ${last.sequence}`;
    },
    open: (context) => Promise.resolve(openStream(declaration, dependencies, { description, context })),
  };
}

function natsProblems(write: CaptureDeclaration["write"]): Problem[] {
  if (write !== "replace") return [];
  return [
    {
      path: ["write"],
      message: "a run would leave only the messages that are new",
      hint: "Use write: append or { merge: KEY }.",
    },
  ];
}

interface Opening {
  readonly description: string;
  readonly context: SourceContext;
}

function openStream(declaration: NatsDeclaration, dependencies: NatsDependencies, of: Opening): OpenSource {
  const source = `${of.description} (step ${of.context.step})`;
  return {
    async read(reader) {
      const connection = await connectNats(declaration, { ...dependencies, source });
      const stop = (): void => void connection.close().catch(() => {});
      reader.signal.addEventListener("abort", stop, { once: true });
      try {
        const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
        // Whether there is JetStream is told by the first question as well.
        const manager = await jetstreamManager(connection, { checkAPI: false });
        const consumers = jetstream(connection).consumers;
        return await readStream({ ...of, declaration, source, reader, manager, consumers });
      } catch (error) {
        reader.signal.throwIfAborted();
        throw natsError(source, error);
      } finally {
        reader.signal.removeEventListener("abort", stop);
        await connection.close().catch(() => {});
      }
    },
    close: () => Promise.resolve(),
  };
}

interface StreamReading extends Opening {
  readonly declaration: NatsDeclaration;
  readonly source: string;
  readonly reader: SourceReader;
  readonly manager: JetStreamManager;
  readonly consumers: {
    get(stream: string, consumer: string): Promise<{ fetch(of: object): Promise<ConsumerMessages> }>;
  };
}

async function readStream(reading: StreamReading): Promise<SourceReading> {
  const { declaration, description, context, reader, source } = reading;
  const { stream, messages: most = MOST_MESSAGES } = declaration;
  const { created, first, end, batch } = await findStream(reading);
  const last = await lastCursor(reading, { created, end });
  const reached = last === undefined ? 0 : reachedSequence(last, context);
  const notes: string[] = [];
  if (last !== undefined && first > reached + 1) {
    const lost = { source, dataset: context.step, from: String(reached + 1), to: String(first - 1) };
    if (declaration.gaps !== "warn") throw streamGap(lost);
    notes.push(`warning: ${stream} let go of messages ${lost.from} to ${lost.to} before they were read`);
  }
  const path = join(reader.workFolder, "messages.ndjson");
  const written =
    end > reached
      ? await writeMessages(reading, { path, from: Math.max(reached + 1, first), end, most, batch })
      : NOTHING;
  const to = written.isWhole ? end : written.lastSequence;
  if (written.messages === 0) {
    if (context.position.latest === undefined) throw sourceEmpty({ source });
    const moved =
      last === undefined || to === reached ? [] : [{ digest: last.file, path: `${description}${UP_TO}${to}` }];
    return { files: [], cursor: undefined, moved, notes, nothingNew: `no new message of ${description} up to ${to}` };
  }
  const digest = digestOf(JSON.stringify([description, created, reached, to]));
  const cursor: NatsCursor = { format: "nats-stream/1", source: description, created, sequence: to, file: digest };
  return {
    files: [
      {
        path: `${description}${UP_TO}${to}`,
        absolute: path,
        sizeBytes: written.sizeBytes,
        mtimeMs: 0,
        digest,
        lineFeeds: written.messages,
        supersedes: [],
        format: "ndjson",
      },
    ],
    cursor,
    moved: [],
    notes: [
      ...notes,
      `${description}: ${formatQuantity(written.messages, "message")} after ${reached} up to ${to}${written.isWhole ? "" : "; more wait for the next run"}`,
    ],
    nothingNew: "",
  };
}

/** @throws DATA_SOURCE_QUERY_FAILED */
async function findStream({ manager, declaration, source }: StreamReading): Promise<{
  readonly created: string;
  readonly first: number;
  readonly end: number;
  /** Messages that are asked for at once. */
  readonly batch: number;
}> {
  const { stream } = declaration;
  try {
    const info = await manager.streams.info(stream);
    const { first_seq: first, last_seq: end, bytes, messages } = info.state;
    const batch = Math.ceil(Math.min(MOST_BATCH, BATCH_BYTES / Math.max(1, bytes / Math.max(1, messages))));
    return { created: String(info.created), first, end, batch };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "StreamNotFoundError") throw error;
    const names: string[] = [];
    for await (const { config } of manager.streams.list()) names.push(config.name);
    throw sourceQueryFailed({
      source,
      reason: `there is no stream ${stream}${names.length === 0 ? "" : `; there are ${names.slice(0, 20).join(", ")}`}`,
    });
  }
}

/** @throws DATA_SOURCE_CHANGED */
async function lastCursor(
  { context: { position, step }, description, declaration: { stream } }: StreamReading,
  { created, end }: { readonly created: string; readonly end: number },
): Promise<NatsCursor | undefined> {
  const saved = await position.cursor();
  const last = cursorSchema.safeParse(saved).data;
  if (saved !== undefined && last?.source !== description)
    throw sourceChanged({ dataset: step, before: last?.source ?? "another kind of source", now: description });
  if (last !== undefined && (last.created !== created || last.sequence > end))
    throw sourceChanged({
      dataset: step,
      before: `the stream ${stream} of ${last.created}`,
      now: `one of ${created}, which begins anew`,
    });
  return last;
}

/** Where nothing was found, no version says how far the stream was read: the ledger does. */
function reachedSequence({ sequence, file }: NatsCursor, { position: { ledger } }: SourceContext): number {
  const noted = Number(
    ledger
      .find(({ digest }) => digest === file)
      ?.path.split(UP_TO)
      .at(-1),
  );
  return Number.isSafeInteger(noted) && noted > sequence ? noted : sequence;
}

interface Written {
  readonly messages: number;
  readonly sizeBytes: number;
  readonly lastSequence: number;
  /** Everything up to the end was looked at. */
  readonly isWhole: boolean;
}

const NOTHING: Written = { messages: 0, sizeBytes: 0, lastSequence: 0, isWhole: true };

interface Span {
  readonly path: string;
  readonly from: number;
  readonly end: number;
  readonly most: number;
  readonly batch: number;
}

/** @throws DATA_SOURCE_UNREACHABLE when a message is missing among those that came */
async function writeMessages(reading: StreamReading, { path, from, end, most, batch }: Span): Promise<Written> {
  const { manager, consumers, declaration, reader, source } = reading;
  const { stream, subject } = declaration;
  const { AckPolicy, DeliverPolicy } = await import("@nats-io/jetstream");
  const made = await manager.consumers.add(stream, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
    inactive_threshold: CONSUMER_LIFE_MS * NANOS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
    ...(subject === undefined
      ? {}
      : typeof subject === "string" || subject.length === 1
        ? { filter_subject: [subject].flat()[0] ?? "" }
        : { filter_subjects: [...subject] }),
  });
  const file = createWriteStream(path);
  const ended = finished(file);
  ended.catch(() => {});
  let [count, sizeBytes, lastSequence, isWhole] = [0, 0, 0, true];
  /** False: it is of the next run. */
  const take = (message: JsMsg): boolean => {
    if (message.seq > end) return false;
    if (message.info.deliverySequence !== count + 1)
      throw sourceUnreachable({ source, reason: `a message before ${message.seq} was lost on the way` });
    if (count >= most || sizeBytes > MOST_BYTES) {
      isWhole = false;
      return false;
    }
    const line = lineOf(message);
    count++;
    sizeBytes += Buffer.byteLength(line);
    lastSequence = message.seq;
    file.write(line);
    if (count % PROGRESS_EVERY === 0) reader.progress(count, undefined, "messages");
    return true;
  };
  try {
    const consumer = await consumers.get(stream, made.name);
    for (let left: boolean | "look" = made.num_pending > 0; left !== false;) {
      left = await takeBatch(await consumer.fetch({ max_messages: batch, expires: BATCH_LIMIT_MS }), take);
      reader.signal.throwIfAborted();
      if (file.writableNeedDrain) await once(file, "drain");
      // The stream may let go of messages while they are waited for.
      if (left === "look") left = (await manager.consumers.info(stream, made.name)).num_pending > 0;
    }
    file.end();
    await ended;
    return { messages: count, sizeBytes, lastSequence, isWhole };
  } catch (error) {
    file.destroy();
    throw error;
  } finally {
    await manager.consumers.delete(stream, made.name).catch(() => {});
  }
}

/** Whether more are to come; `look`: nothing came for some time. */
async function takeBatch(batch: ConsumerMessages, take: (message: JsMsg) => boolean): Promise<boolean | "look"> {
  let taken = 0;
  for await (const message of batch) {
    if (!take(message)) return false;
    taken++;
    if (message.info.pending === 0) return false;
  }
  return taken > 0 ? true : "look";
}

/** An object with what the server says of it. What is none stays as it is, and goes to the quarantine. */
function lineOf(message: JsMsg): string {
  // Between the parts of JSON a line feed is a space; within its texts there is none.
  const text = message
    .string()
    .replaceAll(/[\r\n]+/g, " ")
    .trim();
  const keys = keysOf(text);
  if (keys === undefined) return `${text === "" ? "null" : text}\n`;
  const facts = [
    `"${SEQUENCE}": ${message.seq}`,
    `"${SUBJECT}": ${JSON.stringify(message.subject)}`,
    `"${TIME}": ${JSON.stringify(message.timestamp)}`,
  ].join(", ");
  if (keys.length === 0) return `{${facts}}\n`;
  // Of a key that is there twice the first counts: where a message is from is not for it to say.
  return keys.some((key) => FACTS.has(key.toLowerCase()))
    ? `{${facts}, ${text.slice(1)}\n`
    : `${text.slice(0, -1)}, ${facts}}\n`;
}

const FACTS: ReadonlySet<string> = new Set([SEQUENCE, SUBJECT, TIME]);

/** Undefined of what is no object. */
function keysOf(text: string): readonly string[] | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? Object.keys(value) : undefined;
  } catch {
    return undefined;
  }
}

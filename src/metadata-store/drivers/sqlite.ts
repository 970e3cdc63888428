import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { isEsteiraError, messageOf } from "#base";
import type { Database, ReadTransaction, WriteTransaction } from "../database.ts";
import { storeUnreachable, writeFailed } from "../errors.ts";
import { type MetadataStore, withUrgent } from "../metadata-store.ts";
import { migrate } from "../migrate.ts";
import { type CommitAnswer, createDurableCommits, type Flush } from "./durable-commits.ts";
import { createReadRouter } from "./read-router.ts";
import { createReaderThreads } from "./reader-threads.ts";
import { createReadingDialect, createSqliteDialect } from "./sqlite-dialect.ts";
import { createStatements } from "./sqlite-statements.ts";

const BUSY_TIMEOUT_MS = 15_000;
const LARGEST_GROUP = 256;
/** Other changes that share a commit with urgent ones: so many go on however much the engine writes. */
const BESIDE_URGENT = 16;
/** A group ends after this long, so that what becomes urgent meanwhile does not wait for hundreds of others. */
const LONGEST_GROUP_MS = 10;
const CHANGE_POLL_MS = 250;

interface PendingWrite {
  readonly work: (transaction: WriteTransaction) => Promise<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Metadata in one SQLite file (WAL): one connection writes, one reads, both on this thread, where
 * nobody else is answered while they work. Reads that take long have threads and connections of their own.
 *
 * Writes wait in two queues. The writer takes what has arrived, urgent ones first, gives each its savepoint inside one
 * transaction, commits once and answers all of them when the write-ahead log was flushed. This thread does not wait for
 * the flush: the next group is taken and committed meanwhile. Other readers may see a change before it is durable; what
 * they write then comes after it in the same log.
 *
 * @param file absolute path, made with its folder when missing
 * @param options.flush makes commits durable; default: flushes the write-ahead log
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_TOO_NEW
 */
export async function openSqliteStore(file: string, options: { readonly flush?: Flush } = {}): Promise<MetadataStore> {
  const { writer, reader } = openConnections(file);
  const writing = new Kysely<Database>({ dialect: createSqliteDialect(writer) });
  const here = createStatements(reader);
  const threads = createReaderThreads(file, { timeoutMs: BUSY_TIMEOUT_MS });
  const router = createReadRouter(here, threads);
  const readBy = (read: Parameters<typeof createReadingDialect>[0]): ReadTransaction =>
    new Kysely<Database>({ dialect: createReadingDialect(read) });
  const [reading, readingAside] = [readBy(router.read), readBy(router.readAside)];
  // Engines wait for no thread: their reads are small.
  const readingHere = readBy(async (sql, parameters) => here(sql, parameters).rows);
  await migrate(writing, "sqlite", file).catch((error: unknown) => {
    writer.close();
    reader.close();
    throw isEsteiraError(error) ? error : storeUnreachable({ store: file, reason: messageOf(error) }, error);
  });

  // From here on commits are flushed by `durable`; before, SQLite flushed them itself.
  writer.exec("pragma synchronous=normal");
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  const durable = createDurableCommits(file, notify, options.flush);
  const queue: PendingWrite[] = [];
  const urgentQueue: PendingWrite[] = [];
  let draining = false;
  let idle: Promise<void> = Promise.resolve();

  async function drain(): Promise<void> {
    while (queue.length + urgentQueue.length > 0) {
      const first = urgentQueue.splice(0, LARGEST_GROUP - BESIDE_URGENT);
      const others = queue.splice(0, first.length === 0 ? LARGEST_GROUP : BESIDE_URGENT);
      const group = [...first, ...others];
      const answers = await commitGroup(writer, writing as unknown as WriteTransaction, group);
      durable.add(answers);
      queue.unshift(...group.slice(answers.length));
      // Lets the event loop receive more requests, so that they share the next commit.
      await new Promise(setImmediate);
    }
    draining = false;
  }

  const stopPolling = pollForeignChanges(reader, listeners, notify);

  const writeTo =
    (lane: PendingWrite[]): MetadataStore["write"] =>
    (work) =>
      new Promise((resolve, reject) => {
        lane.push({ work, resolve: resolve as PendingWrite["resolve"], reject });
        if (draining) return;
        draining = true;
        idle = new Promise((done) => setImmediate(() => void drain().then(done)));
      });
  const common: Omit<MetadataStore, "read" | "write" | "urgent"> = {
    kind: "sqlite",
    readLong: (work) => work(readingAside),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      stopPolling();
      await idle;
      await durable.settled();
      await durable.close();
      await threads.close();
      writer.close();
      reader.close();
    },
  };
  return withUrgent(
    { ...common, read: (work) => work(reading), write: writeTo(queue) },
    { ...common, read: (work) => work(readingHere), write: writeTo(urgentQueue) },
  );
}

function openConnections(file: string): { writer: DatabaseSync; reader: DatabaseSync } {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Made here, so that nobody else can read it; SQLite gives its `-wal` and `-shm` the mode of the file.
    closeSync(openSync(file, "a", 0o600));
    const writer = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    writer.exec(
      "pragma journal_mode=wal; pragma synchronous=full; pragma foreign_keys=on; pragma cache_size=-65536; pragma temp_store=memory",
    );
    const reader = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    reader.exec("pragma query_only=on; pragma cache_size=-65536; pragma mmap_size=268435456; pragma temp_store=memory");
    return { writer, reader };
  } catch (error) {
    throw storeUnreachable({ store: file, reason: messageOf(error) }, error);
  }
}

/**
 * Commits changes of a group for as long as a group may take, at least one.
 *
 * @returns their answers, in order; the changes behind them are left for the next group
 */
async function commitGroup(
  writer: DatabaseSync,
  transaction: WriteTransaction,
  group: readonly PendingWrite[],
): Promise<readonly CommitAnswer[]> {
  const answers: CommitAnswer[] = [];
  const deadline = performance.now() + LONGEST_GROUP_MS;
  try {
    writer.exec("begin immediate");
    for (const pending of group) {
      answers.push(await runInSavepoint(writer, transaction, pending));
      if (performance.now() > deadline) break;
    }
    writer.exec("commit");
    return answers;
  } catch (error) {
    if (writer.isTransaction) writer.exec("rollback");
    const failure = writeFailed({ reason: messageOf(error) }, error);
    return group.map(({ reject }) => ({ give: () => reject(failure), fail: () => reject(failure) }));
  }
}

async function runInSavepoint(
  writer: DatabaseSync,
  transaction: WriteTransaction,
  { work, resolve, reject }: PendingWrite,
): Promise<CommitAnswer> {
  writer.exec("savepoint change");
  try {
    const result = await work(transaction);
    writer.exec("release change");
    return { give: () => resolve(result as never), fail: reject };
  } catch (error) {
    // A full disk ends the whole transaction, not only the savepoint.
    if (!writer.isTransaction) throw error;
    writer.exec("rollback to change; release change");
    return { give: () => reject(error), fail: () => reject(error) };
  }
}

/** `data_version` moves when another connection, of this process or another, has committed. */
function pollForeignChanges(reader: DatabaseSync, listeners: ReadonlySet<() => void>, notify: () => void): () => void {
  const statement = reader.prepare("pragma data_version");
  const current = (): unknown => statement.get()?.["data_version"];
  let last = current();
  const timer = setInterval(() => {
    if (listeners.size === 0) return;
    const version = current();
    if (version === last) return;
    last = version;
    notify();
  }, CHANGE_POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

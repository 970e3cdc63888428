import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, type Log, messageOf, newId } from "#base";
import type { MetadataStore } from "#metadata-store";
import { type EventLog, getEventLog, getLastSequence, lockEventLog, saveEventLog } from "#metadata-store/audit";
import { type Checkpoint, type CheckpointKey, createKeyText, readKey, signCheckpoint } from "./checkpoint.ts";
import { appendCheckpoint, readLastCheckpoint } from "./checkpoint-file.ts";
import { auditKeyUnusable, logForked } from "./errors.ts";
import { createTreeReader, takeEvents } from "./event-tree.ts";

/** Events that one change takes: others wait for it. */
const EVENTS_A_CHANGE = 500;
/** Events come together for this long, so that many share one change of the tree. */
const GATHER_MS = 1000;
const EVENTS_A_CHECKPOINT = 100;
const CHECKPOINT_INTERVAL_MS = 60_000;

export interface AuditLogOptions {
  readonly store: MetadataStore;
  /** Absolute folder of the store: `audit/checkpoints` and, by default, `keys/audit.pem` are in it. */
  readonly storeFolder: string;
  /** Key by reference: an absolute path. */
  readonly keyFile?: string | undefined;
  /** Name of a log that begins here, as C2SP wants it: without spaces or `+`. */
  readonly origin: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Further places that keep checkpoints; what fails is said, and tried again with the next checkpoint. */
  readonly keepers?: readonly CheckpointKeeper[];
}

/** A place outside the store that keeps checkpoints. */
export interface CheckpointKeeper {
  readonly name: string;
  keep(checkpoint: Checkpoint): Promise<void>;
}

/**
 * The events of a store as a Merkle tree with signed checkpoints outside the database.
 *
 * States: idle → gathering (something was written) → taking → idle. Whoever writes waits for none of it; several
 * processes may do it at once, as one change takes events at a time.
 */
export interface AuditLog {
  /** Says that something was written: events are taken within about a second, and signed within a minute. */
  wake(): void;
  /** Takes what is there now and signs it; the newest checkpoint, undefined where this process cannot sign. */
  seal(): Promise<Checkpoint | undefined>;
  /** Ends; what was written through this process is taken and signed. */
  close(): Promise<void>;
}

/** Verifier key of the key file that this machine signs with; undefined when there is none, or it cannot be read. */
export async function readVerifierKey(
  options: Pick<AuditLogOptions, "storeFolder" | "keyFile">,
  origin: string,
): Promise<string | undefined> {
  try {
    return readKey(await readFile(keyFileOf(options), "utf8"), origin).verifierKey;
  } catch {
    return undefined;
  }
}

function keyFileOf({ storeFolder, keyFile }: Pick<AuditLogOptions, "storeFolder" | "keyFile">): string {
  return keyFile ?? join(storeFolder, "keys", "audit.pem");
}

/** Absolute file of the checkpoints of a store. */
export function checkpointFileOf(storeFolder: string): string {
  return join(storeFolder, "audit", "checkpoints");
}

export function createAuditLog(options: AuditLogOptions): AuditLog {
  const { clock, log } = options;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<unknown> = Promise.resolve();
  let isAwake = false;
  let isClosed = false;
  let told = "";
  let lastSignedAtMs = 0;
  let lastSigned: Checkpoint | undefined;

  const sign = async (): Promise<Checkpoint | undefined> => {
    const key = await openKey(options);
    if (key === undefined) return undefined;
    const checkpoint = await signNext(options, key);
    if (checkpoint === undefined) return lastSigned;
    [lastSigned, lastSignedAtMs] = [checkpoint, clock.now()];
    for (const keeper of options.keepers ?? [])
      await keeper.keep(checkpoint).catch((error: unknown) => {
        log.warn("a keeper of checkpoints failed", { keeper: keeper.name, reason: messageOf(error) });
      });
    return checkpoint;
  };
  const work = async (mustSign: boolean): Promise<Checkpoint | undefined> => {
    isAwake = false;
    const size = await takeAll(options);
    lastSigned ??= await readLastCheckpoint(checkpointFileOf(options.storeFolder));
    const unsigned = size - (lastSigned?.size ?? 0);
    const isDue = unsigned >= EVENTS_A_CHECKPOINT || clock.now() - lastSignedAtMs >= CHECKPOINT_INTERVAL_MS;
    if (unsigned !== 0 && (mustSign || isDue)) return sign();
    if (unsigned !== 0) wake(CHECKPOINT_INTERVAL_MS);
    return lastSigned;
  };
  const inTurn = (mustSign: boolean): Promise<Checkpoint | undefined> => {
    const turn = working.then(() => work(mustSign));
    working = turn.catch(() => undefined);
    return turn;
  };
  const wake = (afterMs: number): void => {
    if (isClosed || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      void inTurn(false).catch((error: unknown) => {
        const reason = messageOf(error);
        if (reason !== told) log.error("the event log cannot go on", { reason });
        told = reason;
      });
    }, afterMs);
    timer.unref();
  };

  return {
    wake() {
      if (isAwake) return;
      isAwake = true;
      clearTimeout(timer);
      timer = undefined;
      wake(GATHER_MS);
    },
    seal: () => inTurn(true),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await inTurn(true).catch((error: unknown) => {
        log.error("the event log cannot go on", { reason: messageOf(error) });
      });
    },
  };
}

/** @returns size of the tree when nothing was left */
async function takeAll({ store, clock }: AuditLogOptions): Promise<number> {
  for (;;) {
    const { log, last } = await store.read(async (transaction) => ({
      log: await getEventLog(transaction),
      last: await getLastSequence(transaction),
    }));
    if (last <= log.lastSequence && log.holes.length === 0) return log.size;
    const { taken, size } = await store.write((transaction) =>
      takeEvents(transaction, {
        atMs: clock.now(),
        limit: EVENTS_A_CHANGE,
        // SQLite has one writer: what was not there when a later event was is never there.
        commitsInOrder: store.kind === "sqlite",
      }),
    );
    if (taken < EVENTS_A_CHANGE) return size;
  }
}

/** Signs the tree as it is, unless it is signed already. @throws GOVERNANCE_EVENT_LOG_FORKED */
async function signNext(options: AuditLogOptions, key: CheckpointKey): Promise<Checkpoint | undefined> {
  const file = checkpointFileOf(options.storeFolder);
  const before = await readLastCheckpoint(file);
  // A change, so that what was read is durable when it has ended: a signed event is never lost with the power.
  const next = await options.store.write(async (transaction) => {
    const { size } = await lockEventLog(transaction);
    const tree = createTreeReader(transaction);
    if (before !== undefined && (size < before.size || !(await tree.rootAt(before.size)).equals(before.root)))
      throw logForked({ size, signed: before.size });
    return size === before?.size ? undefined : { size, root: await tree.rootAt(size) };
  });
  if (next === undefined) return undefined;
  const checkpoint = signCheckpoint(key, next);
  await appendCheckpoint(file, checkpoint);
  return checkpoint;
}

/**
 * The key that signs this log; made with the first checkpoint. Undefined where the log is signed on another machine.
 *
 * @throws GOVERNANCE_AUDIT_KEY_UNUSABLE
 */
async function openKey(options: AuditLogOptions): Promise<CheckpointKey | undefined> {
  const { store, keyFile } = options;
  const known = await store.read((transaction) => getEventLog(transaction));
  const file = keyFileOf(options);
  const pem = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" && keyFile === undefined) return undefined;
    throw auditKeyUnusable({ file, reason: messageOf(error) }, error);
  });
  if (pem === undefined && known.verifierKey !== undefined) {
    // Checkpoints of this folder were signed with a key that was here.
    if ((await readLastCheckpoint(checkpointFileOf(options.storeFolder))) === undefined) return undefined;
    throw auditKeyUnusable({ file, reason: "it is not there" });
  }
  const origin = known.origin ?? options.origin;
  let key: CheckpointKey;
  try {
    key = readKey(pem ?? (await createKeyFile(file)), origin);
  } catch (error) {
    throw auditKeyUnusable({ file, reason: messageOf(error) }, error);
  }
  const signer = known.verifierKey ?? (await announce(store, key)).verifierKey;
  if (signer === key.verifierKey) return key;
  throw auditKeyUnusable({ file, reason: `it is ${key.verifierKey}, the log is signed by ${signer}` });
}

/** Two processes that begin at once agree on the key of the first. */
async function announce(store: MetadataStore, key: CheckpointKey): Promise<EventLog> {
  return store.write(async (transaction) => {
    const log = await lockEventLog(transaction);
    if (log.verifierKey !== undefined) return log;
    const named = { origin: key.origin, verifierKey: key.verifierKey };
    await saveEventLog(transaction, named);
    return { ...log, ...named };
  });
}

async function createKeyFile(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const partial = `${file}.${newId()}`;
  await writeFile(partial, createKeyText(), { mode: 0o600, flush: true });
  try {
    await link(partial, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(partial, { force: true });
  }
  return readFile(file, "utf8");
}

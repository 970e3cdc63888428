import { type FileHandle, open, realpath } from "node:fs/promises";
import { messageOf } from "#base";
import { notDurable } from "../errors.ts";

/** Makes what was committed durable. */
export type Flush = () => Promise<void>;

/** Answers of changes that were committed, held back until the disk has them. */
export interface DurableCommits {
  /** Takes the answers of a commit. */
  add(answers: readonly CommitAnswer[]): void;
  /** Resolves when nothing is held back. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface CommitAnswer {
  readonly give: () => void;
  readonly fail: (error: Error) => void;
}

/**
 * One flush after the other; what is committed while one runs shares the next one. The main thread does not wait for
 * the disk: it takes requests and commits meanwhile.
 *
 * @param file the database; its write-ahead log is flushed, which holds every commit in order
 * @param onDurable called after each flush, before its answers are given
 * @param flush default: `fdatasync` of the write-ahead log
 */
export function createDurableCommits(file: string, onDurable: () => void, flush?: Flush): DurableCommits {
  let log: Promise<FileHandle> | undefined;
  let held: CommitAnswer[] = [];
  let flushing: Promise<void> | undefined;

  const flushLog: Flush = async () => {
    // SQLite puts it beside the file that a link leads to.
    log ??= realpath(file).then((path) => open(`${path}-wal`, "r"));
    await (await log).datasync();
  };

  async function flushHeld(): Promise<void> {
    while (held.length > 0) {
      const answers = held;
      held = [];
      let failure: Error | undefined;
      await (flush ?? flushLog)().catch((error: unknown) => {
        failure = notDurable({ reason: messageOf(error) }, error);
      });
      onDurable();
      for (const { give, fail } of answers) {
        if (failure === undefined) give();
        else fail(failure);
      }
    }
    flushing = undefined;
  }

  return {
    add(answers) {
      held.push(...answers);
      if (held.length > 0) flushing ??= flushHeld();
    },
    async settled() {
      while (flushing !== undefined) await flushing;
    },
    async close() {
      await (await log?.catch(() => undefined))?.close();
    },
  };
}

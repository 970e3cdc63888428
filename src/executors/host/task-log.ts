import { toLogLine } from "../job/job-log.ts";

const FLUSH_MS = 150;
const LARGEST_PIECE = 256 * 1024;
const MOST_HELD = 4 * 1024 * 1024;

/** Collects what a process writes into numbered pieces, which are sent in order; a full one makes the process wait. */
export class TaskLog {
  readonly #send: (piece: { readonly number: number; readonly text: string }) => Promise<void>;
  #held: string[] = [];
  #heldLength = 0;
  #number = 0;
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failed = false;

  /** @param send resolves when the piece is kept; when it rejects, nobody wants the rest */
  constructor(send: (piece: { readonly number: number; readonly text: string }) => Promise<void>) {
    this.#send = send;
  }

  write(stream: "stdout" | "stderr", text: string): void | Promise<void> {
    if (this.#failed) return undefined;
    const line = toLogLine(stream, text);
    this.#held.push(line);
    this.#heldLength += line.length;
    if (this.#heldLength >= LARGEST_PIECE) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
    return this.#heldLength > MOST_HELD ? this.#drained() : undefined;
  }

  /** @returns how many pieces there are; none is left to be sent */
  async close(): Promise<number> {
    for (this.#flush(); this.#sending !== undefined; this.#flush()) await this.#sending;
    return this.#number;
  }

  async #drained(): Promise<void> {
    while (this.#heldLength > MOST_HELD && !this.#failed && this.#sending !== undefined) await this.#sending;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined || this.#held.length === 0 || this.#failed) return;
    let length = 0;
    let count = 0;
    while (count < this.#held.length && (count === 0 || length < LARGEST_PIECE))
      length += this.#held[count++]?.length ?? 0;
    const lines = this.#held.splice(0, count);
    this.#heldLength -= length;
    this.#sending = this.#send({ number: this.#number++, text: lines.join("") })
      .catch(() => {
        this.#failed = true;
        this.#held = [];
        this.#heldLength = 0;
      })
      .then(() => {
        this.#sending = undefined;
        if (this.#held.length > 0) this.#flush();
      });
  }
}

import { appendFileSync, closeSync, fsyncSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { z } from "zod";

type Stream = "stdout" | "stderr";
const pieceSchema = z.tuple([z.enum(["o", "e"]), z.string()]);
const READ_BYTES = 1024 * 1024;

/** Writes the log of a job: a line of JSON for each piece, in the order in which they came. */
export class JobLogWriter {
  readonly #file: number;
  #bytes = 0;

  constructor(path: string) {
    this.#file = openSync(path, "a", 0o600);
  }

  write(stream: Stream, text: string): void {
    const line = Buffer.from(toLogLine(stream, text));
    appendFileSync(this.#file, line);
    this.#bytes += line.length;
  }

  /** @returns its length in bytes */
  close(): number {
    fsyncSync(this.#file);
    closeSync(this.#file);
    return this.#bytes;
  }
}

/** Reads lines of a log, without the characters of each stream that were taken before. */
export class LogSkipper {
  readonly #skip: Record<Stream, number>;

  constructor(logged: Readonly<Record<Stream, number>> | undefined) {
    this.#skip = { stdout: logged?.stdout ?? 0, stderr: logged?.stderr ?? 0 };
  }

  read(line: string): { readonly stream: Stream; readonly text: string } {
    const [mark, text] = pieceSchema.parse(JSON.parse(line));
    const stream = mark === "o" ? "stdout" : "stderr";
    return { stream, text: this.#skip[stream] === 0 ? text : this.#pass(stream, text) };
  }

  #pass(stream: Stream, text: string): string {
    let at = 0;
    for (const character of text) {
      if (this.#skip[stream] === 0) break;
      this.#skip[stream]--;
      at += character.length;
    }
    return text.slice(at);
  }
}

/** One piece of a log, as a line of JSON. */
export function toLogLine(stream: Stream, text: string): string {
  return `${JSON.stringify([stream === "stdout" ? "o" : "e", text])}\n`;
}

/** Reads the log of a job while it is written, from its beginning, each piece once. */
export class JobLogReader {
  readonly #path: string;
  readonly #take: (stream: Stream, text: string) => void | Promise<void>;
  readonly #skipper: LogSkipper;
  #offset = 0;

  /** @param logged characters of each stream that were taken before, and are passed over */
  constructor(
    path: string,
    options: {
      readonly take: (stream: Stream, text: string) => void | Promise<void>;
      readonly logged?: Readonly<Record<Stream, number>> | undefined;
    },
  ) {
    this.#path = path;
    this.#take = options.take;
    this.#skipper = new LogSkipper(options.logged);
  }

  /** Bytes that were read and taken. */
  get offset(): number {
    return this.#offset;
  }

  /** Takes all whole pieces that are there by now. */
  async drain(): Promise<void> {
    const file = await open(this.#path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) return;
    try {
      for (let size = READ_BYTES; ;) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, this.#offset);
        const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
        if (end === 0 && bytesRead < size) return;
        if (end === 0) {
          // One piece is longer than what is read at once.
          size *= 2;
          continue;
        }
        for (const line of buffer.toString("utf8", 0, end - 1).split("\n")) await this.#give(line);
        this.#offset += end;
      }
    } finally {
      await file.close();
    }
  }

  async #give(line: string): Promise<void> {
    const { stream, text } = this.#skipper.read(line);
    if (text !== "") await this.#take(stream, text);
  }
}

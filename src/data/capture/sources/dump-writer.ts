import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { Transform, type TransformCallback } from "node:stream";
import { finished } from "node:stream/promises";
import type { Dumped } from "./database.ts";

const LINE_FEED = 10;
const PIECE_CHARACTERS = 1 << 18;

/** Passes bytes on, and counts and digests them. */
export class DumpMeter extends Transform {
  #sizeBytes = 0;
  #lineFeeds = 0;
  readonly #hash = createHash("sha256");

  override _transform(piece: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#sizeBytes += piece.length;
    for (let at = piece.indexOf(LINE_FEED); at >= 0; at = piece.indexOf(LINE_FEED, at + 1)) this.#lineFeeds++;
    this.#hash.update(piece);
    done(null, piece);
  }

  /** @param rows that were written */
  dumped(rows: number): Dumped {
    return {
      rows,
      isByLine: this.#lineFeeds === rows,
      sizeBytes: this.#sizeBytes,
      digest: `sha256:${this.#hash.digest("hex")}`,
    };
  }
}

/** Writes rows of texts as CSV, no faster than the disk takes them. */
export class DumpWriter {
  readonly #meter = new DumpMeter();
  readonly #file: ReturnType<typeof createWriteStream>;
  #text = "";
  #rows = 0;

  constructor(path: string) {
    this.#file = createWriteStream(path);
    this.#meter.pipe(this.#file);
    this.#file.on("error", (error) => this.#meter.destroy(error));
  }

  /** False: wait for `drain` before the next row. */
  add(values: readonly (string | null)[]): boolean {
    let line = "";
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (index > 0) line += ",";
      if (value !== null && value !== undefined) line += PLAIN.test(value) ? value : `"${value.replaceAll('"', '""')}"`;
    }
    this.#text += `${line}\n`;
    this.#rows++;
    if (this.#text.length < PIECE_CHARACTERS) return true;
    const piece = this.#text;
    this.#text = "";
    return this.#meter.write(piece);
  }

  async drain(): Promise<void> {
    if (this.#meter.writableNeedDrain) await once(this.#meter, "drain");
  }

  async end(): Promise<Dumped> {
    this.#meter.end(this.#text);
    await finished(this.#file);
    return this.#meter.dumped(this.#rows);
  }

  destroy(): void {
    this.#meter.destroy();
    this.#file.destroy();
  }
}

/** Neither empty nor with anything that CSV gives a meaning. */
const PLAIN = /^[\w .:+\-/@]+$/;

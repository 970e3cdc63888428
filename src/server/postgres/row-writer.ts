import type { ColumnType } from "./postgres-type.ts";

const FIRST_SIZE = 65_536;

/** Writes DataRow messages one after another into one buffer. */
export class RowWriter {
  #buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #at = 0;
  readonly #types: readonly ColumnType[];
  readonly #isBinary: readonly boolean[];

  /** @param isBinary of each column */
  constructor(types: readonly ColumnType[], isBinary: readonly boolean[]) {
    this.#types = types;
    this.#isBinary = isBinary;
  }

  add(cells: readonly (string | null)[]): void {
    const start = this.#at;
    this.#reserve(7);
    this.#buffer[this.#at] = 0x44;
    this.#at += 5;
    this.#at = this.#buffer.writeInt16BE(cells.length, this.#at);
    for (const [index, cell] of cells.entries()) this.#value(cell, index);
    this.#buffer.writeInt32BE(this.#at - start - 1, start + 1);
  }

  /** What was written since the last call. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#at);
    this.#buffer = Buffer.allocUnsafe(FIRST_SIZE);
    this.#at = 0;
    return taken;
  }

  #value(cell: string | null, index: number): void {
    if (cell === null) {
      this.#reserve(4);
      this.#at = this.#buffer.writeInt32BE(-1, this.#at);
      return;
    }
    if (this.#isBinary[index] === true) {
      const bytes = this.#types[index]?.toBinary(cell) ?? Buffer.from(cell);
      this.#reserve(4 + bytes.length);
      this.#at = this.#buffer.writeInt32BE(bytes.length, this.#at);
      this.#at += bytes.copy(this.#buffer, this.#at);
      return;
    }
    // UTF-16 grows at most threefold.
    this.#reserve(4 + cell.length * 3);
    const size = this.#buffer.write(cell, this.#at + 4);
    this.#buffer.writeInt32BE(size, this.#at);
    this.#at += 4 + size;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + size));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

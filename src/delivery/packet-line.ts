/** One packet of git's protocol: bytes, or one of the marks between them. */
export type Packet = { readonly payload: Buffer } | { readonly mark: "flush" | "other" };

const HEAD = 4;
const LARGEST_PACKET = 65_520;
/** A packet of band 2 holds its length, its band and the text. */
const LARGEST_TEXT = LARGEST_PACKET - HEAD - 1;

/** Cuts a stream into packets. Source: gitprotocol-common, pkt-line. */
export class PacketReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The packets that are whole by now. @throws Error for what is no packet */
  push(chunk: Uint8Array): readonly Packet[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const packets: Packet[] = [];
    for (let packet = this.next(); packet !== undefined; packet = this.next()) packets.push(packet);
    return packets;
  }

  /** Adds bytes of which no packet is taken yet. */
  add(chunk: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
  }

  next(): Packet | undefined {
    if (this.#rest.length < HEAD) return undefined;
    const head = this.#rest.toString("latin1", 0, HEAD);
    if (!/^[0-9a-f]{4}$/i.test(head)) throw new Error(`${JSON.stringify(head)} is no length of a packet`);
    const length = Number.parseInt(head, 16);
    if (length < HEAD) {
      this.#rest = this.#rest.subarray(HEAD);
      return { mark: length === 0 ? "flush" : "other" };
    }
    if (length > LARGEST_PACKET) throw new Error(`a packet of ${length} bytes is too long`);
    if (this.#rest.length < length) return undefined;
    const payload = this.#rest.subarray(HEAD, length);
    this.#rest = this.#rest.subarray(length);
    return { payload };
  }

  /** What was read and belongs to no packet that was taken. */
  get rest(): Buffer {
    return this.#rest;
  }
}

export const FLUSH: Buffer = Buffer.from("0000");
/** A packet of band 1 without anything: says that the server is still there. */
export const ALIVE: Buffer = Buffer.from("0005\u0001", "latin1");

export function toPacket(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from((bytes.length + HEAD).toString(16).padStart(4, "0")), bytes]);
}

/** Text that the client shows its user, each line after `remote:`. */
export function toMessage(text: string): Buffer {
  const bytes = Buffer.from(`${text}\n`).subarray(0, LARGEST_TEXT);
  return toPacket(Buffer.concat([Buffer.from([2]), bytes]));
}

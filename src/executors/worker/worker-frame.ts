import type { Json } from "#base";

/**
 * One message between this process and a worker: a header that says what it is, and bytes that need no parsing.
 *
 * On the wire: length of the header and of the body, each as an unsigned 32-bit number, lowest byte first; the header
 * as JSON in UTF-8; the body.
 */
export interface WorkerFrame {
  readonly header: Readonly<Record<string, Json>>;
  readonly body: Uint8Array;
}

/** A frame as it arrives: whoever reads the header checks it. */
export interface ReceivedFrame {
  readonly header: unknown;
  readonly body: Uint8Array;
}

const PREFIX_BYTES = 8;
/** A larger answer is no answer but a mistake: 2 GiB are more than any batch of rows. */
const LARGEST_BYTES = 2 ** 31;

/** The frame as it is sent. */
export function formatFrame({ header, body }: WorkerFrame): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(text.length, 0);
  prefix.writeUInt32LE(body.length, 4);
  return Buffer.concat([prefix, text, body]);
}

/** Cuts what arrives in pieces into frames. @throws SyntaxError, RangeError when it is none */
export function createFrameReader(take: (frame: ReceivedFrame) => void): (piece: Buffer) => void {
  let pieces: Buffer[] = [];
  let held = 0;
  let wanted = PREFIX_BYTES;
  return (piece) => {
    pieces.push(piece);
    held += piece.length;
    while (held >= wanted) {
      const whole = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
      const headerBytes = whole.readUInt32LE(0);
      const end = PREFIX_BYTES + headerBytes + whole.readUInt32LE(4);
      if (end > LARGEST_BYTES) throw new RangeError(`a frame of ${end} bytes`);
      wanted = end;
      pieces = [whole];
      if (held < end) return;
      const bodyStart = PREFIX_BYTES + headerBytes;
      const header: unknown = JSON.parse(whole.toString("utf8", PREFIX_BYTES, bodyStart));
      pieces = [whole.subarray(end)];
      held -= end;
      wanted = PREFIX_BYTES;
      take({ header, body: whole.subarray(bodyStart, end) });
    }
  };
}

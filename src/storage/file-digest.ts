import { open } from "node:fs/promises";
import { createDigester, type Digest } from "#base";

const PIECE_BYTES = 1024 * 1024;
const NEW_PIECE_BYTES = 4 << 20;
const MOST_KNOWN = 100_000;

/**
 * Digests of files that this process has read: a file is read again only when its inode, size, change or modification
 * time differs.
 */
const known = new Map<string, { readonly state: string; readonly digest: Digest }>();

/**
 * sha256 of a file's content. Memory is bounded, and a file that did not change is read once in a process. @throws what
 * the file system throws
 */
export async function digestOfFile(path: string): Promise<Digest> {
  const file = await open(path, "r");
  try {
    const state = await stateOf(file);
    const before = known.get(path);
    if (before?.state === state) return before.digest;
    const digest = await digestOfOpen(file, PIECE_BYTES);
    // A file that changed while it was read is not known.
    if ((await stateOf(file)) === state) remember(path, { state, digest });
    return digest;
  } finally {
    await file.close();
  }
}

/**
 * sha256 of a file that was just written, in larger pieces: nothing is known of it yet, nor remembered.
 *
 * @param pace waited for after each piece, with its size
 */
export async function digestOfNewFile(path: string, pace?: (sizeBytes: number) => Promise<void>): Promise<Digest> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    return await digestOfOpen(file, Math.max(1, Math.min(size, NEW_PIECE_BYTES)), pace);
  } finally {
    await file.close();
  }
}

async function digestOfOpen(
  file: Awaited<ReturnType<typeof open>>,
  pieceBytes: number,
  pace?: (sizeBytes: number) => Promise<void>,
): Promise<Digest> {
  const digester = createDigester();
  const buffer = Buffer.allocUnsafe(pieceBytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return digester.digest();
    digester.update(buffer.subarray(0, bytesRead));
    await pace?.(bytesRead);
  }
}

async function stateOf(file: Awaited<ReturnType<typeof open>>): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

function remember(path: string, entry: { readonly state: string; readonly digest: Digest }): void {
  known.delete(path);
  known.set(path, entry);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value ?? "");
}

import { mkdir, open, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";

const TAIL_BYTES = 4096;
const SEPARATOR = "\n";

/** Checkpoints of a file, in the order in which they were written. */
export interface CheckpointFile {
  readonly checkpoints: readonly Checkpoint[];
  /** Lines, from 1, at which something stands that is no checkpoint and no piece of one that a crash left. */
  readonly unreadable: readonly number[];
}

/** Adds a checkpoint; durable when it resolves. The file only ever grows. */
export async function appendCheckpoint(file: string, { note }: Checkpoint): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "a", 0o600);
  try {
    const tail = await readTail(file);
    // What a crash left of a note ends with this line, so that the next note stands for itself.
    const gap = tail === "" || tail.endsWith(`\n${SEPARATOR}`) ? "" : `\n${SEPARATOR}`;
    await handle.write(`${gap}${note}${SEPARATOR}`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The newest checkpoint of a file that may be large; undefined when there is none. */
export async function readLastCheckpoint(file: string): Promise<Checkpoint | undefined> {
  const { checkpoints } = parseCheckpoints(await readTail(file));
  return checkpoints.reduce<Checkpoint | undefined>(
    (last, each) => (last === undefined || each.size >= last.size ? each : last),
    undefined,
  );
}

/** Every checkpoint of a file; none when there is no file. */
export async function readCheckpoints(file: string): Promise<CheckpointFile> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return parseCheckpoints(text);
}

/** Checkpoints of a text, each followed by an empty line. */
export function parseCheckpoints(text: string): CheckpointFile {
  const checkpoints: Checkpoint[] = [];
  const unreadable: number[] = [];
  let line = 1;
  // A note is a block of three lines and a block of signatures.
  const blocks = text.split("\n\n");
  for (let place = 0; place < blocks.length; place++) {
    const [body = "", signatures = ""] = [blocks[place], blocks[place + 1]];
    const checkpoint = parseCheckpoint(`${body.replace(/^\n+/, "")}\n\n${signatures.replace(/\n+$/, "")}\n`);
    if (checkpoint !== undefined) {
      checkpoints.push(checkpoint);
      line += countLines(body) + countLines(signatures);
      place++;
      continue;
    }
    if (body.trim() !== "" && !isTorn(body, checkpoints.at(-1)?.origin)) unreadable.push(line);
    line += countLines(body);
  }
  return { checkpoints, unreadable };
}

function countLines(block: string): number {
  return block.split("\n").length + 1;
}

/** The start of a note whose writing was cut off: at most its three lines, or a signature without its end. */
function isTorn(block: string, origin: string | undefined): boolean {
  const [name = "", size = "0", root = "", ...more] = block.trim().split("\n");
  if (more.length > 0 || !/^\d+$/.test(size) || !/^[A-Za-z0-9+/]*=?$/.test(root)) return false;
  return name.startsWith("—") || origin === undefined || origin.startsWith(name);
}

async function readTail(file: string): Promise<string> {
  const size = (await stat(file).catch(() => undefined))?.size ?? 0;
  if (size === 0) return "";
  const handle = await open(file, "r");
  try {
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString("utf8");
    // The first block may be a piece of one.
    return size > TAIL_BYTES ? text.slice(text.indexOf("\n\n— ") - 1).replace(/^[\s\S]*?\n\n— [^\n]*\n\n/, "") : text;
  } finally {
    await handle.close();
  }
}

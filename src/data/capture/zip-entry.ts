import { open } from "node:fs/promises";

/** The one file in a zip. */
export interface ZipEntry {
  readonly name: string;
  readonly isPacked: boolean;
  /** First byte of its content, and how many there are; then how many they unpack to. */
  readonly offset: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 65_535;
const LARGEST_DIRECTORY = 16 << 20;
const OF_ZIP64 = 0xffffffff;

/** Reads the directory at a zip's end (APPNOTE 4.3). Answers what is wrong as text. */
export async function findZipEntry(path: string): Promise<ZipEntry | string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const read = async (position: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    const tail = await read(
      Math.max(0, size - END_BYTES - LONGEST_COMMENT),
      Math.min(size, END_BYTES + LONGEST_COMMENT),
    );
    let end = tail.length - END_BYTES;
    while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
    if (end < 0) return "not a whole zip file";
    const [length, start] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
    if (start === OF_ZIP64 || length > LARGEST_DIRECTORY) return "a zip of more than 4 GB; pack it as .gz or .zst";
    const entries = listEntries(await read(start, length));
    const [entry] = entries;
    if (entry === undefined || entries.length > 1)
      return `a zip with ${entries.length} files${
        entries.length === 0
          ? ""
          : ` (${entries
              .slice(0, 5)
              .map(({ name }) => name)
              .join(", ")}${entries.length > 5 ? ", …" : ""})`
      }, and one is expected`;
    if ((entry.flags & 1) !== 0) return "a zip with a password";
    if (entry.method !== 0 && entry.method !== 8) return `a zip of an unknown kind (method ${entry.method})`;
    const local = await read(entry.start, LOCAL_BYTES);
    if (local.length < LOCAL_BYTES) return "not a whole zip file";
    const offset = entry.start + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (offset + entry.packedBytes > size) return "not a whole zip file";
    const { name, packedBytes, sizeBytes } = entry;
    return { name, isPacked: entry.method === 8, offset, packedBytes, sizeBytes };
  } finally {
    await file.close();
  }
}

interface ListedEntry extends Pick<ZipEntry, "name" | "packedBytes" | "sizeBytes"> {
  readonly flags: number;
  readonly method: number;
  readonly start: number;
}

/** Files, without folders and what macOS adds. */
function listEntries(directory: Buffer): readonly ListedEntry[] {
  const entries: ListedEntry[] = [];
  for (let at = 0; at + ENTRY_BYTES <= directory.length && directory.readUInt32LE(at) === ENTRY_SIGNATURE;) {
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength);
    if (!name.endsWith("/") && !name.startsWith("__MACOSX/"))
      entries.push({
        name,
        flags: directory.readUInt16LE(at + 8),
        method: directory.readUInt16LE(at + 10),
        packedBytes: directory.readUInt32LE(at + 20),
        sizeBytes: directory.readUInt32LE(at + 24),
        start: directory.readUInt32LE(at + 42),
      });
    at += ENTRY_BYTES + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

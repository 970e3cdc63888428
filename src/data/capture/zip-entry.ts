import { open } from "node:fs/promises";

/** A file in a zip. */
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

/** The only file of a zip. Answers what is wrong as text. */
export async function findZipEntry(path: string): Promise<ZipEntry | string> {
  const entries = await listZip(path);
  if (typeof entries === "string") return entries;
  const [entry] = entries;
  if (entry !== undefined && entries.length === 1) return entry;
  const names = entries.slice(0, 5).map(({ name }) => name);
  return `a zip with ${entries.length} files${
    entries.length === 0 ? "" : ` (${names.join(", ")}${entries.length > 5 ? ", …" : ""})`
  }, and one is expected`;
}

/** The files of a zip, by the directory at its end (APPNOTE 4.3). Answers what is wrong as text. */
export async function listZip(path: string): Promise<readonly ZipEntry[] | string> {
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
    const entries: ZipEntry[] = [];
    const listed = listEntries(await read(start, length));
    for (const { flags, method, start: at, name, packedBytes, sizeBytes } of listed) {
      // What is not wanted need not be readable.
      if (listed.length > 1 && !XML_PART.test(name)) {
        entries.push({ name, isPacked: false, offset: 0, packedBytes: 0, sizeBytes: 0 });
        continue;
      }
      if ((flags & 1) !== 0) return "a zip with a password";
      if (method !== 0 && method !== 8) return `a zip of an unknown kind (method ${method})`;
      const local = await read(at, LOCAL_BYTES);
      if (local.length < LOCAL_BYTES) return "not a whole zip file";
      const offset = at + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
      if (offset + packedBytes > size) return "not a whole zip file";
      entries.push({ name, isPacked: method === 8, offset, packedBytes, sizeBytes });
    }
    return entries;
  } finally {
    await file.close();
  }
}

/** Files of a workbook that are read. */
const XML_PART = /\.(xml|rels)$/i;

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

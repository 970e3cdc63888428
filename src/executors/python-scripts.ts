import { readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** What Linux reads of a first line; longer ones start nothing. */
const LONGEST_FIRST_LINE = 127;

/**
 * Lets the programs of an environment start again after its folder was moved, or was made under another path: each has
 * the whole path of the interpreter in its first line.
 *
 * @param folder  its real path; its last part is as it was when the programs were installed
 */
export async function bindScripts(folder: string): Promise<void> {
  const bin = join(folder, "bin");
  const interpreter = join(bin, "python");
  const head = headOf(interpreter);
  const name = basename(folder).replaceAll(/[^\w-]/g, "\\$&");
  const before = new RegExp(
    `^(?:#![^\\n]*/${name}/bin/python[\\d.]*\\n|#!/bin/sh\\n'''exec' ["']?[^\\n]*/${name}/bin/python[\\d.]*["']? [^\\n]*\\n' '''\\n)`,
  );
  for (const each of await readdir(bin)) {
    const path = join(bin, each);
    // oxlint-disable-next-line no-await-in-loop -- a few dozen small files
    const script = await readScript(path);
    const found = script === undefined ? undefined : before.exec(script.text)?.[0];
    if (script === undefined || found === undefined || found === head) continue;
    // In one piece: half a program has no first line by which it could be bound again.
    const part = join(folder, `${each}.part`);
    // oxlint-disable-next-line no-await-in-loop -- as above
    await writeFile(part, head + script.text.slice(found.length), { mode: script.mode });
    // oxlint-disable-next-line no-await-in-loop -- as above
    await rename(part, path);
  }
}

/** The first line, as pip writes it: through a shell where the path is too long or has spaces. */
function headOf(interpreter: string): string {
  const line = `#!${interpreter}\n`;
  if (Buffer.byteLength(line) <= LONGEST_FIRST_LINE && !/\s/.test(interpreter)) return line;
  return `#!/bin/sh\n'''exec' "${interpreter.replaceAll(/["$\\`]/g, "\\$&")}" "$0" "$@"\n' '''\n`;
}

async function readScript(path: string): Promise<{ readonly text: string; readonly mode: number } | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile() || found.size > 1 << 20) return undefined;
  const bytes = await readFile(path);
  const text = bytes.toString("utf8");
  const isText = bytes.subarray(0, 2).toString("latin1") === "#!" && Buffer.byteLength(text) === bytes.length;
  return isText ? { text, mode: found.mode } : undefined;
}

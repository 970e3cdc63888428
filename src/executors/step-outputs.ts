import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { outputsMalformed } from "./errors.ts";
import { maskSecrets } from "./drivers/output-reader.ts";

const LARGEST_BYTES = 2 ** 20;
const MOST_OUTPUTS = 256;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
const LINE = /^(?<name>[^=<]*)(?<form><<|=)(?<rest>.*)$/s;

/**
 * What a process wrote to its output file: `NAME=VALUE` lines, and `NAME<<MARK`, lines, `MARK` for texts of several
 * lines. The last value of a name counts.
 *
 * The process may have put anything in the file's place: a link is not followed, and a pipe is not waited for.
 *
 * @param path absolute
 * @param secrets replaced in the values
 * @throws EXECUTORS_OUTPUTS_MALFORMED
 */
export async function readStepOutputs(
  path: string,
  secrets: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const outputs = parseStepOutputs(readSmallFile(path));
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, maskSecrets(value, secrets)]));
}

/** At once: on other threads, opening it alone costs several times as much. */
function readSmallFile(path: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENOENT") return "";
    throw outputsMalformed({ reason: `it cannot be read (${code})` }, error);
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw outputsMalformed({ reason: "it is no file any more" });
    if (stats.size > LARGEST_BYTES)
      throw outputsMalformed({ reason: `it has ${stats.size} bytes, and at most ${LARGEST_BYTES} are allowed` });
    if (stats.size === 0) return "";
    const bytes = Buffer.alloc(stats.size);
    const length = readSync(file, bytes, 0, stats.size, 0);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof TypeError) throw outputsMalformed({ reason: "it is not UTF-8" }, error);
    throw error;
  } finally {
    closeSync(file);
  }
}

/** @throws EXECUTORS_OUTPUTS_MALFORMED */
export function parseStepOutputs(text: string): Readonly<Record<string, string>> {
  const outputs = new Map<string, string>();
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line === "") continue;
    const wrong = (reason: string) => outputsMalformed({ reason: `line ${at + 1} ${reason}` });
    const { name = "", form, rest = "" } = LINE.exec(line)?.groups ?? {};
    if (form === undefined) throw wrong("is neither NAME=VALUE nor NAME<<MARK");
    if (!NAME.test(name)) throw wrong(`has no name of an output before ${form}: letters, digits, _ and -`);
    if (form === "=") {
      outputs.set(name, rest);
    } else {
      const end = rest === "" ? -1 : lines.indexOf(rest, at + 1);
      if (rest === "") throw wrong("has no mark behind <<");
      if (end < 0)
        throw wrong(`begins a text that ends with ${JSON.stringify(rest.slice(0, 40))}, which does not come`);
      outputs.set(name, lines.slice(at + 1, end).join("\n"));
      at = end;
    }
    if (outputs.size > MOST_OUTPUTS) throw wrong(`is one too many: at most ${MOST_OUTPUTS} outputs are allowed`);
  }
  return Object.fromEntries(outputs);
}

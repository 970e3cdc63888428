import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Files through which one step speaks to the job. */
export interface CommandFiles {
  readonly variables: Readonly<Record<string, string>>;
  read(): Promise<FileCommands>;
}

export interface FileCommands {
  readonly env: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly states: Readonly<Record<string, string>>;
  readonly path: readonly string[];
  readonly summary: string;
}

const NAMES = {
  env: "GITHUB_ENV",
  output: "GITHUB_OUTPUT",
  state: "GITHUB_STATE",
  path: "GITHUB_PATH",
  summary: "GITHUB_STEP_SUMMARY",
} as const;
const LARGEST_BYTES = 10 * 2 ** 20;
const LARGEST_SUMMARY = 1_048_576;

/** @param folder absolute; `id` tells the files of one step from those of another */
export async function createCommandFiles(folder: string, id: string): Promise<CommandFiles> {
  const pathOf = (name: string): string => join(folder, `${name}-${id}`);
  await Promise.all(Object.keys(NAMES).map((name) => writeFile(pathOf(name), "")));
  return {
    variables: Object.fromEntries(Object.entries(NAMES).map(([name, variable]) => [variable, pathOf(name)])),
    async read() {
      const texts = Object.fromEntries(
        await Promise.all(
          Object.keys(NAMES).map(async (name) => {
            const text = await readFile(pathOf(name)).catch(() => Buffer.alloc(0));
            await rm(pathOf(name), { force: true });
            if (text.length > LARGEST_BYTES)
              throw new Error(`the file of ${name} has more than ${LARGEST_BYTES} bytes`);
            return [name, text.toString("utf8")] as const;
          }),
        ),
      );
      return {
        env: parsePairs(texts["env"] ?? "", "env"),
        outputs: parsePairs(texts["output"] ?? "", "output"),
        states: parsePairs(texts["state"] ?? "", "state"),
        path: (texts["path"] ?? "").split(/\r?\n/).filter((line) => line.trim() !== ""),
        summary: (texts["summary"] ?? "").slice(0, LARGEST_SUMMARY),
      };
    },
  };
}

/**
 * `name=value`, or `name<<WORD`, lines, `WORD`.
 *
 * @param file named in errors as GitHub names it
 */
export function parsePairs(text: string, file: string): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  const wrong = (reason: string): Error =>
    new Error(`Unable to process file command '${file}' successfully. ${reason}`);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line === "") continue;
    const equals = line.indexOf("=");
    const heredoc = line.indexOf("<<");
    if (heredoc >= 0 && (equals < 0 || heredoc < equals)) {
      const name = line.slice(0, heredoc);
      const word = line.slice(heredoc + 2);
      if (name === "" || word === "")
        throw wrong(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`);
      const end = lines.indexOf(word, at + 1);
      if (end === -1) throw wrong(`Invalid value. Matching delimiter not found '${word}'`);
      pairs[name] = lines.slice(at + 1, end).join("\n");
      at = end;
    } else if (equals > 0) pairs[line.slice(0, equals)] = line.slice(equals + 1);
    else throw wrong(`Invalid format '${line}'`);
  }
  return pairs;
}

// Every command line of esteira that a hint, a message, a help text or a document names can be typed as it stands
// there.
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { parseArgs } from "node:util";
import { commands } from "../../src/cli/commands.ts";

const ROOT = resolve(import.meta.dirname, "../..");

interface Named {
  readonly file: string;
  /** What follows `esteira `. */
  readonly words: string;
}

/**
 * Command lines in a text: in backticks, at the beginning of a line, or after a colon, `&&`, `|` or an opening bracket,
 * as hints write them.
 * `esteira` in a sentence ("an esteira version that …") is no command.
 */
function namedIn(text: string): readonly string[] {
  const plain = text.replaceAll(/\$\{[^}]*\}/g, "VALUE");
  const beginnings = (pattern: RegExp, end: RegExp): readonly string[] =>
    [...plain.matchAll(pattern)].map((found) => (found[1] ?? "").split(end)[0]?.trim() ?? "");
  return [
    ...beginnings(/`esteira (?=([\w{-][^`\n]*)`)/g, / && | \| /),
    ...beginnings(/(?:: |&& |\| |\()esteira (?=([\w{-][^\n]*))/g, /[`");]|\. |, | \(| && | \| /),
    ...beginnings(/^esteira (?=([^\n]+))/gm, /\s+#| && | \| /),
  ];
}

async function read(...patterns: readonly string[]): Promise<readonly Named[]> {
  const found: Named[] = [];
  for (const pattern of patterns) {
    const files = await Array.fromAsync(glob(pattern, { cwd: ROOT }));
    assert.ok(files.length > 0 || /\*/.test(pattern), `${pattern} is not there`);
    for (const file of files)
      for (const words of namedIn(await readFile(join(ROOT, file), "utf8"))) found.push({ file, words });
  }
  return found;
}

/**
 * What is wrong with a command line, or undefined. A hint may leave out what its reader knows (`esteira rollback`); an
 * example may not.
 */
async function problemOf({ words }: Named, isWhole: boolean): Promise<string | undefined> {
  // Any command: `esteira --help`, `esteira COMMAND --help`.
  if (/^(--?\w|COMMAND|COMANDO|VALUE)/.test(words)) return undefined;
  const typed = (words.replace(/ (…|\.\.\.).*$/, "").match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) =>
    word.replaceAll(/^['"]|[.,:'"]+$/g, ""),
  );
  const name = [typed.slice(0, 2).join(" "), typed[0] ?? ""].find((candidate) => candidate in commands);
  // The first word of several (`esteira dataset`) lists them.
  if (name === undefined)
    return typed.length === 1 && Object.keys(commands).some((known) => known.startsWith(`${typed[0]} `))
      ? undefined
      : "there is no such command";
  const { command } = (await commands[name]?.load()) ?? assert.fail();
  const rest = typed.slice(name.split(" ").length);
  if (rest.includes("--help")) return undefined;
  try {
    const { positionals } = parseArgs({
      args: rest,
      options: { ...command.options },
      allowPositionals: true,
      strict: true,
    });
    const { least, most } = command.positionals ?? { least: 0, most: 0 };
    return positionals.length > most || (isWhole && positionals.length < least)
      ? `it takes other words: ${command.usage}`
      : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function assertTypable(named: readonly Named[], isWhole = false): Promise<void> {
  const problems: string[] = [];
  for (const each of named) {
    const problem = await problemOf(each, isWhole);
    if (problem !== undefined) problems.push(`${each.file}: esteira ${each.words}: ${problem}`);
  }
  assert.deepEqual(problems, []);
}

describe("a command that is named exists, with the options named", () => {
  it("is found in the ways that texts name one", () => {
    const text =
      "List them with: esteira status. Or `esteira run a --from b`, (esteira up --port 1) or cd x && esteira lint; an esteira version that wrote it.\nesteira plan   # what would run\n";
    assert.deepEqual(namedIn(text).toSorted(), ["lint", "plan", "run a --from b", "status", "up --port 1"]);
  });

  it("is missed when it, an option or a word of it is none", async () => {
    const problems = await Promise.all(
      [
        "asset list",
        "pipelines",
        "status --all",
        "token list ana",
        "run a --form b",
        "user grant rui reviewer --project p",
      ].map((words) => problemOf({ file: "", words }, true)),
    );
    assert.deepEqual(
      problems.map((problem) => problem !== undefined),
      [true, true, true, true, true, false],
    );
  });

  it("in errors, their hints and their catalogue", async () => {
    const named = await read("src/**/{errors,*-errors}.ts", "docs/reference/errors.md");
    assert.ok(named.length > 40, `only ${named.length} found: are they still written as this test reads them?`);
    await assertTypable(named);
  });

  it("in messages and sentences of the code", async () => {
    await assertTypable(await read("src/**/*.ts", "web/{pages,routes,models,ui}/**/*.{ts,tsx}"));
  });

  it("in the read-mes, the guides, and the configuration reference", async () => {
    await assertTypable(
      await read(
        "README.md",
        "README.pt-BR.md",
        "examples/*/README.md",
        "docs/guides/**/*.md",
        "docs/reference/configuration.md",
      ),
    );
  });

  it("in the examples of every --help, which also bring every word that the command needs", async () => {
    for (const [name, { summary, load }] of Object.entries(commands)) {
      const { command } = await load();
      assert.equal(command.summary, summary, name);
      assert.ok(command.examples.length > 0, name);
      await assertTypable(
        command.examples.flatMap(({ line }) =>
          namedIn(line).map((words) => ({ file: `esteira ${name} --help`, words })),
        ),
        true,
      );
    }
  });
});

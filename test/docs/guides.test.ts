import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Guides that are followed word for word, each from an empty folder. */
const GUIDES = ["first-project.md"];
const FILE_EXTENSIONS: Readonly<Record<string, readonly string[]>> = { yaml: ["yaml"], sql: ["sql"], python: ["py"], json: ["json"], csv: ["csv"] };

type Action = { readonly kind: "write"; readonly path: string; readonly content: string } | { readonly kind: "run"; readonly command: string };

/**
 * What a reader does: a block whose text before it names a file of its kind is that file, `sh` blocks and the lines after `$ ` of `text`
 * blocks are commands. A block under a comment `not run: REASON` is only read.
 */
function readGuide(text: string): readonly Action[] {
  const actions: Action[] = [];
  for (const match of text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)) {
    const [, language = "", content = ""] = match;
    const before = text.slice(0, match.index).trimEnd().split(/\n\n|\n```\n/).at(-1) ?? "";
    if (/<!-- not run: \S[^>]* -->$/.test(before)) continue;
    const extensions = FILE_EXTENSIONS[language];
    if (extensions !== undefined) {
      const named = /^# (\S+\.\w+)\n/.exec(content)?.[1] ?? [...before.matchAll(/`([\w./-]+)`/g)].map(([, path]) => path ?? "").findLast((path) => extensions.some((extension) => path.endsWith(`.${extension}`)));
      assert.ok(named !== undefined, `a block of ${language} is of no file that the text before it names: ${content.slice(0, 80)}`);
      actions.push({ kind: "write", path: named, content });
      continue;
    }
    assert.ok(["sh", "bash", "text"].includes(language), `a block of ${language} is neither a file nor commands`);
    const commands = language === "text" ? commandsOf(content) : [content];
    for (const command of commands) actions.push({ kind: "run", command });
  }
  return actions;
}

/** Lines after `$ `, with those that continue them. */
function commandsOf(content: string): readonly string[] {
  return [...content.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map(([, command]) => command ?? "");
}

/** One shell from the first command to the last: `cd` and variables stay. */
function runShell(folder: string, commands: string): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((done, failed) => {
    const child = spawn("bash", ["-e", "-u", "-o", "pipefail", "-c", commands], { cwd: folder, env: { PATH: `${join(ROOT, "bin")}:${process.env["PATH"] ?? ""}`, HOME: folder, ESTEIRA_LANG: "en", NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (output += piece.toString()));
    child.once("error", failed);
    child.once("close", (code) => done({ code, output }));
  });
}

describe("a reader who follows a guide", () => {
  for (const guide of GUIDES) {
    it(`reaches the end of ${guide}, with users in the store and access.loopback none`, async () => {
      const folder = await temporaryFolder();
      const actions = readGuide(await readFile(join(ROOT, "docs/guides", guide), "utf8"));
      assert.ok(actions.length > 3, `${guide} holds almost nothing to do`);
      let place = folder;
      let isSetUp = false;
      for (const action of actions) {
        if (action.kind === "write") {
          await mkdir(dirname(join(place, action.path)), { recursive: true });
          await writeFile(join(place, action.path), action.content);
          continue;
        }
        const { code, output } = await runShell(place, `${action.command}\npwd > ${JSON.stringify(join(folder, ".place"))}`);
        assert.equal(code, 0, `${guide}: ${action.command}\n${output}`);
        place = (await readFile(join(folder, ".place"), "utf8")).trim();
        // As soon as there is a project: from here on nothing works for nobody.
        if (isSetUp || place === folder) continue;
        const made = await runEsteira(place, ["user", "create", "ana"]);
        assert.equal(made.code, 0, made.stderr);
        isSetUp = true;
      }
      assert.ok(isSetUp, `${guide} made no project`);
    });
  }

  it("is told of every block that is not run, and why", async () => {
    const marked = "Text:\n\n<!-- not run: shows an error -->\n```text\n$ false\n```\n\n`a/b.sql` is:\n\n```sql\nSELECT 1\n```\n\n```text\n$ echo one \\\n    two\nout\n$ true # comment\n```\n";
    assert.deepEqual(readGuide(marked), [{ kind: "write", path: "a/b.sql", content: "SELECT 1\n" }, { kind: "run", command: "echo one \\\n    two" }, { kind: "run", command: "true # comment" }]);
    assert.throws(() => readGuide("Nothing is named.\n\n```sql\nSELECT 1\n```\n"), /of no file/);
  });
});

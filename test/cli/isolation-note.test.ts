// What a person is told on a machine, or in a project, without isolation.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { createSandbox } from "#executors";
import { temporaryFolder } from "../setup/stores.ts";
import { runEsteira } from "../setup/command-line.ts";

const BWRAP = "/usr/bin/bwrap";
const hasSandbox = (await createSandbox().problem()) === undefined;
const skip = hasSandbox && existsSync(BWRAP) ? false : `no sandbox here, or no ${BWRAP}`;

async function project(isolation = ""): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), `name: p\n${isolation}`);
  await writeFile(join(folder, "pipelines/work.yaml"), "steps:\n  hello: { run: echo hello }\n");
  return folder;
}

describe("a machine without isolation", () => {
  it("is told of by the run, in the user's language", { timeout: 120_000 }, async () => {
    const folder = await project("isolation: none\n");
    const english = await runEsteira(folder, ["run", "work"], { ESTEIRA_LANG: "en" });
    assert.equal(english.code, 0, english.stderr);
    const lines = english.stderr.split("\n").filter((line) => /No isolation/.test(line));
    assert.equal(lines.length, 1, english.stderr);
    assert.match(lines[0] ?? "", /isolation: none.*can read and change what this user can, the store among it/);
    await writeFile(join(folder, "esteira.yaml"), "name: p\nisolation: none\n");
    assert.match(
      (await runEsteira(folder, ["run", "work"], { ESTEIRA_LANG: "pt-BR" })).stderr,
      /Sem isolamento.*inclusive o armazenamento/,
    );
  });

  it("says nothing where there is a sandbox", { timeout: 120_000, skip }, async () => {
    const { code, stderr } = await runEsteira(await project(), ["run", "work"]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /isolation|bubblewrap/i);
  });

  it(
    "without bubblewrap, or whose bubblewrap may make none, is told what to do",
    { timeout: 120_000, skip },
    async () => {
      const folder = await project();
      const esteira = resolve(import.meta.dirname, "../../bin/esteira");
      const run = (...hiding: string[]): string => {
        const words = ["--dev-bind", "/", "/", ...hiding, "--", esteira, "run", "work"];
        return spawnSync(BWRAP, words, { cwd: folder, encoding: "utf8" }).stderr;
      };
      assert.match(run("--ro-bind", "/dev/null", BWRAP), /bubblewrap is not installed\. Install it: apt-get install/);
      assert.match(run("--unshare-user", "--disable-userns"), /can make no sandbox here \(.+\)\. Allow it/);
    },
  );
});

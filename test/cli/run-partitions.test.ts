// `esteira run` of several partitions: the same words and the same work as a backfill.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { type CommandEnd, runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it(
  "run makes a range or a list of partitions as a backfill, previews it, leaves out what is filled, and refuses what is of one run",
  { timeout: 200_000 },
  async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: days\nisolation: none\n");
    await writeFile(join(folder, "work.sh"), `echo "$ESTEIRA_PARTITION" >> ${folder}/seen\n`);
    await writeFile(
      join(folder, "pipelines/p.yaml"),
      "partitions: { every: day, start: 2026-01-01, end: 2026-01-08 }\nsteps:\n  s: { run: sh work.sh, files: work.sh, makes: { report: out } }\n",
    );
    await writeFile(
      join(folder, "work.sh"),
      `echo "$ESTEIRA_PARTITION" >> ${folder}/seen; mkdir -p out; date > out/d\n`,
    );
    await writeFile(join(folder, "pipelines/other.yaml"), "steps:\n  reader: { run: 'true', inputs: [s] }\n");
    const run = (...words: string[]): Promise<CommandEnd> => runEsteira(folder, ["run", "p", ...words]);
    const seen = async (): Promise<readonly string[]> =>
      (await readFile(join(folder, "seen"), "utf8").catch(() => "")).trim().split("\n").toSorted();

    const one = await run("--partition", "2026-01-02");
    assert.equal(one.code, 0, one.stderr);
    assert.match(one.stderr + one.stdout, /Pipeline run 01/);
    const preview = await run("--partition", "2026-01-01..2026-01-03", "--dry-run");
    assert.equal(preview.code, 0, preview.stderr);
    assert.match(preview.stdout, /^2 to be made, 1 left out\n {2}2026-01-01, 2026-01-03\n {2}left out: 2026-01-02$/m);
    assert.match(preview.stdout, /about .* each/);
    assert.match(preview.stdout, /s is read by reader of other/);
    assert.deepEqual(await seen(), ["2026-01-02"]);

    const range = await run("--partition", "2026-01-01..2026-01-03");
    assert.equal(range.code, 0, range.stderr);
    assert.match(range.stdout, /succeeded: 2 of 2 made/);
    const list = await run("--partition", "2026-01-05,2026-01-03", "--partition", "2026-01-07", "--json");
    assert.equal(list.code, 0, list.stderr);
    assert.equal((JSON.parse(list.stdout) as { succeeded: number }).succeeded, 2);
    assert.deepEqual(await seen(), ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-05", "2026-01-07"]);
    const again = await run("--partition", "2026-01-01..2026-01-03");
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /0 to be made, 3 left out/);
    const listed = await runEsteira(folder, ["backfill", "list", "--json"]);
    assert.equal((JSON.parse(listed.stdout) as readonly unknown[]).length, 2);

    const refused = async (expected: RegExp, ...words: string[]): Promise<void> => {
      const end = await run(...words);
      assert.notEqual(end.code, 0);
      assert.match(end.stderr, expected);
    };
    await refused(
      /--only is for one partition, and these are 3/,
      "--partition",
      "2026-01-01..2026-01-03",
      "--only",
      "s",
    );
    await refused(/--dry-run is for several partitions/, "--dry-run");
    await refused(/no partition "2026-01-99"/, "--partition", "2026-01-01,2026-01-99");
    await refused(/expected 1 to 100/, "--partition", "2026-01-01..", "--max-parallel", "0");
    await refused(/run one partition at a time/, "--priority", "1");
  },
);

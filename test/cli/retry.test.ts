import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

/** Step → status, worst first of its items. */
interface ShownRun {
  readonly id: string;
  readonly status: string;
  readonly stepRuns: readonly {
    readonly step: string;
    readonly matrix?: string;
    readonly status: string;
    readonly attempts: readonly unknown[];
  }[];
}

async function createProject(): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"), { recursive: true });
  await writeFile(join(folder, "esteira.yaml"), "name: shop\n");
  await writeFile(
    join(folder, "pipelines/p.yaml"),
    `steps:
  good: { run: 'true' }
  left: { run: 'test -e left.txt', needs: good }
  right: { run: 'test -e right.txt', needs: good }
  items: { run: 'test -e "$ESTEIRA_ITEM.txt"', for_each: [one, two, three], needs: good }
  last: { run: echo last, needs: left }
`,
  );
  return folder;
}

async function json(folder: string, ...words: string[]): Promise<ShownRun> {
  const { stdout, stderr } = await runEsteira(folder, [...words, "--json"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as ShownRun;
}

const told = ({ stepRuns }: ShownRun): readonly string[] =>
  stepRuns
    .filter(({ step, matrix }) => step !== "items" || matrix !== undefined)
    .map(({ step, matrix, status, attempts }) => `${matrix ?? step} ${status} ${attempts.length}`)
    .toSorted();

describe("esteira retry", () => {
  it("tries one step again with what waits for it, one item, and then all that did not succeed", async () => {
    const folder = await createProject();
    const { id, status } = await json(folder, "run", "p");
    assert.equal(status, "failed");
    await writeFile(join(folder, "left.txt"), "");
    await writeFile(join(folder, "two.txt"), "");
    const step = await json(folder, "retry", "latest", "left");
    assert.equal(step.id, id);
    assert.deepEqual(told(step), [
      "good succeeded 1",
      "item=one failed 1",
      "item=three failed 1",
      "item=two failed 1",
      "last succeeded 1",
      "left succeeded 2",
      "right failed 1",
    ]);
    const item = await json(folder, "retry", id, "items", "--item", "two");
    assert.deepEqual(
      told(item).filter((line) => line.startsWith("item")),
      ["item=one failed 1", "item=three failed 1", "item=two succeeded 2"],
    );
    const refused = await runEsteira(folder, ["retry", id, "left"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Nothing of left in pipeline run .* has failed/);
    const unknown = await runEsteira(folder, ["retry", id, "lefd"]);
    assert.match(unknown.stderr, /The run has no step "lefd"; it has good, left/);
    for (const name of ["right", "one", "three"]) await writeFile(join(folder, `${name}.txt`), "");
    const whole = await json(folder, "retry", id);
    assert.equal(whole.status, "succeeded");
    assert.deepEqual(told(whole), [
      "good succeeded 1",
      "item=one succeeded 2",
      "item=three succeeded 2",
      "item=two succeeded 2",
      "last succeeded 1",
      "left succeeded 2",
      "right succeeded 2",
    ]);
  });
});

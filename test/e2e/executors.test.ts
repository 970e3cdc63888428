// Steps that say what they need of a machine, from the command line.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

async function project(config: string, pipeline: string): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), `name: p\n${config}`);
  await writeFile(join(folder, "pipelines/w.yaml"), pipeline);
  return folder;
}

describe("a step that says what it needs", { timeout: 120_000 }, () => {
  it("starts when that is free, and no sooner", async () => {
    const folder = await project(
      "isolation: none\nexecutors: { heavy: { local: { cpus: 2 } } }\n",
      // A folder can be made once: two at a time would fail.
      `executor: heavy\nsteps:\n  turn:\n    matrix: { of: [a, b, c, d] }\n    resources: { cpus: 2 }\n    run: mkdir "$LOCK" && sleep 0.2 && rmdir "$LOCK"\n    env: { LOCK: PLACE }\n`.replace(
        "PLACE",
        join(await temporaryFolder(), "lock"),
      ),
    );
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 0, stderr);
  });

  it("and asks for more than there is says so before it starts, with who could give it", async () => {
    const folder = await project(
      "executors: { small: { local: { cpus: 1 } }, big: { local: { cpus: 900 } } }\ndefaults: { executor: small }\n",
      `steps:\n  train: { run: exit 7, resources: { cpus: 64, memory: 1 MiB }, retry: 3 }\n`,
    );
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Step "train" asks for 64 cpus, 1 MiB of memory, and one process on executor "small" has at most 1 cpu/,
    );
    assert.match(stderr, /It could run on: big/);
    const listed = await runEsteira(folder, ["executor", "list", "--json"]);
    assert.equal(listed.code, 1);
    const { executors, unplaced } = JSON.parse(listed.stdout) as {
      readonly executors: readonly { readonly name: string; readonly isDefault: boolean }[];
      readonly unplaced: readonly object[];
    };
    assert.deepEqual(
      executors.map(({ name, isDefault }) => [name, isDefault]),
      [
        ["local", false],
        ["small", true],
        ["big", false],
      ],
    );
    assert.deepEqual(unplaced, [
      { pipeline: "w", step: "train", executor: "small", asks: "64 cpus, 1 MiB of memory", able: ["big"] },
    ]);
  });

  it("is ended when it takes more memory than it asked for", async () => {
    const folder = await project(
      "isolation: none\n",
      `steps:\n  hog: { run: "python3 -c 'x = bytearray(b\\"1\\") * (1 << 30); import time; time.sleep(60)'", resources: { memory: 100 MiB } }\n`,
    );
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 1);
    assert.match(stderr, /its processes took \d+ MiB of memory/);
  });

  it("names an executor that esteira.yaml lacks with its line, also as the default", async () => {
    const folder = await project("defaults: { executor: gpu }\n", "steps: { a: { run: 'true' } }\n");
    const { code, stdout, stderr } = await runEsteira(folder, ["lint"]);
    assert.equal(code, 1);
    assert.match(stdout + stderr, /esteira\.yaml:2:\d+.*there is no executor "gpu"; there are: local/);
  });
});

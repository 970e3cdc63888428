import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { LocatedProblem } from "#base";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it("lint names entries of isolation.exempt that are no step, with their place", { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  const exempt = ["work.hello", "work.helo", "wrok.hello", "hello", "broken.step"];
  const list = exempt.map((entry) => `    - ${entry}\n`).join("");
  await writeFile(join(folder, "esteira.yaml"), `name: p\nisolation:\n  exempt:\n${list}`);
  await writeFile(join(folder, "pipelines/work.yaml"), "steps:\n  hello: { run: echo hello }\n");
  await writeFile(join(folder, "pipelines/broken.yaml"), "steps:\n  step: { rum: echo hello }\n");
  const { code, stdout } = await runEsteira(folder, ["lint", "--json"]);
  assert.equal(code, 1);
  const problems = (JSON.parse(stdout) as { problems: LocatedProblem[] }).problems.filter(
    ({ file }) => file === "esteira.yaml",
  );
  const unknown = 'isolation.exempt names "work.helo", but pipeline "work" has no such step: it has hello';
  assert.deepEqual(
    problems.map(({ line, column, message, hint }) => [line, column, message, hint]),
    [
      [5, 7, unknown, "Did you mean work.hello?"],
      [6, 7, 'isolation.exempt names "wrok.hello", but there is no pipeline "wrok"', "Did you mean work.hello?"],
      [7, 7, '"hello" in isolation.exempt is no PIPELINE.STEP', "Remove it."],
    ],
  );
});

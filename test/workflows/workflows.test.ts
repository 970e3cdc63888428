import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../setup/stores.ts";
import { createRepository, factsOf } from "./repository.ts";
import { CASES, FILES } from "./workflows.ts";

describe("workflows as real repositories have them", async () => {
  const mirror = await temporaryFolder();
  const tool = join(mirror, "some/tool@v1");
  await mkdir(join(tool, "inner"), { recursive: true });
  await writeFile(
    join(tool, "action.yml"),
    "name: tool\ninputs: { text: {} }\nruns: { using: node24, main: index.mjs }\n",
  );
  await writeFile(join(tool, "index.mjs"), "console.log(`tool says ${process.env.INPUT_TEXT}`);\n");
  await writeFile(
    join(tool, "inner/action.yaml"),
    'name: inner\nruns: { using: composite, steps: [{ shell: sh, run: "echo inner tool" }] }\n',
  );
  const yamls = Object.fromEntries(Object.entries(CASES).map(([name, { yaml }]) => [name, yaml]));
  const repository = await createRepository(
    { ...FILES, ...yamls },
    { mirror, vars: { REGION: "eu" }, secrets: ["DEPLOY_KEY", "UNNAMED"] },
    { DEPLOY_KEY: "0123456789abcdef", UNNAMED: "granted-but-unnamed" },
  );

  it("are all accepted", () => {
    const refused = repository.found.filter(({ state }) => state !== "ready" && state !== "called");
    assert.deepEqual(
      refused.map(({ file, problems }) => [file, problems]),
      [],
    );
    assert.equal(repository.found.length, Object.keys(CASES).length);
  });

  it("say what of them is not as on GitHub", () => {
    const told = repository.loaded.notices.map(({ message }) => message).join("\n");
    assert.match(told, /the secret NOT_GRANTED is not granted to workflows/);
    assert.match(told, /cancel-in-progress ends none here/);
  });

  for (const [name, expected] of Object.entries(CASES)) {
    if (Object.keys(expected.outcomes).length === 0) continue;
    it(name, async () => {
      const ended = await repository.run(name, expected.params);
      const logs = await Promise.all(ended.steps.map(async ({ step }) => `${step}:\n${await ended.log(step)}`));
      const explained = `${JSON.stringify(ended.steps.map(({ error }) => error ?? null))}\n${logs.join("\n")}`;
      assert.deepEqual(ended.outcomes, expected.outcomes, explained);
      assert.equal(ended.status, expected.status, explained);
      for (const [step, texts] of Object.entries(expected.says ?? {})) {
        const log = await ended.log(step);
        for (const text of texts)
          assert.ok(typeof text === "string" ? log.includes(text) : text.test(log), `${String(text)} in:\n${log}`);
      }
      for (const [step, texts] of Object.entries(expected.saysNot ?? {})) {
        const log = await ended.log(step);
        for (const text of texts) assert.ok(!log.includes(text), `not ${text} in:\n${log}`);
      }
    });
  }

  it("leave annotations, summaries, coverage and steps with their step runs", async () => {
    const told = factsOf(await repository.run("commands"), "a");
    assert.deepEqual(told["annotations"], [
      { level: "error", message: "it is wrong\nindeed", title: "Wrong", file: "src/a.ts", line: 3 },
      { level: "warning", message: "careful" },
      { level: "notice", message: "told" },
    ]);
    assert.equal(factsOf(await repository.run("coverage"), "a")["coverage"], 0.8);
    assert.match(String(factsOf(await repository.run("environment-files"), "a")["summary"]), /# Summary/);
  });

  it("run one job alone, as if those before it had succeeded", async () => {
    const ended = await repository.run("failed-outputs", {}, "a");
    assert.deepEqual(ended.outcomes, { a: "failed" });
    assert.deepEqual((await repository.run("ancestor-skipped", {}, "c")).outcomes, { c: "succeeded" });
  });
});

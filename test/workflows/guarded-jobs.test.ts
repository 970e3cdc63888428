// Jobs that ordinary runs never reach, and cannot run here: the rest of their workflow runs.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRepository } from "./repository.ts";

const workflow = (on: string, guard: string, steps = "{ uses: some/docker-check@v1 }"): string => `on: ${on}
jobs:
  test: { runs-on: ubuntu-latest, steps: [{ run: echo tested }] }
  release:
    needs: test
    ${guard === "" ? "" : `if: ${guard}\n    `}runs-on: ubuntu-latest
    steps: [${steps}]
`;
const USUAL = "{ push: { branches: [main], tags: ['**'] }, pull_request: {}, workflow_dispatch: {} }";

describe("a job that cannot run here", async () => {
  const repository = await createRepository({
    tag: workflow(USUAL, "\"success() && startsWith(github.ref, 'refs/tags/')\""),
    event: workflow("[push, release]", "github.event_name == 'release'"),
    elsewhere: workflow("[push, pull_request]", "github.repository == 'acme/original'"),
    called: `on: push\njobs: { call: { if: "github.ref_type == 'tag'", uses: ./.github/workflows/inner.yml } , a: { runs-on: ubuntu-latest, steps: [{ run: echo a }] } }\n`,
    inner: "on: workflow_call\njobs: { x: { runs-on: ubuntu-latest, steps: [{ uses: some/docker-check@v1 }] } }\n",
    always: workflow(USUAL, ""),
    "pull-requests": workflow(USUAL, "github.event_name == 'pull_request'"),
    unknown: workflow(USUAL, "\"needs.test.outputs.release == 'true'\""),
    tagged: workflow("{ push: { tags: ['v*'] } }", "startsWith(github.ref, 'refs/tags/')"),
    wrong: workflow("push", "github.event.commits[0].message.x == fromJSON('{')"),
    published: workflow("push", "", "{ uses: some/docker-check@v1 }, { uses: pypa/gh-action-pypi-publish@release/v1 }"),
  });
  const stateOf = (name: string) => repository.found.find((one) => one.name === name)?.state;
  const strict = await createRepository(
    { tag: workflow(USUAL, "startsWith(github.ref, 'refs/tags/')") },
    { unsupported: "strict" },
  );

  it("keeps its workflow from running unless its condition keeps it out of pushes and pull requests", () => {
    for (const name of ["tag", "event", "elsewhere", "called"]) assert.equal(stateOf(name), "ready", name);
    for (const name of ["always", "pull-requests", "unknown", "tagged", "wrong"])
      assert.equal(stateOf(name), "refused", name);
    assert.equal(strict.found[0]?.state, "refused");
  });

  it("is told as a warning, with what its mirror lacks", () => {
    const found = repository.found.find(({ name }) => name === "tag");
    assert.deepEqual(found?.missing, ["some/docker-check@v1"]);
    const [warning] = found?.warnings ?? [];
    assert.match(warning?.message ?? "", /not built in.*keeps job "release" out of pushes and pull requests/);
    assert.equal(warning?.line, 8);
  });

  it("is skipped by a push, and fails a run that reaches it", async () => {
    const pushed = await repository.run("tag", { event: "push" });
    assert.deepEqual(pushed.outcomes, { test: "succeeded", release: "skipped" });
    assert.equal(pushed.status, "succeeded");
    const tagged = await repository.run("tag", { event: { name: "push", ref: "refs/tags/v1" } });
    assert.deepEqual(tagged.outcomes, { test: "succeeded", release: "failed" });
    assert.match(
      JSON.stringify(tagged.steps.find(({ step }) => step === "release")?.error),
      /WORKFLOWS_JOB_CANNOT_RUN.*some\/docker-check@v1 is not built in/,
    );
  });

  it("does not count where it is left out as a whole", async () => {
    assert.equal(stateOf("published"), "ready");
    assert.deepEqual((await repository.run("published")).outcomes, { test: "succeeded" });
  });
});

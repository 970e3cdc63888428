// What the command line says of workflows.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

async function projectOf(workflows: Readonly<Record<string, string>>, settings = ""): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, ".github/workflows"), { recursive: true });
  await writeFile(join(folder, "esteira.yaml"), `name: shop\n${settings}`);
  for (const [name, text] of Object.entries(workflows))
    await writeFile(join(folder, `.github/workflows/${name}.yml`), text);
  return folder;
}

const PARTLY = `on: push
jobs:
  win: { runs-on: windows-latest, steps: [{ run: x }] }
  linux: { runs-on: ubuntu-latest, steps: [{ run: echo said }] }
`;

it("workflow check names what is left out with its place; --strict counts it as a problem", async () => {
  const folder = await projectOf({
    partly: PARTLY,
    labels: "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ uses: actions/labeler@v5 }] } }\n",
  });
  const checked = await runEsteira(folder, ["workflow", "check"]);
  assert.equal(checked.code, 0, checked.stderr);
  assert.match(checked.stdout, /partly\.yml:3:\d+ {2}job "win" runs on windows-latest.*left out/);
  assert.match(checked.stdout, /labels\.yml {2}labels {2}for GitHub or another system alone/);
  assert.equal((await runEsteira(folder, ["workflow", "check", "partly.yml", "--strict"])).code, 1);
  const started = await runEsteira(folder, ["workflow", "run", "partly.yml", "--strict"]);
  assert.equal(started.code, 1);
  assert.match(started.stderr, /WORKFLOWS_WORKFLOW_CANNOT_RUN/);
  const json = await runEsteira(folder, ["workflow", "check", "partly.yml", "--json"]);
  const [found] = JSON.parse(json.stdout);
  assert.deepEqual(
    [found.state, found.problems, found.left_out[0].line, Object.keys(found.left_out[0])],
    ["ready", [], 3, ["file", "line", "column", "message"]],
  );
});

it("workflow check lists what the mirror lacks, each once", async () => {
  const uses =
    "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ uses: acme/x/sub@v1 }, { uses: acme/x@v1 }] } }\n";
  const folder = await projectOf({ one: uses, two: uses });
  const checked = await runEsteira(folder, ["workflow", "check"]);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /Repositories of actions that are missing.*\n {2}acme\/x@v1\n?$/);
});

it("unsupported: strict, an environment with approvals, and a wrong word are told", async () => {
  const strict = await projectOf({ partly: PARTLY }, "workflows: { unsupported: strict }\n");
  assert.match((await runEsteira(strict, ["workflow", "list"])).stdout, /cannot run here/);
  const guarded = await projectOf(
    { deploy: "on: push\njobs: { a: { runs-on: ubuntu-latest, environment: production, steps: [{ run: x }] } }\n" },
    "environments: { production: { approvals: 1 } }\n",
  );
  const checked = await runEsteira(guarded, ["workflow", "check"]);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /environment production, which the project guards/);
  const wrong = await projectOf({ partly: PARTLY }, "workflows: { unsupported: perhaps }\n");
  assert.notEqual((await runEsteira(wrong, ["workflow", "list"])).code, 0);
});

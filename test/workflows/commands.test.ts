// What the command line says of workflows.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
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

it("workflow mirror fetches what is missing, and what that names, without its history", async () => {
  const server = await temporaryFolder();
  const make = async (name: string, file: string, text: string): Promise<string> => {
    const folder = join(server, name);
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), text);
    const git = (...args: string[]): string =>
      execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { encoding: "utf8" });
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("commit", "-qm", "one");
    git("tag", "v1");
    return git("rev-parse", "HEAD").trim();
  };
  const composite = (steps: string): string => `name: x\nruns: { using: composite, steps: [${steps}] }\n`;
  const outer = await make("acme/outer", "sub/action.yml", composite("{ uses: acme/inner@v1 }"));
  await make("acme/inner", "action.yml", composite("{ run: echo from inside, shell: bash }"));
  const folder = await projectOf(
    {
      ci: "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ uses: acme/outer/sub@v1 }] } }\n",
      other: "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ uses: acme/nowhere@v9 }] } }\n",
    },
    "workflows: { mirror: vendor/actions }\n",
  );
  const from = ["--from", server];
  const made = await runEsteira(folder, ["workflow", "mirror", "ci.yml", ...from, "--json"]);
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(
    JSON.parse(made.stdout).map(({ repository }: { repository: string }) => repository),
    ["acme/outer@v1", "acme/inner@v1"],
  );
  assert.equal(JSON.parse(made.stdout)[0].commit, outer);
  assert.deepEqual(await readdir(join(folder, "vendor/actions/acme/outer@v1")), ["sub"]);
  const ran = await runEsteira(folder, ["workflow", "run", "ci.yml"]);
  assert.equal(ran.code, 0, ran.stderr);
  const all = await runEsteira(folder, ["workflow", "mirror", ...from]);
  assert.equal(all.code, 1);
  assert.match(all.stdout, /✖ acme\/nowhere@v9 .*(not appear|does not exist|no such)/i);
  assert.deepEqual((await readdir(join(folder, "vendor/actions/acme"))).toSorted(), ["inner@v1", "outer@v1"]);
  const unnamed = await runEsteira(await projectOf({ ci: PARTLY }), ["workflow", "mirror"]);
  assert.match(unnamed.stderr, /No mirror is named in esteira\.yaml/);
});

// What the command line says about runs that wait for each other, on a project of its own.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Writable } from "node:stream";
import { after, describe, it } from "node:test";
import type { RunProgress } from "#engine";
import { createRunView } from "../../src/cli/run-view.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { endProcessesOf, runEsteira } from "../setup/command-line.ts";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";

async function createProject(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const RELEASE = `steps:
  app: { run: "mkdir -p d; cp server.cjs d/", makes: { code: d }, files: [server.cjs] }
  web: { deploy: app, to: production, start: "exec node server.cjs" }
`;
const SERVER =
  'require("node:http").createServer((request, response) => response.end("ok")).listen(process.env.PORT, process.env.HOST);\n';

describeStores("runs that wait for the same approval", (kind) => {
  it(
    "are both finished by run --resume, which says what it works on first, and status shows both",
    { timeout: 180_000 },
    async () => {
      const store = kind === "sqlite" ? "" : `\nstore: { metadata: "${await createPostgresSchema()}" }`;
      const folder = await createProject({
        "esteira.yaml": `name: ships\nenvironments: { production: { approvals: 1 } }${store}\n`,
        "pipelines/p.yaml": RELEASE,
        "server.cjs": SERVER,
      });
      after(async () => {
        await endProcessesOf(folder);
      });
      const older = JSON.parse((await runEsteira(folder, ["run", "p", "--json"])).stdout) as {
        id: string;
        status: string;
      };
      const newer = JSON.parse((await runEsteira(folder, ["run", "p", "--json"])).stdout) as {
        id: string;
        status: string;
        steps: object;
      };
      assert.deepEqual(newer.steps, { succeeded: 1, cached: 1, waiting: 1 });
      assert.deepEqual([older.status, newer.status], ["waiting", "waiting"]);
      const early = await runEsteira(folder, ["run", "--resume"]);
      assert.equal(early.code, 2);
      assert.match(early.stderr, new RegExp(`${newer.id} of p waits; what for: esteira approval list`));
      const named = await runEsteira(folder, ["run", "--resume", newer.id]);
      assert.equal(named.code, 3, named.stderr);
      assert.match(named.stdout, /⏸ Waiting: .*approv/);

      const { stdout: status } = await runEsteira(folder, ["status"]);
      assert.match(status, new RegExp(`${newer.id}[^]*Not finished[^]*waiting[^]*${older.id}`));

      const created = await runEsteira(folder, ["user", "create", "rui", "--role", "reviewer", "--json"]);
      const { token } = JSON.parse(created.stdout) as { token: string };
      const { pending } = JSON.parse((await runEsteira(folder, ["approval", "list", "--json"])).stdout) as {
        pending: readonly { digest: string }[];
      };
      const approved = await runEsteira(folder, ["approve", pending[0]?.digest ?? "", "--environment", "production"], {
        ESTEIRA_TOKEN: token,
      });
      assert.equal(approved.code, 0, approved.stderr);

      const resumed = await runEsteira(folder, ["run", "--resume"]);
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.match(
        resumed.stderr,
        new RegExp(`Pipeline run ${older.id} of p holds the place that this one waits for: it is worked on first`),
      );
      const runs = JSON.parse((await runEsteira(folder, ["status", older.id, "--json"])).stdout) as { status: string };
      assert.equal(runs.status, "succeeded");
      const releases = JSON.parse(
        (await runEsteira(folder, ["release", "list", "--json"])).stdout,
      ) as readonly unknown[];
      assert.equal(releases.length, 1);
    },
  );
});

describe("--store in a project whose metadata are in PostgreSQL", () => {
  it("says that it means another database, without the password", async () => {
    const folder = await createProject({
      "esteira.yaml": 'name: p\nstore: { metadata: "postgres://ana:secret@db.example:5432/mlops" }\n',
    });
    const { stdout, stderr } = await runEsteira(folder, ["status", "--store", "other", "--json"]);
    assert.deepEqual(JSON.parse(stdout), []);
    assert.match(
      stderr,
      /Note: with --store the metadata are in .*other\/metadata\.sqlite, not in PostgreSQL \(db\.example:5432\/mlops\), which esteira\.yaml names\./,
    );
    assert.doesNotMatch(stderr, /secret/);
    assert.match((await runEsteira(folder, ["status"], { ESTEIRA_STORE: "other" })).stderr, /with ESTEIRA_STORE/);
  });

  it("says nothing where esteira.yaml names none", async () => {
    const folder = await createProject({ "esteira.yaml": "name: p\n" });
    assert.equal((await runEsteira(folder, ["status", "--store", "other"])).stderr, "");
  });
});

describe("a step that has only just been taken", () => {
  it("is not called running before it is known to be skipped or cached, and is while it works", () => {
    const said: string[] = [];
    const output = new Writable({ write: (piece: Buffer, _encoding, done) => (said.push(piece.toString()), done()) });
    const view = createRunView(createTerminal({ output, errors: output, color: false, language: "en" }));
    const look = (exported: object, trained: object): void => {
      const stepRuns = [
        { id: "1", step: "export", cached: false, ...exported },
        { id: "2", step: "train", cached: false, startedAtMs: 0, ...trained },
      ];
      view.show({ run: { id: "r", pipeline: "p" }, counts: {}, stepRuns } as unknown as RunProgress);
    };
    look({ status: "running" }, { status: "running" });
    look({ status: "skipped", reason: "when is false: params.all" }, { status: "running" });
    look({ status: "skipped", reason: "when is false: params.all" }, { status: "failed", error: { message: "no" } });
    assert.equal(
      said.join(""),
      "Pipeline run r of p\n  ↷ skipped  export  when is false: params.all\n  ▶ running  train\n  ✖ failed  train  no\n",
    );
  });
});

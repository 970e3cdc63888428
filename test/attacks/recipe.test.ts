import assert from "node:assert/strict";
import { copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, it } from "node:test";
import type { PendingApproval, RecipeDifference } from "#api";
import { openStorePlatform, type Platform } from "#app";
import { silentLog } from "#base";
import { loadProjectConfig, readSettings } from "#config";
import type { StoreKind } from "#metadata-store";
import { getPipelineRun } from "#engine";
import { callApi } from "#server";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";
import { readCase } from "../serving/served.ts";

const MODELS = join(import.meta.dirname, "..", "serving", "models");

const PIPELINE = `params: { c: "1.0" }
steps:
  raw: { capture: { files: "in/*.csv" } }
  training: { sql: sql/training.sql }
  delay: { python: jobs/train.py, args: ["\${{ params.c }}"], requirements: requirements.txt, makes: model, files: "model/*" }
  judged: { test: delay, require: ["roc_auc >= 0.2"] }
  live: { deploy: delay, to: production, needs: judged }
`;

const TRAIN = `import json, shutil, sys
import esteira
import helper
rows = esteira.input("training")
folder = esteira.output("delay")
shutil.copy("model/late.onnx", folder / "model.onnx")
model = json.load(open("model/model.json"))
model["example"]["distance"] = 500 * float(sys.argv[1]) * helper.scale()
json.dump(model, open(folder / "model.json", "w"))
`;

/** A project whose model is in production with one approval of its recipe. */
interface Attacked {
  readonly folder: string;
  readonly platform: Platform;
  write(path: string, text: string): Promise<void>;
  /** Runs the pipeline until it ends or waits; says how the deployment ended. */
  run(params?: Readonly<Record<string, unknown>>): Promise<string>;
  /** What waits for approval. */
  pending(): Promise<readonly PendingApproval[]>;
  approve(digest: string): Promise<void>;
  /** What is asked to be agreed to, since the approved recipe. */
  changes(query?: { readonly after: string; readonly environment: string }): Promise<RecipeDifference>;
}

async function open(kind: StoreKind): Promise<Attacked> {
  const folder = await temporaryFolder();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const metadata = kind === "postgres" ? `store: { metadata: "${await createPostgresSchema()}" }\n` : "";
  await write("esteira.yaml", `name: p\n${metadata}environments: { production: { approvals: 1, bind: source } }\n`);
  await write("pipelines/delay.yaml", PIPELINE);
  await write("sql/training.sql", "select distance, hour, origin, late, 'test' as split from raw\n");
  await write("in/a.csv", rowsOf(1));
  await write("requirements.txt", "");
  await write("jobs/train.py", TRAIN);
  await write("jobs/helper.py", "def scale():\n    return 1.0\n");
  const { model } = await readCase("late-by-columns");
  await write(
    "model/model.json",
    JSON.stringify({ ...model, format: "esteira.model/1", runtime: "onnx", file: "model.onnx", label: "late" }),
  );
  await copyFile(join(MODELS, "late-by-columns.onnx"), join(folder, "model/late.onnx"));
  const opened = await openStorePlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    settings: readSettings({ PATH: process.env["PATH"] ?? "", HOME: folder }),
    log: silentLog,
  });
  after(() => opened.close());
  const platform = await opened.whole();
  opened.setUrl("http://127.0.0.1:1");
  const reviewer = { name: "rui", kind: "local", roles: [{ project: "*", role: "reviewer" }] } as const;
  const call = { identity: reviewer, signal: new AbortController().signal };
  return {
    folder,
    platform,
    write,
    async run(params = {}) {
      await platform.registerProject("ana");
      const id = await platform.engine.submit({ pipeline: "delay", actor: "ana", params });
      await platform.engine.runToEnd(id, undefined, { untilWaiting: true });
      const { stepRuns } = await getPipelineRun(platform.store, id);
      const failed = stepRuns.find(({ status }) => status === "failed");
      assert.equal(failed, undefined, JSON.stringify(failed));
      return stepRuns.find(({ step }) => step === "live")?.status ?? "none";
    },
    pending: async () => (await callApi(platform, "listApprovals", call)).pending,
    changes: (query) => callApi(platform, "getRecipe", { ...call, params: { name: "delay" }, query: query ?? {} }),
    async approve(digest) {
      await callApi(platform, "createApproval", {
        ...call,
        body: { decision: "approved", subjectKind: "recipe", digest, environment: "production" },
      });
    },
  };
}

function rowsOf(seed: number): string {
  const rows = Array.from({ length: 200 }, (_, index) => {
    const hour = (index * 7 + seed) % 24;
    return `${100 + index},${hour},${["ATL", "DEN", "ORD"][index % 3]},${hour > 15}`;
  });
  return `distance,hour,origin,late\n${rows.join("\n")}\n`;
}

async function openApproved(kind: StoreKind): Promise<Attacked> {
  const attacked = await open(kind);
  assert.equal(await attacked.run(), "waiting");
  const [asked] = await attacked.pending();
  assert.equal(asked?.subjectKind, "recipe");
  await attacked.approve(asked.digest);
  assert.equal(await attacked.run(), "succeeded");
  return attacked;
}

/** Each changes one part of what an approved model is made of. */
const ATTACKS: Readonly<Record<string, (attacked: Attacked) => Promise<Readonly<Record<string, unknown>> | void>>> = {
  "a module that the script imports": ({ write }) => write("jobs/helper.py", "def scale():\n    return -1.0\n"),
  "the file behind a link that the script imports": async ({ folder, write }) => {
    await rm(join(folder, "jobs/helper.py"));
    await write("jobs/real.py", "def scale():\n    return -2.0\n");
    await symlink("real.py", join(folder, "jobs/helper.py"));
  },
  "a weakened gate": ({ write }) => write("pipelines/delay.yaml", PIPELINE.replace(">= 0.2", ">= 0.0")),
  "a parameter of the run": () => Promise.resolve({ c: "1.5" }),
  "the SQL of the training data": ({ write }) =>
    write("sql/training.sql", "select hour as distance, distance as hour, origin, late, 'test' as split from raw\n"),
  "the requirements": ({ write }) => write("requirements.txt", "# nothing\n"),
  "a file that the step declares": ({ write }) => write("model/more.txt", "other weights"),
  "how it is deployed": ({ write }) =>
    write("pipelines/delay.yaml", PIPELINE.replace("to: production", "to: production, endpoint: other")),
};

describeStores("an approved recipe", (kind) => {
  it("is compared line by line to the one that is approved for the environment, and hides nothing from who reads it", async () => {
    const attacked = await openApproved(kind);
    const sql = "select distance, hour, origin, late, 'test' as split from raw\n";
    // A terminal would go back to the start of the line; an editor would turn the text around.
    await attacked.write("sql/training.sql", `${sql}-- where late\r--\u202e evil\u001b[2K\n`);
    await attacked.write("in/b.csv", rowsOf(2));
    assert.equal(await attacked.run(), "waiting");
    const [asked] = await attacked.pending();
    assert.equal(asked?.asset, "delay");
    const { before, changes } = await attacked.changes({ after: asked.digest, environment: "production" });
    assert.equal(before?.label, "approved");
    const lines = changes.flatMap((change) => (change.part === "file" ? [`${change.name}\n${change.lines}`] : []));
    assert.deepEqual(lines, [
      `sql/training.sql\n@@ -1,1 +1,2 @@\n ${sql}+-- where late\\u000d--\\u202e evil\\u001b[2K`,
    ]);
    const elsewhere = await attacked.changes({ after: asked.digest, environment: "staging" });
    assert.equal(elsewhere.before, undefined);
    assert.ok(elsewhere.changes.every((change) => change.lines === undefined));
  });

  for (const [part, change] of Object.entries(ATTACKS))
    it(`lets nothing through that was made with another: ${part}`, async () => {
      const attacked = await openApproved(kind);
      const params = (await change(attacked)) ?? {};
      // Without new data the same model may come out, which is live already.
      await attacked.write("in/b.csv", rowsOf(2));
      assert.equal(await attacked.run(params), "waiting");
      assert.deepEqual(
        (await attacked.pending()).map(({ subjectKind }) => subjectKind),
        ["recipe"],
      );
      const { changes, before, after: now } = await attacked.changes();
      assert.deepEqual([before?.label, now.label], ["approved", "waiting"]);
      assert.ok(changes.length > 0);
    });

  it("goes on with new data, and with changes of what is not part of it", async () => {
    const attacked = await openApproved(kind);
    await attacked.write("in/b.csv", rowsOf(2));
    await attacked.write("jobs/unused.py", "# of no step\n");
    await attacked.write("pipelines/delay.yaml", `# a comment\n${PIPELINE}`);
    assert.equal(await attacked.run(), "succeeded");
    assert.deepEqual(await attacked.pending(), []);
  });
});

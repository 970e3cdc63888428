import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { readCase } from "../serving/served.ts";
import { runEsteira } from "../setup/command-line.ts";
import { startS3Server } from "../setup/s3-server.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const MODELS = join(import.meta.dirname, "..", "serving", "models");
const KEYS = { THE_KEY: "AKIATESTTESTTESTTEST", THE_SECRET: "secret-that-nobody-may-log" };
const FILES: Readonly<Record<string, string>> = {
  "pipelines/delay.yaml": `steps:
  raw: { capture: { files: "in/*.csv", version_per: file }, write: append }
  training: { sql: sql/training.sql }
  delay: { run: "sh jobs/train.sh", inputs: [training], makes: { model: made }, files: ["model/*", "jobs/*"] }
  judged: { test: delay, require: ["roc_auc >= 0.2"] }
  live: { deploy: delay, to: production, needs: judged }
  app: { run: mkdir -p dist && echo built > dist/app.txt, makes: { code: dist/ } }
`,
  "sql/training.sql": "select distance, hour, origin, late, 'test' as split from raw\n",
  // A step reads the files of its input in place.
  "jobs/train.sh": `set -e
head -c 4 "$(find "$(sed -n 's/.*"path": *"\\([^"]*\\/training\\)".*/\\1/p' "$ESTEIRA_CONTEXT" | head -1)" -name '*.parquet' | head -1)" | grep -q PAR1
mkdir -p made && cp model/* made/
`,
  "in/a.csv": "distance,hour,origin,late\n100,8,GRU,0\n900,18,JFK,1\n450,12,GRU,0\n1200,20,LAX,1\n",
  "in/b.csv": "distance,hour,origin,late\n300,9,GRU,0\n2900,19,JFK,1\n",
};

interface Outcome {
  readonly versions: readonly string[];
  readonly rows: unknown;
  readonly artifacts: readonly string[];
  readonly exported: readonly string[];
}

/** Runs the whole cycle in a project, with a server that is started again in between. */
async function runProject(store: string, atRest: (folder: string) => Promise<void>): Promise<Outcome> {
  const folder = await temporaryFolder();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  await write("esteira.yaml", `name: p\n${store}environments: { production: {} }\n`);
  for (const [path, text] of Object.entries(FILES)) await write(path, text);
  const { model } = await readCase("late-by-columns");
  await write(
    "model/model.json",
    JSON.stringify({ ...model, format: "esteira.model/1", runtime: "onnx", file: "late.onnx", label: "late" }),
  );
  await copyFile(join(MODELS, "late-by-columns.onnx"), join(folder, "model/late.onnx"));
  const said: string[] = [];
  const command = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runEsteira(folder, words, KEYS);
    said.push(stdout, stderr);
    assert.equal(code, 0, `esteira ${words.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  await command("run", "delay");
  await atRest(folder);

  const server = await startServer(folder, KEYS);
  let outcome: Omit<Outcome, "exported">;
  try {
    const ask = async (path: string, options: RequestInit = {}): Promise<Response> => {
      const answer = await fetch(server.url + path, options);
      assert.ok(answer.ok, `${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
      return answer;
    };
    const { rows } = (await (await ask("/api/v1/datasets/training/rows")).json()) as { rows: unknown };
    const runs = (await (
      await ask("/api/2.0/mlflow/runs/search", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ experiment_ids: ["0", "1", "2"] }),
      })
    ).json()) as { runs: { info: { run_id: string; artifact_uri: string } }[] };
    const [run] = runs.runs;
    assert.ok(run);
    const at = run.info.artifact_uri.replace("mlflow-artifacts:/", "/api/2.0/mlflow-artifacts/artifacts/");
    await ask(`${at}/notes/a%20b.txt`, { method: "PUT", body: "0123456789" });
    const part = await ask(`${at}/notes/a%20b.txt`, { headers: { range: "bytes=2-4" } });
    assert.deepEqual([part.status, await part.text()], [206, "234"]);
    const listed = async (path: string): Promise<readonly string[]> => {
      const query = `run_id=${run.info.run_id}${path === "" ? "" : `&path=${encodeURIComponent(path)}`}`;
      const { files = [] } = (await (await ask(`/api/2.0/mlflow/artifacts/list?${query}`)).json()) as {
        files?: { path: string; is_dir: boolean; file_size?: number }[];
      };
      const inside = await Promise.all(files.filter((file) => file.is_dir).map((file) => listed(file.path)));
      return [
        ...files.filter((file) => !file.is_dir).map((file) => `${file.path} ${file.file_size}`),
        ...inside.flat(),
      ];
    };
    const predicted = await ask("/api/v1/predict/delay", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ rows: [{ distance: 100, hour: 8, origin: "GRU" }] }),
    }).catch(() => undefined);
    assert.ok(predicted === undefined || predicted.ok);
    outcome = { versions: versionsOf(folder), rows, artifacts: await listed("") };
  } finally {
    await server.stop();
  }
  // A machine that has none of it yet.
  await rm(join(folder, ".esteira/cache"), { recursive: true, force: true });
  await command("verify");
  await command("model", "export", "delay", "--to", join(folder, "package"));
  const exported = (await readdir(join(folder, "package"), { recursive: true })).filter((name) => /sha256/.test(name));
  assert.doesNotMatch(said.join(""), /secret-that-nobody/);
  return {
    ...outcome,
    exported: exported.filter((name) => name.length > 70).map((name) => name.split("/").at(-1) ?? ""),
  };
}

function versionsOf(folder: string): readonly string[] {
  const database = new DatabaseSync(join(folder, ".esteira/metadata.sqlite"), { readOnly: true });
  try {
    return (
      database
        // A verdict names the judged version by its id, which is new in every store.
        .prepare("select asset, version, digest from asset_version where asset <> 'judged' order by asset, version")
        .all()
        .map((row) => `${String(row["asset"])} ${String(row["version"])} ${String(row["digest"])}`)
    );
  } finally {
    database.close();
  }
}

describe("a project whose bytes are in a bucket", async () => {
  const s3 = await startS3Server();
  if ("problem" in s3) {
    it("needs moto", { skip: s3.problem }, () => undefined);
    return;
  }

  it("makes what the same project makes in a folder, and keeps nothing of it on the machine", async () => {
    const bucket = await s3.makeBucket();
    const store = `store: { storage: "s3://${bucket}/team/p", endpoint: "${s3.endpoint}", addressing: path, credentials: { key: THE_KEY, secret: THE_SECRET } }\n`;
    const inFolder = await runProject("", async () => undefined);
    const inBucket = await runProject(store, async (folder) => {
      const kept = await readdir(join(folder, ".esteira"));
      for (const name of ["objects", "datasets", "artifacts"])
        assert.ok(!kept.includes(name), `${name} is on the machine`);
      await rm(join(folder, ".esteira/cache"), { recursive: true });
    });
    assert.ok(inFolder.versions.length >= 5, inFolder.versions.join("\n"));
    assert.deepEqual(inBucket.versions, inFolder.versions);
    assert.deepEqual(inBucket.rows, inFolder.rows);
    assert.ok(
      inFolder.artifacts.some((path) => path.includes("late.onnx")),
      inFolder.artifacts.join("\n"),
    );
    assert.deepEqual(inBucket.artifacts, inFolder.artifacts);
    assert.ok(inFolder.exported.length > 3);
    assert.equal(inBucket.exported.length, inFolder.exported.length);
    const keys = await s3.boto(
      "print(len(s3.list_objects_v2(Bucket=args[0], Prefix='team/p/').get('Contents', [])), s3.list_objects_v2(Bucket=args[0]).get('KeyCount'))",
      bucket,
    );
    const [below, all] = keys.split(" ");
    assert.ok(Number(below) > 20);
    assert.equal(below, all);
  });

  it("says at the first command what is wrong with the bucket", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "pipelines"));
    await mkdir(join(folder, "in"));
    await writeFile(join(folder, "in/a.csv"), "a\n1\n");
    await writeFile(join(folder, "pipelines/one.yaml"), 'steps:\n  raw: { capture: { files: "in/*.csv" } }\n');
    const run = async (store: string, keys: Record<string, string> = KEYS): Promise<string> => {
      await writeFile(join(folder, "esteira.yaml"), `name: p\nstore: { ${store} }\n`);
      const { code, stdout, stderr } = await runEsteira(folder, ["run", "one"], keys);
      assert.notEqual(code, 0, stdout);
      return stdout + stderr;
    };
    const place = `endpoint: "${s3.endpoint}", addressing: path`;
    const names = "credentials: { key: THE_KEY, secret: THE_SECRET }";
    assert.match(await run(`storage: "s3://not-there", ${place}, ${names}`), /no bucket "not-there"/);
    assert.match(await run(`storage: "s3://not-there", ${place}, ${names}`, {}), /THE_KEY is not set/);
    const inPlain = await run(`storage: "s3://bucket", ${place}, credentials: { key: AKIAIOSFODNN7EXAMPLE }`);
    assert.match(inPlain, /looks like a key/);
    assert.match(await run('storage: "gs://bucket"'), /s3:\/\/bucket/);
    assert.match(await run('endpoint: "http://host"'), /name it with storage/);
    assert.match(await run('storage: "s3://bucket", endpoint: "http://me:word@host"'), /no user/);
  });
});

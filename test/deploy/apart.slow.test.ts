// The commands and the project file of deploy/compose: servers that share a database and a bucket, and no folder.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import { z } from "zod";
import { readCase } from "../serving/served.ts";
import { runEsteira } from "../setup/command-line.ts";
import { startS3Server, type TestS3Server } from "../setup/s3-server.ts";
import { createPostgresDatabase, storeKinds, temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MODELS = join(ROOT, "test/serving/models");
const noPostgres = storeKinds.includes("postgres") ? false : "STORES leaves PostgreSQL out";
const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "AKIATESTTESTTESTTEST",
  AWS_SECRET_ACCESS_KEY: "secret-that-nobody-may-log",
  ESTEIRA_SECRETS_KEY: Buffer.alloc(32, 7).toString("base64"),
};
const FILES: Readonly<Record<string, string>> = {
  "pipelines/delay.yaml": `steps:
  raw: { capture: { files: "in/*.csv" } }
  training: { sql: sql/training.sql }
  delay: { run: "mkdir -p made && cp model/* made/", inputs: [training], makes: { model: made }, files: ["model/*"] }
  judged: { test: delay, require: ["roc_auc >= 0.2"] }
  live: { deploy: delay, to: trial, needs: judged }
`,
  "sql/training.sql": "select distance, hour, origin, late, 'test' as split from raw\n",
  "in/a.csv": "distance,hour,origin,late\n100,8,GRU,0\n900,18,JFK,1\n450,12,GRU,0\n1200,20,LAX,1\n",
};

interface Place {
  /** The project's folder of one machine. */
  readonly folder: string;
}

const COPY_BUCKET = `
origin, target = args
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=origin):
    for found in page.get("Contents", []):
        s3.copy_object(Bucket=target, Key=found["Key"], CopySource={"Bucket": origin, "Key": found["Key"]})
`;

interface Cluster {
  readonly s3: TestS3Server;
  /** File of the key that signs the event log. */
  readonly auditKey: string;
  readonly bucket: string;
  readonly address: string;
  /** A machine of its own: nothing in its folders but the project. */
  readonly machine: () => Promise<Place>;
  readonly start: (place: Place, words: readonly string[]) => Promise<{ readonly url: string; kill(): Promise<void> }>;
}

/** Words of a service of the compose file, as Compose hands them on. */
async function commandOf(service: string): Promise<readonly string[]> {
  const compose = z
    .looseObject({ services: z.record(z.string(), z.looseObject({ command: z.array(z.string()).optional() })) })
    .parse(parse(await readFile(join(ROOT, "deploy/compose/compose.yaml"), "utf8"), { merge: true }));
  const [program, ...words] = compose.services[service]?.command ?? [];
  assert.equal(program, "esteira");
  return words.map((word) => word.replace("${ESTEIRA_NAME:-localhost}", "localhost"));
}

/** @param like has its key for the event log, as a store that is restored elsewhere */
async function openCluster(like?: Cluster): Promise<Cluster | { readonly problem: string }> {
  const s3 = like?.s3 ?? (await startS3Server());
  if ("problem" in s3) return s3;
  const bucket = await s3.makeBucket();
  const { address } = await createPostgresDatabase();
  const auditKey = like?.auditKey ?? join(await temporaryFolder(), "audit.pem");
  if (like === undefined) execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", auditKey]);
  const { model } = await readCase("late-by-columns");
  const machine = async (): Promise<Place> => {
    const folder = await temporaryFolder();
    const project = (await readFile(join(ROOT, "deploy/compose/project/esteira.yaml"), "utf8"))
      .replace("postgres://esteira@postgres/esteira", address)
      .replace("s3://esteira/harbour", `s3://${bucket}/harbour`)
      .replace("http://bucket:9000", s3.endpoint)
      .replace("/var/lib/esteira/store", join(folder, "state"))
      .replace("/etc/esteira/audit.pem", auditKey);
    const files = {
      ...FILES,
      "esteira.yaml": `${project}  trial: {}\n`,
      "model/model.json": JSON.stringify({
        ...model,
        format: "esteira.model/1",
        runtime: "onnx",
        file: "late.onnx",
        label: "late",
      }),
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    await copyFile(join(MODELS, "late-by-columns.onnx"), join(folder, "model/late.onnx"));
    return { folder };
  };
  return { s3, auditKey, bucket, address, machine, start: (place, words) => start(place, words) };
}

async function start(
  { folder }: Place,
  words: readonly string[],
): Promise<{ readonly url: string; kill(): Promise<void> }> {
  const child = spawn(join(ROOT, "bin/esteira"), [...words, "--port", "0", "--json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...ENVIRONMENT },
  });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  after(kill);
  let said = "";
  child.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
  const url = await new Promise<string>((found, failed) => {
    child.once("exit", () => failed(new Error(`the server ended: ${said}`)));
    child.stdout.on("data", (piece: Buffer) => {
      said += piece.toString();
      const listening = /"url":"([^"]+)"/.exec(said)?.[1];
      if (listening !== undefined) found(listening);
    });
  });
  await until(async () => ((await fetch(`${url}/readyz`)).status === 200 ? true : undefined));
  return { url, kill };
}

async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (const end = Date.now() + 90_000; Date.now() < end; await delay(100)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("it did not happen within 90 s");
}

async function succeeds({ folder }: Place, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runEsteira(folder, words, ENVIRONMENT);
  assert.equal(code, 0, `esteira ${words.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

describe("servers of the compose file, on machines of their own", { skip: noPostgres }, () => {
  it("run a pipeline, serve what it deploys, go on when the machine with the engine is gone, and are restored elsewhere", async (t) => {
    const cluster = await openCluster();
    if ("problem" in cluster) return t.skip(cluster.problem);
    const [first, second, third] = [await cluster.machine(), await cluster.machine(), await cluster.machine()];
    const { code, stdout, stderr } = await runEsteira(
      first.folder,
      ["user", "create", "ana", "--role", "admin", "--json"],
      ENVIRONMENT,
    );
    assert.equal(code, 0, stderr);
    const { token } = z.looseObject({ token: z.string() }).parse(JSON.parse(stdout));
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

    const front = await cluster.start(first, await commandOf("front"));
    const work = await cluster.start(second, await commandOf("work"));
    const ask = async (url: string, path: string, body?: unknown): Promise<Response> =>
      fetch(url + path, { headers, ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }) });
    const run = async (): Promise<string> => {
      const submitted = await ask(front.url, "/api/v1/pipelines/delay/runs", {});
      assert.ok(submitted.ok, await submitted.clone().text());
      const { id } = z.looseObject({ id: z.string() }).parse(await submitted.json());
      return until(async () => {
        const text = await (await ask(front.url, `/api/v1/pipeline-runs/${id}`)).text();
        const { status } = z.looseObject({ status: z.string() }).parse(JSON.parse(text));
        if (["queued", "running"].includes(status)) return undefined;
        assert.equal(status, "succeeded", text);
        return id;
      });
    };
    await run();

    // What the engine wrote into the bucket, a machine reads that never saw it.
    const rows = await ask(front.url, "/api/v1/datasets/training/rows");
    assert.equal(rows.status, 200, await rows.clone().text());
    assert.match(await rows.text(), /GRU/);
    const question = { rows: [{ features: { distance: 900, hour: 18, origin: "JFK" } }] };
    const predict = (url: string) => ask(url, "/endpoints/trial/delay/predict", question);
    assert.equal((await predict(front.url)).status, 503);
    const answered = await predict(work.url);
    assert.equal(answered.status, 200, await answered.clone().text());

    await work.kill();
    const other = await cluster.start(third, await commandOf("work"));
    const again = await predict(other.url);
    assert.equal(again.status, 200, await again.clone().text());
    await run();

    // Both signed with one key: the log is one.
    for (const place of [first, third]) await succeeds(place, "audit", "verify");
    await succeeds(third, "verify", "--deep");

    // The whole of it, into another database, another bucket and another folder.
    // The database first, while everything runs: what it names is in the bucket by then, and content stays.
    const elsewhere = await openCluster(cluster);
    if ("problem" in elsewhere) return t.skip(elsewhere.problem);
    const dump = execFileSync("pg_dump", ["--no-owner", cluster.address], { maxBuffer: 2 ** 30 });
    await run();
    await cluster.s3.boto(COPY_BUCKET, cluster.bucket, elsewhere.bucket);
    execFileSync("psql", ["--quiet", "--set=ON_ERROR_STOP=1", elsewhere.address], {
      input: dump,
      stdio: ["pipe", "ignore", "pipe"],
    });
    await other.kill();
    await front.kill();
    const fourth = await elsewhere.machine();
    await succeeds(fourth, "audit", "verify");
    await succeeds(fourth, "verify", "--deep");
    const restored = await elsewhere.start(fourth, ["up"]);
    assert.equal((await predict(restored.url)).status, 200);
    assert.match(await (await ask(restored.url, "/api/v1/datasets/training/rows")).text(), /GRU/);
    assert.match(await succeeds(fourth, "run", "delay"), /cached/);
  });
});

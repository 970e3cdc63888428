/**
 * What a request costs from its head to its answer, against the same server of another checkout, in the same run:
 *
 *   node bench/requests.ts --against ../esteira-before [--rounds 24] [--only log-batch]
 *
 * Both are whole servers of a project with users, on SQLite, each in a process of its own; the caller is a contributor
 * with a token. They are asked in turns, eight requests at a time. Prints the lower quartile of the rounds, and the
 * ratio.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const AT_ONCE = 8;
const REQUESTS = 400;

const { values: flags } = parseArgs({
  options: {
    against: { type: "string" },
    rounds: { type: "string", default: "24" },
    only: { type: "string", default: "" },
    serve: { type: "string" },
    folder: { type: "string", default: "" },
  },
});

/** A server of one checkout, in this process; says where it is. */
async function serve(root: string, folder: string): Promise<void> {
  const load = async (module: string): Promise<unknown> => import(join(root, "src", module, "index.ts"));
  const { openStorePlatform } = (await load("app")) as typeof import("#app");
  const { loadProjectConfig, readSettings } = (await load("config")) as typeof import("#config");
  const { silentLog, digestOf } = (await load("base")) as typeof import("#base");
  const { openServer, listen } = (await load("server")) as typeof import("#server");
  const { recordAssetVersion } = (await load("metadata-store")) as typeof import("#metadata-store");
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  const settings = readSettings({ PATH: process.env["PATH"] ?? "", HOME: folder, ESTEIRA_USER: "bench" }, false);
  const config = await loadProjectConfig(folder);
  const platform = await openStorePlatform({ config, isProject: true, settings, log: silentLog });
  await platform.access.createUser({ name: "root", actor: "bench" });
  await platform.access.createUser({ name: "ana", roles: [{ project: "p", role: "contributor" }], actor: "bench" });
  const { token } = await platform.access.createToken({ user: "ana", label: "", actor: "bench" });
  const url = await listen(await openServer(platform, { host: "127.0.0.1" }), { host: "127.0.0.1", port: 0 });
  const models = join(root, "test/serving/models");
  const { model } = JSON.parse(await readFile(join(models, "late-by-matrix.json"), "utf8")) as { model: object };
  const file = await platform.objects.putFile(join(models, "late-by-matrix.onnx"));
  const content = {
    format: "model/1",
    tree: { format: "tree/1", files: [{ path: "model.onnx", digest: file.digest, sizeBytes: file.sizeBytes }] },
    model,
    registered: { name: "delay" },
    record: {},
  };
  const made = { project: "p", asset: "delay", kind: "model", madeAtMs: 0, actor: "bench", inputs: [] } as const;
  const { version } = await platform.store.write((transaction) =>
    recordAssetVersion(transaction, { ...made, digest: digestOf("bench"), content }),
  );
  const { serving } = await platform.whole();
  await serving.target.deploy(
    { deploymentId: "bench", project: "p", environment: "production", endpoint: "delay", version, actor: "bench" },
    { signal: new AbortController().signal, log: () => {} },
  );
  console.log(JSON.stringify({ url, token }));
}

interface Peer {
  readonly url: string;
  readonly token: string;
  readonly child: ChildProcess;
  readonly agent: Agent;
  readonly folder: string;
}

async function start(root: string): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-requests-"));
  const words = ["--disable-warning=ExperimentalWarning", import.meta.filename, "--serve", root, "--folder", folder];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const place = JSON.parse(line.toString()) as { readonly url: string; readonly token: string };
  return { ...place, child, folder, agent: new Agent({ keepAlive: true, maxSockets: AT_ONCE }) };
}

function send({ url, token, agent }: Peer, path: string, body: object): Promise<string> {
  const text = JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  };
  return new Promise((done, fail) => {
    const call = request(url + path, { method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const answer = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) done(answer);
        else fail(new Error(`${path}: ${response.statusCode} ${answer.slice(0, 300)}`));
      });
    });
    call.on("error", fail);
    call.end(text);
  });
}

/** One request of each kind. */
async function worksOf(peer: Peer): Promise<ReadonlyMap<string, () => Promise<string>>> {
  const made = await send(peer, "/api/2.0/mlflow/runs/create", { experiment_id: "0", start_time: 1 });
  const { run } = JSON.parse(made) as { run: { info: { run_id: string } } };
  const id = run.info.run_id;
  let step = 0;
  const metrics = (): object[] =>
    Array.from({ length: 100 }, (_, index) => ({ key: `m${index}`, value: step, timestamp: ++step, step }));
  const inputs = ["distance", "hour"].map((name) => ({ name, datatype: "FP32", shape: [1], data: [1] }));
  const endpoint = "/endpoints/production/delay";
  return new Map([
    ["experiments/search", () => send(peer, "/api/2.0/mlflow/experiments/search", { max_results: 1 })],
    ["log-batch", () => send(peer, "/api/2.0/mlflow/runs/log-batch", { run_id: id, metrics: metrics() })],
    ["predict", () => send(peer, `${endpoint}/predict`, { rows: [{ features: { distance: 1, hour: 1 } }] })],
    ["infer", () => send(peer, `${endpoint}/v2/models/delay/infer`, { inputs })],
  ]);
}

/** Milliseconds a request. */
async function measure(work: () => Promise<string>): Promise<number> {
  const startMs = performance.now();
  let left = REQUESTS;
  const ask = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return (performance.now() - startMs) / REQUESTS;
}

const quartile = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 2] ?? 0;

/** The lower quartiles of both, in milliseconds a request; whoever went last goes first in the next round. */
async function takeTurns(works: readonly (() => Promise<string>)[]): Promise<readonly [number, number]> {
  const rounds: readonly number[][] = works.map(() => []);
  for (let round = 0; round <= Number(flags.rounds); round++) {
    for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const tookMs = await measure(works[index] ?? (async () => ""));
      if (round > 0) rounds[index]?.push(tookMs);
    }
  }
  const [before = 0, now = 0] = rounds.map(quartile);
  return [before, now];
}

async function compare(against: string): Promise<void> {
  const peers = [await start(resolve(against)), await start(resolve(import.meta.dirname, ".."))];
  try {
    const works = await Promise.all(peers.map(worksOf));
    for (const name of works[0]?.keys() ?? []) {
      if (!name.includes(flags.only)) continue;
      const [before, now] = await takeTurns(works.map((work) => work.get(name) ?? (async () => "")));
      const ratio = (now / before).toFixed(2);
      console.log(`${name.padEnd(20)} before ${before.toFixed(3)} ms, now ${now.toFixed(3)} ms, ratio ${ratio}`);
    }
  } finally {
    for (const { child, folder } of peers) {
      child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  }
}

if (flags.serve !== undefined) await serve(flags.serve, flags.folder);
else if (flags.against !== undefined) await compare(flags.against);
else throw new Error("say which checkout to compare with: --against FOLDER");

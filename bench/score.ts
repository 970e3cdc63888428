/**
 * `esteira model score` on a Parquet file, against the bare model over the same rows: an ONNX graph of 100 trees
 * through onnxruntime in Python, a scikit-learn pipeline with texts through its own `predict_proba`, both reading and
 * writing Parquet by pyarrow; in turns.
 *
 *   node bench/score.ts [--rows 1000000] [--rounds 3]
 *
 * `whole` is from the start of the process to its end; `work` is without loading the model. esteira checks every value
 * against the model's signature.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { digestOf, type Json } from "#base";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemBlobs, putTree } from "#storage";
import { testCache } from "../test/setup/cache-folder.ts";
import { testPython } from "../test/setup/python-environment.ts";
import { MODEL_PACKAGES } from "../test/setup/python-models.ts";

const PACKAGES = [...MODEL_PACKAGES, "pyarrow", "onnxruntime==1.32.0", "skl2onnx==1.20.0", "onnx"];
const NUMBERS = Array.from({ length: 8 }, (_, position) => `f${position}`);
const KINDS = ["onnx", "sklearn"] as const;
const run = promisify(execFile);

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, rounds: { type: "string", default: "3" } },
});

/** A project whose store holds both models, as steps would have left them. */
async function makeProject(folder: string): Promise<void> {
  const store = join(folder, ".esteira");
  await mkdir(store, { mode: 0o700 });
  await mkdir(join(testCache(), "test-environments", "python"), { recursive: true });
  await symlink(join(testCache(), "test-environments", "python"), join(store, "python"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  const objects = createFileSystemBlobs(join(store, "objects"));
  const metadata = await openMetadataStore(join(store, "metadata.sqlite"));
  const numbers = NUMBERS.map((name) => ({ name, type: "float" }));
  const models: Readonly<Record<(typeof KINDS)[number], Readonly<Record<string, Json>>>> = {
    onnx: { runtime: "onnx", file: "model.onnx", inputs: numbers },
    sklearn: { runtime: "python", file: "MLmodel", inputs: [{ name: "origin", type: "string" }, ...numbers] },
  };
  for (const kind of KINDS) {
    const content = {
      format: "model/1",
      tree: await putTree(objects, join(folder, kind)),
      model: { format: "esteira.model/1", task: "binary_classification", outputs: [], ...models[kind] },
      requirements: MODEL_PACKAGES,
      registered: { name: kind },
      record: {},
    };
    const facts = { project: "p", asset: kind, kind: "model", madeAtMs: 0, actor: "bench", inputs: [] } as const;
    await metadata.write((transaction) =>
      recordAssetVersion(transaction, { ...facts, digest: digestOf(JSON.stringify(content)), content }),
    );
  }
  await metadata.close();
}

interface Measured {
  readonly wholeMs: number;
  readonly workMs: number;
  readonly predictMs?: number;
}

const ESTEIRA = resolve(import.meta.dirname, "../bin/esteira");
const PEER = resolve(import.meta.dirname, "score_peer.py");

async function timed(program: string, words: readonly string[], folder: string): Promise<[number, string]> {
  const startMs = performance.now();
  const { stdout } = await run(program, [...words], { cwd: folder, maxBuffer: 2 ** 26 });
  return [performance.now() - startMs, stdout];
}

async function scoreOurs(kind: string, folder: string): Promise<Measured> {
  const words = ["model", "score", kind, "--data", "rows.parquet", "--key", "id", "--out", `${kind}.parquet`, "--json"];
  const [wholeMs, said] = await timed(ESTEIRA, words, folder);
  const { durationMs, loadMs } = JSON.parse(said) as { durationMs: number; loadMs: number };
  return { wholeMs, workMs: durationMs - loadMs };
}

async function scoreBare(python: string, kind: string, folder: string): Promise<Measured> {
  const [wholeMs, said] = await timed(python, [PEER, kind, folder], folder);
  const found = JSON.parse(said.trim().split("\n").at(-1) ?? "") as { predict: number; all: number };
  return { wholeMs, workMs: found.all * 1000, predictMs: found.predict * 1000 };
}

const made = await testPython(PACKAGES);
if ("problem" in made) throw new Error(`The peer cannot be started: ${made.problem}`);
const folder = await mkdtemp(join(tmpdir(), "esteira-score-"));
try {
  await run(made.python, [PEER, "make", folder, flags.rows], { maxBuffer: 2 ** 26 });
  await makeProject(folder);
  for (const kind of KINDS) {
    // The environment of the model is made, and what is read is in memory.
    await scoreOurs(kind, folder);
    await scoreBare(made.python, kind, folder);
    const ratios: { whole: number; work: number }[] = [];
    for (let round = 0; round < Number(flags.rounds); round++) {
      const [ours, bare] = [await scoreOurs(kind, folder), await scoreBare(made.python, kind, folder)];
      ratios.push({ whole: bare.wholeMs / ours.wholeMs, work: bare.workMs / ours.workMs });
      const seconds = (ms: number | undefined): string => ((ms ?? NaN) / 1000).toFixed(2);
      console.log(
        `${kind}: esteira ${seconds(ours.wholeMs)} s, work ${seconds(ours.workMs)} s; bare ${seconds(bare.wholeMs)} s, work ${seconds(bare.workMs)} s, of it the model ${seconds(bare.predictMs)} s`,
      );
    }
    const median = (values: readonly number[]): string =>
      (values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN).toFixed(2);
    console.log(
      `${kind}, ${flags.rows} rows: ${median(ratios.map(({ whole }) => whole))} of the bare model's speed, work alone ${median(ratios.map(({ work }) => work))}`,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

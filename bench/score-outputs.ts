/**
 * What it takes to gather list outputs of batch scoring into a table, beside plain numbers of as many rows, in turns:
 *
 *   node bench/score-outputs.ts [--rows 100000] [--width 8] [--rounds 5]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAnalytics } from "#data";
import type { ModelTensor } from "../src/serving/model-tensor.ts";
import { createScoredOutputs } from "../src/serving/scored-outputs.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "100000" },
    width: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
  },
});
const [rows, width, rounds] = [Number(flags.rows), Number(flags.width), Number(flags.rounds)];
const values = (count: number): Float64Array => Float64Array.from({ length: count }, (_, at) => at / 7);
const tensor = (name: string, given: Pick<ModelTensor, "datatype" | "shape" | "values">): ModelTensor => ({
  name,
  ...given,
});
const CASES: Readonly<Record<string, ModelTensor>> = {
  "plain numbers": tensor("score", { datatype: "FP64", shape: [], values: values(rows) }),
  "lists of FP64": tensor("score", { datatype: "FP64", shape: [width], values: values(rows * width) }),
  "lists of FP32": tensor("score", {
    datatype: "FP32",
    shape: [width],
    values: Float32Array.from(values(rows * width)),
  }),
};

const folder = await mkdtemp(join(tmpdir(), "esteira-score-outputs-"));
const analytics = createAnalytics({ folder });
try {
  const connection = await analytics.connect();
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++)
    for (const [name, given] of Object.entries(CASES)) {
      const startMs = performance.now();
      const outputs = createScoredOutputs(connection, "scored");
      await outputs.append([given], rows);
      await outputs.finish();
      times.set(name, [...(times.get(name) ?? []), performance.now() - startMs]);
    }
  const median = (all: readonly number[] = []): number =>
    all.toSorted((left, right) => left - right)[Math.floor(all.length / 2)] ?? NaN;
  const plain = median(times.get("plain numbers"));
  for (const [name, all] of times)
    console.log(
      `${rows} rows, ${name}${name === "plain numbers" ? "" : ` of ${width}`}: ${median(all).toFixed(0)} ms, ${(median(all) / plain).toFixed(1)} x plain numbers`,
    );
  connection.close();
} finally {
  analytics.close();
  await rm(folder, { recursive: true, force: true });
}

// Online reads of windows against online reads of last values of the same rows: medians and their ratios.
// Usage: node bench/windows.ts [--keys 2000] [--rows 100] [--runs 200]
import { parseArgs } from "node:util";
import { after, it } from "node:test";
import { openFeatureBench } from "../test/features/feature-bench.ts";

const { values: flags } = parseArgs({
  options: {
    keys: { type: "string", default: "2000" },
    rows: { type: "string", default: "100" },
    runs: { type: "string", default: "200" },
  },
});
const [keys, rows, runs] = [Number(flags.keys), Number(flags.rows), Number(flags.runs)];
const DEFINITIONS = `
entities: { card: { keys: [card] } }
views:
  latest: { source: payments, entities: [card], timestamp: paid, features: [amount] }
  spending:
    source: payments
    entities: [card]
    timestamp: paid
    aggregate: { n: count(1h), total: "sum(amount, 7d)", spread: "std(amount, 7d)", most: "max(amount, 7d)" }
`;
const NOW = Date.parse("2026-01-31T00:00:00Z");
const lines: string[] = [];

function median(times: readonly number[]): number {
  return times.toSorted((left, right) => left - right)[Math.floor(times.length / 2)] ?? NaN;
}

it("reads windows online", async () => {
  const bench = await openFeatureBench("sqlite");
  await bench.define(DEFINITIONS);
  await bench.make(
    "payments",
    `select i % ${keys} as card, timestamp '2026-01-31' - interval (hash(i) % 604800) second as paid, (hash(i + 1) % 10000) / 100.0 as amount from range(${keys * rows}) r(i)`,
  );
  await bench.features.catchUp();
  for (const asked of [1, 50]) {
    const times = { latest: [] as number[], spending: [] as number[] };
    for (let run = 0; run < runs; run++) {
      const entities = { card: Array.from({ length: asked }, (_, index) => (run * 61 + index * 7) % keys) };
      for (const view of ["latest", "spending"] as const) {
        const startMs = performance.now();
        await bench.features.readOnline({ features: [{ view }], entities, atMs: NOW });
        times[view].push(performance.now() - startMs);
      }
    }
    const [latest, spending] = [median(times.latest), median(times.spending)];
    lines.push(
      `${asked} ${asked === 1 ? "key" : "keys"}, ${rows} rows each in 7 days: windows ${spending.toFixed(2)} ms, last values ${latest.toFixed(2)} ms, ratio ${(spending / latest).toFixed(1)}`,
    );
  }
});
after(() => console.log(lines.join("\n")));

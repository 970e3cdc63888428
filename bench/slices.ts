/**
 * The search for slices that got worse in 1,000,000 rows × 30 columns against 300,000 held-out rows, up to three
 * conditions. Three slices are planted; prints the time beside that of DuckDB for the sums of all pairs of the same
 * coded columns (the raw limit, without any test), the longest that the event loop waited, and whether all were found.
 *
 *     node bench/slices.ts [--rows 1000000]
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAnalytics } from "#data";
import { searchInThread } from "../src/monitoring/slice-thread.ts";
import { seededRandom } from "../src/monitoring/statistics/seeded-random.ts";
import { codeSlices, type SliceRows } from "../src/monitoring/statistics/slice-search.ts";

const { values: flags } = parseArgs({ options: { rows: { type: "string", default: "1000000" } } });
const rows = Number(flags.rows);
const NUMBERS = 20;
const TEXTS = 10;
const TARGET_S = 10;

function simulate(seed: number, count: number, isWorse: boolean): SliceRows {
  const random = seededRandom(seed);
  const numbers = Array.from({ length: NUMBERS }, () => Float64Array.from({ length: count }, random));
  const names = Array.from({ length: 12 }, (_, code) => `k${code}`);
  const texts = Array.from({ length: TEXTS }, () =>
    Array.from({ length: count }, () => names[Math.floor(random() * names.length)] ?? ""),
  );
  const loss = Float64Array.from({ length: count }, (_, row) => {
    const noise = random();
    if (!isWorse) return noise;
    const one = texts[0]?.[row] === "k3" ? 0.2 : 0;
    const two = texts[1]?.[row] === "k5" && (numbers[2]?.[row] ?? 0) > 0.8 ? 0.6 : 0;
    const three = texts[3]?.[row] === "k1" && texts[4]?.[row] === "k2" && (numbers[7]?.[row] ?? 1) <= 0.2 ? 1.5 : 0;
    return noise + one + two + three;
  });
  return {
    loss,
    columns: new Map<string, ArrayLike<unknown>>([
      ...numbers.map((values, index) => [`n${index}`, values] as const),
      ...texts.map((values, index) => [`t${index}`, values] as const),
    ]),
  };
}

const [reference, current] = [simulate(1, 300_000, false), simulate(2, rows, true)];
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const start = performance.now();
const cpuStart = process.cpuUsage();
const { slices, tested } = await searchInThread(
  await codeSlices(current, reference, { predicates: 3, effect: 0.3, falseDiscovery: 0.05, minRows: 200 }),
);
const seconds = (performance.now() - start) / 1000;
const cpu = process.cpuUsage(cpuStart);
delay.disable();
console.log(`${rows} rows × ${NUMBERS + TEXTS} columns, ${tested} slices looked at`);
for (const { predicates, effect, rows: size } of slices)
  console.log(`  ${predicates.join(" and ")}: ${size} rows, effect ${effect.toFixed(2)}`);
const expected: readonly (readonly string[])[] = [["t0 = k3"], ["t1 = k5", "n2 > "], ["t3 = k1", "t4 = k2", "n7 ≤ "]];
const missed = expected.filter(
  (wanted) =>
    !slices.some(
      ({ predicates }) =>
        predicates.length === wanted.length && wanted.every((part) => predicates.some((one) => one.startsWith(part))),
    ),
);
console.log(
  `${seconds.toFixed(1)} s (target ${TARGET_S} s), ${((cpu.user + cpu.system) / 1e6).toFixed(1)} s of processor, longest wait of others ${(delay.max / 1e6).toFixed(0)} ms`,
);
console.log(`planted slices found: ${expected.length - missed.length} of ${expected.length}`);
console.log(`${(await rawSeconds()).toFixed(1)} s takes DuckDB for the sums by value of all pairs of as many columns`);
if (seconds > TARGET_S || missed.length > 0) process.exitCode = 1;

/** Losses summed by the values of each pair of columns with twelve values, in all rows of both sides, by DuckDB. */
async function rawSeconds(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-slices-"));
  const connection = await createAnalytics({ folder }).connect();
  try {
    const columns = Array.from({ length: NUMBERS + TEXTS }, (_, index) => `c${index}`);
    const drawn = columns.map((name) => `(random() * 12)::utinyint as ${name}`).join(", ");
    await connection.run(`create temp table rows as select random() as loss, ${drawn} from range(${rows + 300_000})`);
    const pairs = columns.flatMap((left, index) => columns.slice(0, index).map((right) => `(${left}, ${right})`));
    const began = performance.now();
    await connection.rows(
      `select count(*) from (select count(*), sum(loss), sum(loss * loss) from rows group by grouping sets (${pairs.join(", ")}))`,
    );
    return (performance.now() - began) / 1000;
  } finally {
    connection.close();
    await rm(folder, { recursive: true, force: true });
  }
}

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { formatWindow, readProjectFeatures } from "#features";
import type { AssetVersion } from "#metadata-store";
import { describeStores, temporaryFolder } from "../setup/stores.ts";
import { type FeatureBench, openFeatureBench } from "./feature-bench.ts";

const NAMES = ["n", "total", "average", "least", "most", "spread", "kinds", "short"] as const;
const DEFINITIONS = `
entities: { card: { keys: [card, shop] } }
views:
  spending:
    source: payments
    entities: [card]
    timestamp: at
    available_after: 1s
    aggregate:
      n: count(1h)
      total: sum(amount, 1h)
      average: mean(amount, 1h)
      least: min(amount, 1h)
      most: max(amount, 1h)
      spread: std(amount, 1h)
      kinds: distinct(kind, 1h)
      short: sum(amount, 90s)
services: { pay: { features: [spending] } }
`;
const START = Date.parse("2026-03-08T06:00:00Z");

interface Payment {
  readonly card: number | null;
  readonly shop: string;
  readonly atMs: number;
  readonly amount: number | "nan" | "inf" | null;
  readonly kind: string | null;
}

/** Deterministic numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Times of whole half minutes, so that many lie on an edge; equal rows; amounts whose sum depends on the order. */
function payments(seed: number): readonly Payment[] {
  const random = generator(seed);
  const amounts = [null, "nan", "inf", 0.1, 0.2, 1e16, -1e16, 3, -0] as const;
  return Array.from({ length: 160 }, (): Payment => ({
    card: random() < 0.05 ? null : Math.floor(random() * 3),
    shop: random() < 0.5 ? "a" : 'b","c',
    atMs: START + Math.floor(random() * 300) * 30_000,
    amount: random() < 0.5 ? (amounts[Math.floor(random() * amounts.length)] ?? null) : random() * 100,
    kind: random() < 0.2 ? null : (["x", "y", "z"][Math.floor(random() * 3)] ?? null),
  }));
}

function selectOf(rows: readonly Payment[]): string {
  const values = rows.map(({ card, shop, atMs, amount, kind }) => {
    // As another zone writes the instant.
    const at = `${new Date(atMs - 3 * 3_600_000).toISOString().slice(0, 19)}-03`;
    return `(${card ?? "null"}::int, '${shop}', timestamptz '${at}', ${amount === null ? "null" : `'${amount}'`}::double, ${kind === null ? "null" : `'${kind}'`}::varchar)`;
  });
  return `select * from (values ${values.join(", ")}) as t(card, shop, "at", amount, kind)`;
}

/** The double that is nearest to the sum of whole multiples of 2^-400: nothing is rounded on the way. */
function exactly(numbers: readonly number[]): number {
  const wanted = numbers.reduce((sum, value) => sum + wholeOf(value), 0n);
  const distance = (value: number): bigint => {
    const apart = wholeOf(value) - wanted;
    return apart < 0n ? -apart : apart;
  };
  // Halves of the error are added until nothing comes closer.
  let found = numbers.reduce((sum, value) => sum + value, 0) + 0;
  for (;;) {
    const apart = Number(wanted - wholeOf(found)) / 2 ** 400;
    const next = found + apart;
    if (distance(next) >= distance(found)) return found;
    found = next;
  }
}

function wholeOf(value: number): bigint {
  let [exponent, mantissa] = [0n, value];
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    exponent++;
  }
  return (BigInt(mantissa) << 400n) >> exponent;
}

interface Asked {
  readonly card: number | null;
  readonly shop: string;
  readonly atMs: number;
}

/** What the windows hold, by looking at every payment: (T - window, T], each known a second after it was made. */
function bruteForce(rows: readonly Payment[], { card, shop, atMs }: Asked): readonly unknown[] {
  if (card === null) return NAMES.map(() => null);
  const within = (ms: number): readonly Payment[] =>
    rows.filter(
      (row) => row.card === card && row.shop === shop && row.atMs + 1000 <= atMs && row.atMs + 1000 > atMs - ms,
    );
  const hour = within(3_600_000);
  const numbersOf = (some: readonly Payment[]): readonly number[] =>
    some.flatMap(({ amount }) => (typeof amount === "number" ? [amount + 0] : []));
  const numbers = numbersOf(hour);
  const short = numbersOf(within(90_000));
  const mean = exactly(numbers) / numbers.length;
  return [
    hour.length,
    numbers.length === 0 ? null : exactly(numbers),
    numbers.length === 0 ? null : mean,
    numbers.length === 0 ? null : Math.min(...numbers),
    numbers.length === 0 ? null : Math.max(...numbers),
    numbers.length < 2 ? null : Math.sqrt(exactly(numbers.map((x) => (x - mean) ** 2)) / (numbers.length - 1)),
    new Set(hour.flatMap(({ kind }) => (kind === null ? [] : [kind]))).size,
    short.length === 0 ? null : exactly(short),
  ];
}

/** Moments on edges of windows, a microsecond's neighbourhood of them, and any others. */
function questions(seed: number): readonly Asked[] {
  const random = generator(seed);
  const shifts = [0, 1, -1, 1000, 999, 1001, 12_345];
  return Array.from({ length: 150 }, () => ({
    card: random() < 0.05 ? null : Math.floor(random() * 4),
    shop: random() < 0.5 ? "a" : 'b","c',
    atMs: START + Math.floor(random() * 420) * 30_000 + (shifts[Math.floor(random() * shifts.length)] ?? 0),
  }));
}

async function offline(
  bench: FeatureBench,
  source: AssetVersion,
  asked: readonly Asked[],
): Promise<readonly (readonly unknown[])[]> {
  const rows = asked.map(
    ({ card, shop, atMs }, index) =>
      `(${index}, ${card ?? "null"}::int, '${shop}', timestamp '${new Date(atMs).toISOString().slice(0, 23)}')`,
  );
  const spine = await bench.make("asked", `select * from (values ${rows.join(", ")}) as t(id, card, shop, asked_at)`);
  const joined = await bench.join({ spine: "asked", features: "pay", timestamp: "asked_at" }, [spine, source]);
  return joined.rows.map((row) => NAMES.map((name) => row[name] ?? null));
}

async function online(bench: FeatureBench, asked: readonly Asked[]): Promise<readonly (readonly unknown[])[]> {
  const { columns } = await bench.features.readOnline({
    features: "pay",
    entities: { card: asked.map(({ card }) => card), shop: asked.map(({ shop }) => shop) },
    atMs: asked.map(({ atMs }) => atMs),
  });
  return asked.map((_, row) => columns.map(({ values }) => values[row] ?? null));
}

describeStores("windows of feature views", (kind) => {
  it("give offline and online, at any moment, what looking at every row gives", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    for (const seed of [1, 2]) {
      const [first, late] = [payments(seed), payments(seed + 100)];
      const asked = questions(seed);
      for (const [rows, disposition, known] of [
        [first, "replace", first],
        [late, "append", [...first, ...late]],
      ] as const) {
        const source = await bench.make("payments", selectOf(rows), disposition);
        assert.deepEqual(
          (await bench.features.catchUp()).map(({ kind: how }) => how),
          ["rebuilt"],
        );
        const expected = asked.map((one) => bruteForce(known, one));
        assert.deepEqual(await online(bench, asked), expected);
        assert.deepEqual(await offline(bench, source, asked), expected);
      }
    }
  });

  it("let go of rows as time passes, and know nothing from before what they keep", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    const pay = (card: number, atMs: number): Payment => ({ card, shop: "a", atMs, amount: 5, kind: "x" });
    const read = async (card: number, atMs: number): Promise<unknown> => {
      const { columns } = await bench.features.readOnline({
        features: [{ view: "spending", features: ["n", "total"] }],
        entities: { card: [card], shop: ["a"] },
        atMs,
      });
      return columns.flatMap(({ values, statuses }) => [values[0], statuses[0]]);
    };
    assert.deepEqual(await read(1, START), [null, "NOT_FOUND", null, "NOT_FOUND"]);
    await bench.make("payments", selectOf([pay(1, START), pay(2, START - 90 * 3_600_000)]));
    await bench.features.catchUp();
    const known = START + 1000;
    assert.deepEqual(await read(1, known - 1), [0, "PRESENT", null, "NULL_VALUE"]);
    assert.deepEqual(await read(1, known), [1, "PRESENT", 5, "PRESENT"]);
    assert.deepEqual(await read(1, known + 3_599_999), [1, "PRESENT", 5, "PRESENT"]);
    assert.deepEqual(await read(1, known + 3_600_000), [0, "PRESENT", null, "NULL_VALUE"]);
    assert.deepEqual(await read(9, known), [0, "PRESENT", null, "NOT_FOUND"]);
    assert.deepEqual(await read(2, known), [0, "PRESENT", null, "NULL_VALUE"]);
    assert.deepEqual(await read(2, START - 89.5 * 3_600_000), [null, "NOT_FOUND", null, "NOT_FOUND"]);
  });

  it("count what was written by the time only, where a join asks for that", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(
      "entities: { e: { keys: [k] } }\nviews: { v: { source: s, entities: [e], timestamp: at, created: written, aggregate: { n: count(1h) } } }\n",
    );
    const source = await bench.make(
      "s",
      "select 1 as k, timestamp '2026-01-01 11:00' as at, unnest([timestamp '2026-01-01 11:05', timestamp '2026-01-01 12:00', null]) as written",
    );
    const spine = await bench.make("t", "select 1 as k, timestamp '2026-01-01 11:30' as asked_at");
    const count = async (created: "known" | "latest"): Promise<unknown> =>
      (await bench.join({ spine: "t", features: [{ view: "v" }], timestamp: "asked_at", created }, [spine, source]))
        .rows[0]?.["n"];
    assert.deepEqual([await count("latest"), await count("known")], [3, 1]);
  });
});

it("are shown as they are declared", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "features"));
  const declared = [
    "count(1h)",
    "sum(amount, 7d)",
    "mean(x, 90s)",
    "distinct(shop, 36h)",
    "max(x, 14d)",
    "min(x, 0.5s)",
  ];
  const lines = declared.map((text, index) => `      w${index}: ${text}\n`).join("");
  await writeFile(
    join(folder, "features/f.yaml"),
    `entities: { e: { keys: [k] } }\nviews:\n  v:\n    source: s\n    entities: [e]\n    timestamp: at\n    aggregate:\n${lines}`,
  );
  const { definitions } = await readProjectFeatures(folder);
  assert.deepEqual(definitions.views.get("v")?.windows.map(formatWindow), declared);
});

const MISTAKES: readonly (readonly [string, RegExp])[] = [
  ["aggregate: { a: 'total(x, 7d)' }", /There is no aggregate "total"; there are count, sum/],
  ["aggregate: { a: sum(7d) }", /sum needs a column: sum\(COLUMN, 7d\)/],
  ["aggregate: { a: 'count(x, 7d)' }", /count counts rows and takes no column/],
  ["aggregate: { a: sum(x, 7d) }", /Found "sum\(x", expected an aggregate/],
  ["aggregate: { 1a: count(7d) }", /"1a" is no name of a feature/],
  ["aggregate: { a: sum x }", /expected an aggregate such as sum\(amount, 7d\)/],
  ["aggregate: { a: count(0d) }", /A window of 0d is none/],
  ["aggregate: { k: count(7d) }", /"k" is a key or time of view "v"/],
  ["aggregate: { a: count(7d) }, ttl: 2h", /Remove|say by themselves how old a row may be/],
  ["aggregate: { a: count(7d) }, push: live", /takes no pushes/],
  ["aggregate: { a: count(7d) }, features: [x]", /needs one of `features` and `aggregate`/],
  ["description: x", /needs one of `features` and `aggregate`/],
];

it("says file and line of a window that cannot be", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "features"));
  for (const [facts, message] of MISTAKES) {
    await writeFile(
      join(folder, "features/f.yaml"),
      `entities: { e: { keys: [k] } }\nviews:\n  v: { source: s, entities: [e], timestamp: at, ${facts} }\n`,
    );
    const { problems } = await readProjectFeatures(folder);
    assert.deepEqual(
      problems.map(({ file, line }) => [file, line]),
      [["features/f.yaml", 3]],
      facts,
    );
    assert.match(problems[0]?.message ?? "", message);
  }
});

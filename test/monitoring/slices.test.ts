import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "../../src/monitoring/statistics/seeded-random.ts";
import { searchInThread } from "../../src/monitoring/slice-thread.ts";
import {
  codeSlices,
  searchCoded,
  type SliceOptions,
  type SliceRows,
  type SliceSearch,
} from "../../src/monitoring/statistics/slice-search.ts";

const OPTIONS = { predicates: 3, effect: 0.2, falseDiscovery: 0.05, minRows: 100 };

const searchSlices = async (current: SliceRows, reference: SliceRows, options: SliceOptions): Promise<SliceSearch> =>
  searchCoded(await codeSlices(current, reference, options));

/** Eight columns of noise; `worse` adds to the loss of some rows. */
function simulate(
  seed: number,
  count: number,
  worse: (row: { readonly origin: string; readonly hour: number; readonly carrier: string }) => number,
): SliceRows {
  const random = seededRandom(seed);
  const origin = Array.from({ length: count }, () => ["ATL", "DEN", "ORD", "JFK"][Math.floor(random() * 4)] ?? "");
  const carrier = Array.from({ length: count }, () => ["AA", "DL", "UA"][Math.floor(random() * 3)] ?? "");
  const hour = Float64Array.from({ length: count }, () => Math.floor(random() * 24));
  const noise = Array.from(
    { length: 5 },
    (_, index) => [`noise${index}`, Float64Array.from({ length: count }, random)] as const,
  );
  const loss = Float64Array.from(
    { length: count },
    (_, row) => random() + worse({ origin: origin[row] ?? "", hour: hour[row] ?? 0, carrier: carrier[row] ?? "" }),
  );
  return {
    columns: new Map<string, ArrayLike<unknown>>([["origin", origin], ["carrier", carrier], ["hour", hour], ...noise]),
    loss,
  };
}

const fine = simulate(1, 8000, () => 0);

describe("the search for slices", () => {
  it("finds the one value that got worse, once", async () => {
    const { slices, tested } = await searchSlices(
      simulate(2, 8000, ({ origin }) => (origin === "ORD" ? 0.3 : 0)),
      fine,
      OPTIONS,
    );
    assert.deepEqual(slices[0]?.predicates, ["origin = ORD"]);
    assert.ok(Math.abs((slices[0]?.loss ?? 0) - 0.8) < 0.03 && Math.abs((slices[0]?.referenceLoss ?? 0) - 0.5) < 0.03);
    assert.equal(slices.filter(({ predicates }) => predicates.includes("origin = ORD")).length, 1);
    assert.ok(tested > 300);
  });

  it("finds a pair and a triple that no single value shows", async () => {
    const pair = await searchSlices(
      simulate(3, 20_000, ({ origin, carrier }) => (origin === "ORD" && carrier === "UA" ? 0.5 : 0)),
      simulate(4, 20_000, () => 0),
      OPTIONS,
    );
    assert.deepEqual(pair.slices[0]?.predicates.toSorted(), ["carrier = UA", "origin = ORD"]);
    const triple = await searchSlices(
      simulate(5, 60_000, ({ origin, carrier, hour }) => (origin === "ORD" && carrier === "UA" && hour > 18 ? 1 : 0)),
      simulate(6, 60_000, () => 0),
      { ...OPTIONS, effect: 1 },
    );
    assert.equal(triple.slices[0]?.predicates.length, 3, JSON.stringify(triple.slices[0]));
    assert.ok(triple.slices[0]?.predicates.some((predicate) => predicate.startsWith("hour >")));
  });

  it("finds nothing in noise, nor where all rows got worse alike", async () => {
    let found = 0;
    for (let seed = 10; seed < 30; seed++) {
      const { slices } = await searchSlices(
        simulate(seed, 3000, () => 0),
        fine,
        { ...OPTIONS, effect: 0.01 },
      );
      if (slices.length > 0) found++;
    }
    assert.ok(found <= 4, `${found} of 20 searches of noise found something`);
    const { slices } = await searchSlices(
      simulate(40, 8000, () => 0.5),
      fine,
      OPTIONS,
    );
    assert.deepEqual(slices, []);
  });

  it("keeps the share of false discoveries that was asked for, over forty draws with nothing in them", async () => {
    let withFalse = 0;
    for (let trial = 0; trial < 40; trial++) {
      const [current, reference] = [2 * trial + 100, 2 * trial + 101].map((seed) => simulate(seed, 3000, () => 0));
      if (current === undefined || reference === undefined) continue;
      const { slices } = await searchSlices(current, reference, { ...OPTIONS, effect: 0.001 });
      if (slices.length > 0) withFalse++;
    }
    // Where nothing is true, one in twenty draws may find something: of forty, more than six come once in a hundred.
    assert.ok(withFalse <= 6, `${withFalse} of 40 draws`);
  });

  it("finds what is planted in every draw, and little else", async () => {
    const found = { planted: 0, others: 0, all: 0 };
    for (let trial = 0; trial < 20; trial++) {
      const worse = simulate(2 * trial + 500, 4000, ({ carrier }) => (carrier === "UA" ? 0.3 : 0));
      const { slices } = await searchSlices(
        worse,
        simulate(2 * trial + 501, 4000, () => 0),
        { ...OPTIONS, effect: 0.001 },
      );
      const isPlanted = slices.map(({ predicates }) => predicates.includes("carrier = UA"));
      found.planted += Number(isPlanted[0] === true);
      found.others += isPlanted.filter((each) => !each).length;
      found.all += slices.length;
    }
    assert.equal(found.planted, 20);
    assert.ok(found.others / found.all <= 0.15, JSON.stringify(found));
  });

  it("does not take for new what was worse all along", async () => {
    const worse = ({ origin }: { readonly origin: string }): number => (origin === "ORD" ? 0.5 : 0);
    assert.deepEqual((await searchSlices(simulate(50, 8000, worse), simulate(51, 8000, worse), OPTIONS)).slices, []);
  });

  it("lives with constants, missing values, one row and none", async () => {
    const count = 2000;
    const loss = Float64Array.from({ length: count }, (_, row) => (row % 7 === 0 ? 1 : 0));
    const odd: SliceRows = {
      loss,
      columns: new Map<string, ArrayLike<unknown>>([
        ["constant", new Float64Array(count).fill(5)],
        ["gone", new Float64Array(count).fill(NaN)],
        ["half", Array.from({ length: count }, (_, row) => (row % 2 === 0 ? null : "x"))],
        ["quotes", Array.from({ length: count }, (_, row) => (row % 3 === 0 ? 'it\'s "é"\n' : ""))],
      ]),
    };
    assert.deepEqual((await searchSlices(odd, odd, OPTIONS)).slices, []);
    const empty: SliceRows = { loss: new Float64Array(), columns: new Map([["a", []]]) };
    assert.deepEqual(await searchSlices(empty, empty, OPTIONS), { slices: [], tested: 0 });
  });

  it("is made in a thread of its own, with the same findings, while others are answered", async () => {
    const [current, reference] = [
      simulate(70, 60_000, ({ origin }) => (origin === "ORD" ? 0.4 : 0)),
      simulate(71, 60_000, () => 0),
    ];
    const here = await searchSlices(current, reference, OPTIONS);
    const coded = await codeSlices(current, reference, OPTIONS);
    const before = performance.eventLoopUtilization();
    const there = await searchInThread(coded);
    const { utilization } = performance.eventLoopUtilization(before);
    assert.deepEqual(there, here);
    assert.deepEqual(here.slices[0]?.predicates, ["origin = ORD"]);
    assert.ok(utilization < 0.5, `this thread was busy for ${utilization} of the search`);
  });
});

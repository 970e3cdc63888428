import assert from "node:assert/strict";
import { it } from "node:test";
import { openMetadataStore } from "#metadata-store";
import { listWindows } from "#metadata-store/monitoring";
import {
  countWindows,
  listPredictions,
  listPredictionTotals,
  type Prediction,
  recordLabels,
} from "#metadata-store/serving";
import { describeStores } from "../setup/stores.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, type TestMonitoring, WEEK_MS } from "./watched.ts";

const HOUR_MS = 3_600_000;

interface Counted {
  readonly predictions: number;
  readonly labelled: number;
  readonly corrections: number;
}

function count(rows: readonly Prediction[]): Counted {
  return {
    predictions: rows.length,
    labelled: rows.filter((row) => row.labelReceivedAtMs !== undefined).length,
    corrections: rows.reduce((sum, row) => sum + row.labelCorrections, 0),
  };
}

/** The counters, and the same from the rows of the log. */
async function readBoth(test: TestMonitoring): Promise<{ readonly counters: object; readonly log: object }> {
  const rows: Prediction[] = [];
  for (let before: readonly [number, string] | undefined; ;) {
    const page = await test.store.read((transaction) => listPredictions(transaction, { ...KEY, before, limit: 1000 }));
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined) break;
    before = [last.atMs, last.id];
  }
  const totals = await test.store.read((transaction) => listPredictionTotals(transaction, KEY));
  const hours = await test.store.read((transaction) =>
    countWindows(transaction, { ...KEY, originMs: 0, lengthMs: HOUR_MS }),
  );
  const times = rows.map(({ atMs }) => atMs);
  return {
    counters: {
      totals: totals.map(({ modelVersionId, predictions, labelled, corrections, firstAtMs, lastAtMs }) => ({
        modelVersionId,
        predictions,
        labelled,
        corrections,
        firstAtMs,
        lastAtMs,
      })),
      hours: hours.map(({ startMs, predictions, labelled, corrections }) => ({
        startMs,
        predictions,
        labelled,
        corrections,
      })),
    },
    log: {
      totals: [
        {
          modelVersionId: test.version.id,
          ...count(rows),
          firstAtMs: Math.min(...times),
          lastAtMs: Math.max(...times),
        },
      ],
      hours: [...Map.groupBy(rows, ({ atMs }) => Math.floor(atMs / HOUR_MS) * HOUR_MS)]
        .sort(([left], [right]) => left - right)
        .map(([startMs, own]) => ({ startMs, ...count(own) })),
    },
  };
}

describeStores("the counters of the prediction log", (kind) => {
  it("say what its rows say, after labels, repeated labels and corrections", async () => {
    const test = await startMonitoring(kind);
    const flights = makeFlights(300, { seed: 4 });
    const ids = await test.play(0, flights, { labels: false });
    await test.play(1, makeFlights(40, { seed: 5 }));
    const label = (from: number, to: number, flip: boolean): Promise<unknown> =>
      test.monitoring.recordLabels({
        ...KEY,
        actor: "ana",
        untilMs: undefined,
        labels: ids
          .slice(from, to)
          .map((id, row) => ({ id, label: Math.abs((flights[from + row]?.late ?? 0) - Number(flip)) })),
      });
    await label(0, 200, false);
    await label(100, 250, false);
    await label(150, 220, true);
    await label(150, 160, false);
    const { counters, log } = await readBoth(test);
    assert.deepEqual(counters, log);
    assert.deepEqual(
      (log as { totals: readonly Counted[] }).totals.map(({ predictions, labelled, corrections }) => [
        predictions,
        labelled,
        corrections,
      ]),
      [[340, 290, 80]],
    );
  });

  it("hold when two processes write labels of the same predictions at once", async () => {
    const test = await startMonitoring(kind);
    const ids = await test.play(0, makeFlights(60, { seed: 4 }), { labels: false });
    const other = await openMetadataStore(test.address);
    try {
      const write = (store: typeof other, round: number): Promise<unknown> =>
        store.write((transaction) =>
          recordLabels(transaction, {
            ...KEY,
            actor: "ana",
            receivedAtMs: MONDAY_MS + round,
            labels: (round % 2 === 0 ? ids : ids.toReversed()).map((id) => ({ id, label: round % 2 })),
          }),
        );
      await Promise.all(Array.from({ length: 8 }, (_, round) => write(round % 3 === 0 ? other : test.store, round)));
    } finally {
      await other.close();
    }
    const { counters, log } = await readBoth(test);
    assert.deepEqual(counters, log);
  });

  it("make a look of the monitors cost what changed: settled windows stay as they are, though labels are missing", async () => {
    const test = await startMonitoring(kind);
    const flights = makeFlights(240, { seed: 4 });
    const ids = await test.play(0, flights, { labels: false });
    await test.play(1, makeFlights(240, { seed: 5 }), { labels: false });
    await test.play(2, makeFlights(10, { seed: 6 }), { labels: false });
    const label = (row: number, value: number): Promise<unknown> =>
      test.store.write((transaction) =>
        recordLabels(transaction, {
          ...KEY,
          actor: "ana",
          receivedAtMs: Date.now(),
          labels: [{ id: ids[row], label: value }],
        }),
      );
    await label(0, 1);
    await test.monitoring.tick();
    const read = async (): Promise<readonly (readonly [number, number, number, number])[]> =>
      (await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }))).map(
        ({ startMs, evaluatedAtMs, labelled, corrections }) => [
          (startMs - MONDAY_MS) / WEEK_MS,
          evaluatedAtMs,
          labelled,
          corrections,
        ],
      );
    const first = await read();
    assert.deepEqual(
      first.map(([week, , labelled]) => [week, labelled]),
      [
        [0, 1],
        [1, 0],
        [2, 0],
      ],
    );
    await test.monitoring.tick();
    assert.deepEqual(await read(), first);
    // A minute must have passed before a window is computed again, so the clock goes on.
    test.forward(61_000);
    await label(1, 0);
    await test.monitoring.tick();
    const second = await read();
    assert.deepEqual(
      second.map(([week, , labelled, corrections]) => [week, labelled, corrections]),
      [
        [0, 2, 0],
        [1, 0, 0],
        [2, 0, 0],
      ],
    );
    assert.notEqual(second[0]?.[1], first[0]?.[1]);
    assert.deepEqual(second.slice(1), first.slice(1));
    test.forward(61_000);
    await label(1, 1);
    await test.monitoring.tick();
    const third = await read();
    assert.deepEqual(
      third.map(([week, , labelled, corrections]) => [week, labelled, corrections]),
      [
        [0, 2, 1],
        [1, 0, 0],
        [2, 0, 0],
      ],
      "a corrected label changes no number of labels, but what they say",
    );
    assert.deepEqual(third.slice(1), first.slice(1));
  });

  it("let windows be looked at that were changed while their evaluation was due later", async () => {
    const test = await startMonitoring(kind);
    const ids = await test.play(0, makeFlights(240, { seed: 4 }), { labels: false });
    await test.play(1, makeFlights(10, { seed: 5 }), { labels: false });
    await test.monitoring.tick();
    await test.store.write((transaction) =>
      recordLabels(transaction, {
        ...KEY,
        actor: "ana",
        receivedAtMs: Date.now(),
        labels: ids.map((id) => ({ id, label: 1 })),
      }),
    );
    const labelled = async (): Promise<number | undefined> =>
      (await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" })))[0]?.labelled;
    await test.monitoring.tick();
    assert.equal(await labelled(), 0, "it was computed less than a minute ago");
    test.forward(61_000);
    await test.monitoring.tick();
    assert.equal(await labelled(), 240);
  });
});

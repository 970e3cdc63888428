// Windows of more rows than are kept.
import assert from "node:assert/strict";
import { it } from "node:test";
import { newId } from "#base";
import { recordLabels, recordPredictions } from "#metadata-store/serving";
import { readWindow, type WindowRows } from "../../src/monitoring/window-rows.ts";
import { createRowSample } from "../../src/monitoring/row-sample.ts";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" } as const;
const ROWS = 5000;
const MODEL = {
  inputs: [
    { name: "distance", type: "float" },
    { name: "origin", type: "string" },
  ],
} as const;

for (const place of ["in the database", "that left the database"] as const)
  describeStores(`a window of predictions ${place}`, (kind) => {
    async function read(atMost?: number): Promise<readonly [WindowRows, WindowRows]> {
      const { store } = await openTestStore(kind);
      const ids = Array.from({ length: ROWS }, () => newId(1));
      await store.write((transaction) =>
        recordPredictions(
          transaction,
          ids.map((id, row) => ({
            ...KEY,
            id,
            modelVersionId: row % 5 === 0 ? "second" : "first",
            arm: "stable",
            // Several of the same time lie on both sides of the end of a page.
            atMs: Math.floor(row / 7),
            receivedAtMs: row,
            requestId: id,
            features: JSON.stringify({ distance: row, origin: row % 2 === 0 ? "ATL" : "JFK" }),
            context: JSON.stringify({ airline: row % 3 === 0 ? "AA" : "DL" }),
            prediction: row / ROWS,
            predictionText: undefined,
            entityKey: undefined,
            featureStatus: undefined,
          })),
        ),
      );
      const labels = ids.flatMap((id, row) => (row % 2 === 0 ? [{ id, label: row % 4 === 0 ? 1 : 0 }] : []));
      await store.write((transaction) =>
        recordLabels(transaction, { ...KEY, labels, receivedAtMs: ROWS, actor: "ana" }),
      );
      const range = {
        fromMs: 0,
        toMs: ROWS,
        segments: ["airline", "origin"],
        ...(atMost === undefined ? {} : { atMost }),
      };
      const predictions = await openTestPredictions(store);
      if (place === "that left the database")
        await predictions.move({ project: "p", ageMs: 0, signal: new AbortController().signal });
      return [await readWindow(predictions, KEY, range, MODEL), await readWindow(predictions, KEY, range, MODEL)];
    }

    it("of few rows is read whole", async () => {
      const [rows] = await read();
      assert.deepEqual([rows.rowCount, rows.labelled], [ROWS, ROWS / 2]);
      assert.deepEqual(
        [...rows.predictions].sort((left, right) => left - right),
        Array.from({ length: ROWS }, (_, row) => row / ROWS),
      );
      const { outcomes, columns } = rows;
      assert.equal(outcomes.labels.length, ROWS / 2);
      for (const [row, prediction] of rows.predictions.entries()) {
        assert.equal(columns.get("distance")?.[row], Math.round(prediction * ROWS));
        assert.equal(columns.get("origin")?.[row], Math.round(prediction * ROWS) % 2 === 0 ? "ATL" : "JFK");
      }
      for (const [row, prediction] of outcomes.predictions.entries()) {
        const number = Math.round(prediction * ROWS);
        assert.equal(outcomes.labels[row], number % 4 === 0 ? 1 : 0);
        assert.equal(outcomes.segments.get("airline")?.[row], number % 3 === 0 ? "AA" : "DL");
        assert.equal(outcomes.segments.get("origin")?.[row], "ATL");
      }
    });

    it("of more rows than are kept is counted whole and compared by a sample, the same each time", async () => {
      const [rows, again] = await read(500);
      assert.deepEqual(rows, again);
      assert.deepEqual([rows.rowCount, rows.labelled], [ROWS, ROWS / 2]);
      assert.deepEqual(Object.fromEntries(rows.versions), { first: 4000, second: 1000 });
      assert.equal(rows.predictions.length, 500);
      assert.equal(rows.columns.get("origin")?.length, 500);
      assert.equal(rows.outcomes.labels.length, 500, "labelled rows have a sample of their own");
      for (const [row, prediction] of rows.predictions.entries())
        assert.equal(rows.columns.get("distance")?.[row], Math.round(prediction * ROWS), "rows stay together");
      assert.equal(new Set(rows.predictions).size, 500, "no row is kept twice");
      const mean = rows.predictions.reduce((sum, value) => sum + value, 0) / 500;
      assert.ok(Math.abs(mean - 0.5) < 4 * Math.sqrt(1 / 12 / 500), `uniform over the window: its mean is ${mean}`);
    });
  });

it("a sample takes every row with the same chance", () => {
  const [rows, atMost, bins] = [100_000, 10_000, 10];
  const sample = createRowSample(atMost);
  const kept = new Map<number, number>();
  for (let row = 0; row < rows; row++) {
    const place = sample.next();
    if (place !== undefined) kept.set(place, row);
  }
  const counts = Array.from({ length: bins }, () => 0);
  for (const row of kept.values()) counts[Math.floor((row * bins) / rows)]! += 1;
  assert.equal(kept.size, atMost);
  // Five standard deviations of a binomial share.
  for (const count of counts)
    assert.ok(Math.abs(count - atMost / bins) < 5 * Math.sqrt((atMost / bins) * 0.9), counts.join(" "));
});

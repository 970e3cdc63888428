import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { listPredictionTotals } from "#metadata-store/serving";
import { readCase, registerModel, startServing } from "./served.ts";

describe("the scorer", () => {
  it("answers whole columns as scikit-learn does, 64-bit integers among them, and logs nothing", async () => {
    const test = await startServing("sqlite");
    const version = await registerModel(test, "late-by-columns");
    const { rows, predicted } = await readCase("late-by-columns");
    const columns = new Map<string, ArrayLike<unknown>>([
      ["distance", Float64Array.from(rows, (row) => Number(row["distance"]))],
      ["hour", BigInt64Array.from(rows, (row) => BigInt(Number(row["hour"])))],
      ["origin", rows.map((row) => row["origin"])],
      ["late", rows.map(() => 1)],
    ]);
    const scores = await test.serving.scorer.score(version, { rowCount: rows.length, columns });
    predicted.forEach((expected, row) => assert.ok(Math.abs((scores[row] ?? NaN) - Number(expected)) < 1e-5));
    assert.deepEqual(
      await test.store.read((transaction) =>
        listPredictionTotals(transaction, { project: "p", environment: "production", endpoint: "delay" }),
      ),
      [],
    );
  });

  it("answers more rows than fit into one call", async () => {
    const test = await startServing("sqlite");
    const version = await registerModel(test, "late-by-matrix");
    const { rows, predicted } = await readCase("late-by-matrix");
    const rowCount = 150_000;
    const column = (name: string): Float64Array =>
      Float64Array.from({ length: rowCount }, (_, row) => Number(rows[row % rows.length]?.[name]));
    const scores = await test.serving.scorer.score(version, {
      rowCount,
      columns: new Map([
        ["distance", column("distance")],
        ["hour", column("hour")],
      ]),
    });
    assert.equal(scores.length, rowCount);
    for (const row of [0, 65_535, 65_536, 149_999])
      assert.ok(Math.abs((scores[row] ?? NaN) - Number(predicted[row % rows.length])) < 1e-5);
  });

  it("gives the class index of a multiclass model, and refuses rows without an input", async () => {
    const test = await startServing("sqlite");
    const version = await registerModel(test, "part-of-day");
    const { rows, predicted } = await readCase("part-of-day");
    const columns = new Map(["distance", "hour"].map((name) => [name, rows.map((row) => row[name])]));
    const scores = await test.serving.scorer.score(version, { rowCount: rows.length, columns });
    // scikit-learn orders classes by name.
    assert.deepEqual(
      [...scores],
      predicted.map((name) => ["day", "early", "night"].indexOf(String(name))),
    );
    columns.delete("hour");
    await assert.rejects(test.serving.scorer.score(version, { rowCount: rows.length, columns }), (error) =>
      isEsteiraError(error, "SERVING_COLUMN_MISSING"),
    );
  });
});

import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError, silentLog } from "#base";
import { type MetadataStore, openMetadataStore } from "#metadata-store";
import {
  getEndpoint,
  getPrediction,
  listEndpointHistory,
  listPredictions,
  listPredictionTotals,
} from "#metadata-store/serving";
import { createServing, sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { deploy, readCase, registerModel, startServing } from "./served.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };

function near(found: ArrayLike<number>, expected: ArrayLike<unknown>): void {
  assert.equal(found.length, expected.length);
  for (let row = 0; row < expected.length; row++)
    assert.ok(
      Math.abs((found[row] ?? NaN) - Number(expected[row])) < 1e-5,
      `row ${row}: ${found[row]} against ${String(expected[row])}`,
    );
}

describeStores("an endpoint", (kind) => {
  for (const name of ["late-by-columns", "late-by-matrix", "delay-regression"]) {
    it(`answers what scikit-learn predicts (${name})`, async () => {
      const test = await startServing(kind);
      const { rows, predicted } = await readCase(name);
      await deploy(test.serving, await registerModel(test, name));
      const { output } = await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) });
      assert.ok(output.kind === "numbers");
      near(
        output.values,
        predicted.map((value) => value),
      );
    });
  }

  it("answers the classes of a multiclass model with their probabilities", async () => {
    const test = await startServing(kind);
    const { rows, predicted } = await readCase("part-of-day");
    await deploy(test.serving, await registerModel(test, "part-of-day"));
    const { output, predictionIds } = await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) });
    assert.ok(output.kind === "classes");
    assert.deepEqual(output.labels, predicted);
    const first = output.probabilities.subarray(0, 3);
    assert.ok(Math.abs(first.reduce((sum, share) => sum + share, 0) - 1) < 1e-6);
    const logged = await test.store.read((transaction) => getPrediction(transaction, predictionIds[0] ?? ""));
    assert.equal(logged?.predictionText, predicted[0]);
  });

  it("keeps every prediction with version, event time, key and inputs before it answers", async () => {
    const test = await startServing(kind);
    const version = await registerModel(test, "late-by-columns");
    await deploy(test.serving, version);
    const { rows } = await readCase("late-by-columns");
    const atMs = rows.map((_, row) => Date.UTC(2001, 3, 1) + row);
    const answer = await test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords(rows),
      entityKeys: rows.map((_, row) => `f${row}`),
      atMs,
    });
    const reopened = await openMetadataStore(test.address);
    const logged = await reopened.read((transaction) => getPrediction(transaction, answer.predictionIds[3] ?? ""));
    await reopened.close();
    assert.ok(answer.output.kind === "numbers");
    assert.deepEqual(
      {
        key: logged?.entityKey,
        atMs: logged?.atMs,
        version: logged?.modelVersionId,
        features: JSON.parse(logged?.features ?? "{}") as unknown,
        value: logged?.prediction,
        arm: logged?.arm,
      },
      {
        key: "f3",
        atMs: atMs[3],
        version: version.id,
        features: rows[3],
        value: answer.output.values[3],
        arm: "stable",
      },
    );
    const page = await test.store.read((transaction) => listPredictions(transaction, { ...KEY, limit: 8 }));
    const next = await test.store.read((transaction) =>
      listPredictions(transaction, { ...KEY, limit: 100, before: [page.at(-1)?.atMs ?? 0, page.at(-1)?.id ?? ""] }),
    );
    assert.equal(new Set([...page, ...next].map((prediction) => prediction.id)).size, rows.length);
  });

  it("gives each of many simultaneous callers its own answers", async () => {
    const test = await startServing(kind);
    await deploy(test.serving, await registerModel(test, "late-by-matrix"));
    const { rows, predicted } = await readCase("late-by-matrix");
    await Promise.all(
      Array.from({ length: 60 }, async (_, caller) => {
        const picked = Array.from({ length: (caller % 7) + 1 }, (_row, index) => (caller * 3 + index) % rows.length);
        const { output } = await test.serving.endpoints.predict(KEY, {
          source: sourceOfRecords(picked.map((row) => rows[row])),
        });
        assert.ok(output.kind === "numbers");
        near(
          output.values,
          picked.map((row) => predicted[row]),
        );
      }),
    );
    const model = await test.serving.endpoints.model(KEY);
    assert.ok(model.counters.executions < 60, `${model.counters.executions} calls for 60 requests`);
  });

  it("names column, row, what was found and what was expected when an input does not fit", async () => {
    const test = await startServing(kind);
    await deploy(test.serving, await registerModel(test, "late-by-columns"));
    const good = { distance: 500, hour: 12, origin: "ATL" };
    const cases: readonly (readonly [object, string, RegExp])[] = [
      [{ distance: 500, hour: 12 }, "SERVING_COLUMN_MISSING", /Row 1 has no column "origin"/],
      [{ ...good, orgin: "ATL" }, "SERVING_COLUMN_UNKNOWN", /unknown column "orgin"/],
      [{ ...good, hour: 1.5 }, "SERVING_INPUT_INVALID", /Column "hour", row 1: found 1.5, expected a whole number/],
      [
        { ...good, distance: "500" },
        "SERVING_INPUT_INVALID",
        /Column "distance", row 1: found "500", expected a finite number or null/,
      ],
      [{ ...good, origin: null }, "SERVING_INPUT_INVALID", /Column "origin", row 1: found null, expected a string/],
      [{ ...good, hour: 2 ** 60 }, "SERVING_INPUT_INVALID", /between -2\^53 and 2\^53/],
    ];
    for (const [row, code, message] of cases) {
      await assert.rejects(test.serving.endpoints.predict(KEY, { source: sourceOfRecords([good, row]) }), (error) => {
        assert.ok(isEsteiraError(error, code), `${String(error)} is not ${code}`);
        assert.match(error.message, message);
        return true;
      });
    }
    const misspelt = { distance: 500, hour: 12, orgin: "ATL" };
    await assert.rejects(
      test.serving.endpoints.predict(KEY, { source: sourceOfRecords([misspelt]), unknownColumns: "ignore" }),
      (error) => isEsteiraError(error, "SERVING_COLUMN_MISSING") && error.hint === 'Did you mean "orgin"? Rename it.',
    );
    assert.deepEqual(await test.store.read((transaction) => listPredictionTotals(transaction, KEY)), []);
  });

  it("is not switched to a model that cannot answer its example, nor to one that is not served", async () => {
    const test = await startServing(kind);
    const first = await registerModel(test, "late-by-columns");
    await deploy(test.serving, first);
    const broken = await registerModel(test, "late-by-columns", {
      change: { example: { distance: "far", hour: 1, origin: "ATL" } },
    });
    await assert.rejects(deploy(test.serving, broken), (error) => isEsteiraError(error, "SERVING_EXAMPLE_FAILED"));
    const zipmap = await registerModel(test, "zipmap", { describedBy: "late-by-matrix" });
    await assert.rejects(
      deploy(test.serving, zipmap),
      (error) => isEsteiraError(error, "SERVING_EXAMPLE_FAILED") || isEsteiraError(error, "SERVING_MODEL_UNUSABLE"),
    );
    const narrow = await registerModel(test, "late-by-matrix", {
      change: { inputs: [{ name: "distance", type: "float" }] },
    });
    await assert.rejects(
      deploy(test.serving, narrow),
      (error) => isEsteiraError(error, "SERVING_MODEL_UNUSABLE") && /2 columns, model.json names 1/.test(error.message),
    );
    assert.equal((await test.serving.target.current(KEY))?.versionId, first.id);
    const { rows } = await readCase("late-by-columns");
    assert.equal(
      (await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) })).model.version.id,
      first.id,
    );
  });

  it("switches versions under load without a failed request", async () => {
    const test = await startServing(kind);
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    const { rows } = await readCase("late-by-columns");
    let stop = false;
    const seen = new Set<string>();
    const callers = Array.from({ length: 8 }, async () => {
      while (!stop)
        seen.add((await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) })).model.version.id);
    });
    for (const version of [second, first, second, first, second]) {
      await deploy(test.serving, version);
      seen.clear();
      while (!seen.has(version.id)) await delay(5);
    }
    stop = true;
    await Promise.all(callers);
    assert.equal(
      (await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) })).model.version.id,
      second.id,
    );
    assert.equal((await test.store.read((transaction) => listEndpointHistory(transaction, KEY))).length, 6);
  });

  it("changes nothing when the same deployment is repeated", async () => {
    const test = await startServing(kind);
    const version = await registerModel(test, "late-by-columns");
    await deploy(test.serving, version, { deploymentId: `same-${version.id}` });
    await deploy(test.serving, version, { deploymentId: `same-${version.id}` });
    assert.equal((await test.store.read((transaction) => getEndpoint(transaction, KEY)))?.generation, 1);
  });

  it("follows a switch made by another process and is ready after a restart", async () => {
    const test = await startServing(kind);
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    const store = await openMetadataStore(test.address);
    const other = createServing({ store, objects: test.objects, log: silentLog });
    await other.endpoints.start();
    assert.deepEqual(other.endpoints.problems(), []);
    await deploy(test.serving, second);
    const { rows } = await readCase("late-by-columns");
    const versionNow = async (): Promise<string> =>
      (await other.endpoints.predict(KEY, { source: sourceOfRecords(rows.slice(0, 1)) })).model.version.id;
    const deadline = Date.now() + 10_000;
    while ((await versionNow()) !== second.id) assert.ok(Date.now() < deadline, "the other process never switched");
    await other.close();
    await store.close();
  });

  it("is not followed by a process that serves none", async () => {
    const test = await startServing(kind);
    await deploy(test.serving, await registerModel(test, "late-by-columns"));
    let listeners = 0;
    const listen = { onChange: () => (listeners++, () => undefined) };
    const store: MetadataStore = Object.assign(Object.create(test.store), listen);
    const other = createServing({ store, objects: test.objects, log: silentLog, isServing: false });
    await other.endpoints.start();
    assert.deepEqual([other.endpoints.problems(), listeners], [[], 0]);
    await other.close();
  });

  it("refuses what is not deployed, naming what is", async () => {
    const test = await startServing(kind);
    await deploy(test.serving, await registerModel(test, "late-by-columns"), { environment: "staging" });
    await assert.rejects(
      test.serving.endpoints.predict(KEY, { source: sourceOfRecords([]) }),
      (error) => isEsteiraError(error, "SERVING_ENDPOINT_UNKNOWN") && /deployed: staging\/delay/.test(error.message),
    );
    await test.serving.target.remove({ ...KEY, environment: "staging" });
    assert.equal(await test.serving.target.current({ ...KEY, environment: "staging" }), undefined);
    await assert.rejects(
      test.serving.endpoints.predict({ ...KEY, environment: "staging" }, { source: sourceOfRecords([]) }),
      (error) => isEsteiraError(error, "SERVING_ENDPOINT_UNKNOWN"),
    );
  });
});

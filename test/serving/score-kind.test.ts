import assert from "node:assert/strict";
import { join } from "node:path";
import { after, it } from "node:test";
import { isEsteiraError, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import type { AttemptContext, StepOutcome } from "#pipeline";
import { createScoreKind, type ScoreDeclaration } from "#serving";
import { createFileSystemFiles } from "#storage";
import { describeStores, temporaryFolder } from "../setup/stores.ts";
import { readCase, registerModel, startServing } from "./served.ts";

const FLIGHTS =
  "select i::bigint as id, (100 + i * 7 % 2400)::double as distance, (i % 24)::bigint as hour, case when i % 3 = 0 then 'ATL' else 'ORD' end as origin from range(0, 1000) t(i)";

type Row = Readonly<Record<string, unknown>>;

describeStores("a step that scores a dataset", (kind) => {
  const open = async () => {
    const test = await startServing(kind);
    const { store, objects, serving } = test;
    const folder = await temporaryFolder();
    const analytics = createAnalytics({ folder: join(folder, "cache") });
    after(() => analytics.close());
    const files = createFileSystemFiles({ root: join(folder, "datasets") });
    const datasets = createDatasets({ store, objects, files, analytics, clock: systemClock, log: silentLog });
    const step = createScoreKind({ store, analytics, datasets, scorer: serving.scorer });
    let operations = 0;
    const record = (
      made: Omit<Parameters<typeof recordAssetVersion>[1], "project" | "madeAtMs" | "actor" | "inputs">,
    ) =>
      store.write(async (transaction) => {
        const all = { ...made, project: "p", madeAtMs: 1000, actor: "ana", inputs: [] };
        return (await recordAssetVersion(transaction, all)).version;
      });
    return {
      ...test,
      write: async (select: string): Promise<AssetVersion> =>
        record(
          await datasets.write({
            project: "p",
            asset: "flights",
            operationId: `w${++operations}`,
            disposition: "replace",
            select,
          }),
        ),
      async score(
        model: AssetVersion,
        rows: AssetVersion,
        key: string | readonly string[] = "id",
      ): Promise<StepOutcome> {
        const outcome = await step.execute({
          declaration: { score: "delay", data: "flights", key },
          inputs: new Map([
            ["delay", model],
            ["flights", rows],
          ]),
          project: "p",
          step: "scored",
          stepRunId: `s${++operations}`,
          pipelineRunId: "r",
          signal: new AbortController().signal,
          log: () => {},
          progress: () => {},
        } as Partial<AttemptContext<ScoreDeclaration>> as AttemptContext<ScoreDeclaration>);
        assert.equal(outcome.status, "succeeded");
        return outcome;
      },
      async rows(outcome: StepOutcome): Promise<readonly Row[]> {
        assert.equal(outcome.status, "succeeded");
        const [made] = outcome.status === "succeeded" ? outcome.made : [];
        assert.ok(made);
        const version = await record(made);
        const connection = await analytics.connect();
        const found = await connection.rows(`select * from ${await datasets.relation(version)} order by id`);
        connection.close();
        return found;
      },
    };
  };

  const factsOf = (outcome: StepOutcome): unknown => (outcome.status === "succeeded" ? outcome.facts : outcome);

  it("gives every row the prediction that the model gives it, and computes only what is new or changed", async () => {
    const world = await open();
    const model = await registerModel(world, "late-by-columns");
    const first = await world.score(model, await world.write(FLIGHTS));
    assert.deepEqual(factsOf(first), { rows: 1000, predicted: 1000, kept: 0, modelVersion: model.version });
    const scored = await world.rows(first);
    assert.equal(scored.length, 1000);
    const expected = await world.serving.scorer.score(model, {
      rowCount: 2,
      columns: new Map<string, readonly unknown[]>([
        ["distance", [100, 107]],
        ["hour", [0, 1]],
        ["origin", ["ATL", "ORD"]],
      ]),
    });
    assert.deepEqual(
      scored.slice(0, 2).map(({ prediction }) => prediction),
      [...expected],
    );
    const changed = await world.write(
      `select id, distance, case when id = 5 then 23 else hour end as hour, origin from (${FLIGHTS}) where id <> 7 union all select 5000, 300, 3, 'ATL'`,
    );
    const second = await world.score(model, changed);
    assert.deepEqual(factsOf(second), { rows: 1000, predicted: 2, kept: 998, modelVersion: model.version });
    const again = await world.rows(second);
    assert.deepEqual(again.slice(0, 5), scored.slice(0, 5));
    assert.notEqual(again[5]?.["prediction"], scored[5]?.["prediction"]);
    const other = await registerModel(world, "late-by-columns");
    assert.deepEqual(factsOf(await world.score(other, changed)), {
      rows: 1000,
      predicted: 1000,
      kept: 0,
      modelVersion: other.version,
    });
  });

  it("answers with classes where the model does, and with no rows where there are none", async () => {
    const world = await open();
    const { rows, predicted } = await readCase("part-of-day");
    const model = await registerModel(world, "part-of-day");
    const names = Object.keys(rows[0] ?? {});
    const values = rows.map(
      (row, id) => `(${id}, ${names.map((name) => JSON.stringify(row[name]).replaceAll('"', "'")).join(", ")})`,
    );
    const data = await world.write(`select * from (values ${values.join(", ")}) t(id, ${names.join(", ")})`);
    const scored = await world.rows(await world.score(model, data));
    assert.deepEqual(
      scored.map(({ prediction }) => prediction),
      predicted,
    );
    const none = await world.score(
      model,
      await world.write(`select * from (values ${values[0]}) t(id, ${names.join(", ")}) where false`),
    );
    assert.deepEqual(factsOf(none), { rows: 0, predicted: 0, kept: 0, modelVersion: model.version });
  });

  it("refuses a key that does not tell rows apart, and a dataset without a column that it needs", async () => {
    const world = await open();
    const model = await registerModel(world, "late-by-columns");
    const data = await world.write(FLIGHTS);
    await assert.rejects(world.score(model, data, "origin"), (error) =>
      isEsteiraError(error, "SERVING_SCORE_KEY_INVALID"),
    );
    await assert.rejects(
      world.score(model, await world.write(`select id, distance, hour from (${FLIGHTS})`)),
      (error) => isEsteiraError(error, "SERVING_SCORE_COLUMN_MISSING"),
    );
  });
});

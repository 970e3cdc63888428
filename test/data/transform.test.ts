import assert from "node:assert/strict";
import { it } from "node:test";
import {
  type ColumnLineage,
  type DatasetContent,
  discardQuarantine,
  getDashboard,
  getDatasetDetails,
  listDatasets,
  readQuarantine,
  replayQuarantine,
} from "#data";
import { systemClock } from "#base";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const FLIGHTS =
  "date,delay,origin\n2001-01-01 10:00:00,20,ATL\n2001-01-01 11:00:00,-3,ATL\n2001-01-02 10:00:00,5,BOS\n";

describeStores("sql steps", (kind) => {
  it("make datasets with the lineage of every column", async () => {
    const project = await openDataProject(kind);
    await project.write("flights.csv", FLIGHTS);
    await project.runCapture({ capture: { files: "flights.csv" } }, "flights");
    await project.write(
      "sql/day.sql",
      "WITH late AS (SELECT *, delay > 15 AS is_late FROM flights WHERE origin <> 'ZZZ')\nSELECT origin AS airport, date_trunc('day', date) AS day, count(*) AS n, sum(delay) AS total, avg(is_late::INT) AS share FROM late GROUP BY airport, day ORDER BY airport, day;\n-- done\n",
    );
    const analysis = await project.analyse(project.sql, { sql: "sql/day.sql" }, "day", { flights: "data" });
    assert.deepEqual(
      [analysis.problems, analysis.inputs.map(({ asset }) => asset), analysis.files],
      [[], ["flights"], ["sql/day.sql"]],
    );
    const { versions } = await project.run(project.sql, { sql: "sql/day.sql" }, "day", ["flights"]);
    assert.deepEqual(await project.rows(versions[0], "select * from d order by airport"), [
      { airport: "ATL", day: "2001-01-01T00:00:00Z", n: 2, total: 17, share: 0.5 },
      { airport: "BOS", day: "2001-01-02T00:00:00Z", n: 1, total: 5, share: 0 },
    ]);
    const lineage = (versions[0]?.content as DatasetContent | undefined)?.lineage as unknown as ColumnLineage;
    assert.deepEqual(lineage.columns["airport"]?.inputs, [
      { dataset: "flights", column: "origin", type: "DIRECT", subtype: "IDENTITY" },
    ]);
    assert.deepEqual(
      lineage.columns["share"]?.inputs.map(({ column, subtype }) => [column, subtype]),
      [["delay", "AGGREGATION"]],
    );
    assert.ok(lineage.dataset.some(({ column }) => column === "origin"));
    const again = await project.run(project.sql, { sql: "sql/day.sql" }, "day", ["flights"]);
    assert.equal(again.versions[0]?.id, versions[0]?.id, "equal content makes no new version");
  });

  it("say where a query is wrong before anything runs", async () => {
    const project = await openDataProject(kind);
    await project.write("flights.csv", FLIGHTS);
    await project.runCapture({ capture: { files: "flights.csv" } }, "flights");
    const problem = async (text: string, write?: { merge: string[] }): Promise<unknown> => {
      await project.write("sql/q.sql", text);
      const { problems } = await project.analyse(
        project.sql,
        { sql: "sql/q.sql", ...(write === undefined ? {} : { write }) },
        "q",
        { flights: "data", delay: "model" },
      );
      const [first] = problems;
      return [
        first?.at === undefined ? first?.path.join(".") : `${first.at.line}:${first.at.column}`,
        first?.message,
        first?.hint,
      ];
    };
    // `at` is a word of SQL (AT TIME ZONE).
    for (const [text, word] of [
      ["select at::date as day from flights", "at"],
      ["select delay from flights where at > now()", "at"],
      ["select max(order) from flights", "order"],
    ] as const)
      assert.match(
        String(await problem(text)),
        new RegExp(
          `${word} is a word of SQL: where it is the name of a column, write it between double quotes, "${word}"`,
        ),
      );
    assert.deepEqual(await problem("select dely\nfrom flights"), [
      "1:8",
      'Referenced column "dely" not found in FROM clause! Candidate bindings: "delay", "date"',
      undefined,
    ]);
    assert.deepEqual(await problem("select 1,\n  a b c from flights"), [
      "2:7",
      'syntax error at or near "c"',
      undefined,
    ]);
    assert.deepEqual(await problem("select *\nfrom flihgts"), [
      "2:6",
      'No step makes a dataset "flihgts"',
      'Did you mean "flights"?',
    ]);
    assert.deepEqual((await problem("select * from q")) as unknown[], [
      "1:15",
      'The query reads "q", which it makes itself',
      "Read the datasets it is made from; with write: append or merge earlier rows stay.",
    ]);
    assert.deepEqual(((await problem("select * from delay")) as unknown[])[1], '"delay" is a model, not a dataset');
    assert.match(
      String(((await problem("select * from read_csv('x.csv')")) as unknown[])[1]),
      /table function read_csv is not allowed/,
    );
    assert.match(String(((await problem("select * from 'x.parquet'")) as unknown[])[1]), /is a file/);
    assert.match(String(((await problem("delete from flights")) as unknown[])[1]), /not a SELECT/);
    assert.match(String(((await problem("select 1; select 2")) as unknown[])[1]), /2 statements/);
    assert.match(String(((await problem("  ")) as unknown[])[1]), /holds no SELECT/);
    assert.deepEqual(await problem("select origin as airport from flights", { merge: ["airprt"] }), [
      "write.merge.0",
      'The query gives no column "airprt"; it gives airport',
      'Did you mean "airport"?',
    ]);
    const missing = await project.analyse(project.sql, { sql: "sql/flihgts.sql" }, "q");
    assert.deepEqual(
      [missing.problems[0]?.message, missing.problems[0]?.hint],
      ["There is no file sql/flihgts.sql in the project", "Did you mean sql/flights.sql?"],
    );
    for (const text of ["SELECT day FROM raw.flights", "select 1\n"]) {
      const inline = await project.analyse(project.sql, { sql: text }, "q");
      assert.deepEqual(
        [inline.problems[0]?.message, inline.problems[0]?.hint],
        [
          '"sql" names a file of the project, and this is the text of one',
          "Write the text into a file, sql/q.sql say, and name the file here.",
        ],
      );
    }
    const cte = await (async () => {
      await project.write(
        "sql/q.sql",
        "with flihgts as (select * from flights) select * from flihgts, (select max(delay) from flights)",
      );
      return project.analyse(project.sql, { sql: "sql/q.sql" }, "q", { flights: "data" });
    })();
    assert.deepEqual([cte.problems, cte.inputs.length], [[], 1]);
  });

  it("fail with the place in the file when the data do not fit, and write nothing", async () => {
    const project = await openDataProject(kind);
    await project.write("flights.csv", FLIGHTS);
    await project.runCapture({ capture: { files: "flights.csv" } }, "flights");
    await project.write("q.sql", "select\n  cast(origin as integer) as n from flights");
    await assert.rejects(
      project.run(project.sql, { sql: "q.sql" }, "q", ["flights"]),
      /q\.sql: .*Could not convert string 'ATL' to INT32/s,
    );
    await project.write("q.sql", "select delay from flights where false");
    const { versions } = await project.run(project.sql, { sql: "q.sql" }, "q", ["flights"]);
    assert.equal(versions[0]?.rowCount, 0);
    await project.write("m.sql", "select origin, delay from flights");
    await project.run(project.sql, { sql: "q.sql", write: { merge: ["delay"] } }, "m", ["flights"]);
    await assert.rejects(
      project.run(project.sql, { sql: "m.sql", write: { merge: ["origin"] } }, "m2", ["flights"]),
      /2 new rows have the same key \(origin = "ATL"\)/,
    );
  });
});

describeStores("dashboards", (kind) => {
  it("are checked against the columns, keep the rows and say where they come from", async () => {
    const project = await openDataProject(kind);
    await project.write("flights.csv", FLIGHTS);
    await project.runCapture({ capture: { files: "flights.csv" } }, "flights");
    const board = (
      field: string,
      sql = "SELECT origin, count(*) AS n FROM flights GROUP BY origin ORDER BY origin",
    ): string =>
      `title: Delays\ntiles:\n  - title: Flights\n    sql: ${sql}\n    chart:\n      mark: bar\n      encoding:\n        x: { field: origin, type: nominal }\n        y: { field: ${field}, type: quantitative }\n`;
    await project.write("d.yaml", board("m"));
    const wrong = await project.analyse(project.publish, { publish: "d.yaml" }, "delays", { flights: "data" });
    assert.deepEqual(
      [wrong.problems[0]?.at?.line, wrong.problems[0]?.message, wrong.problems[0]?.hint],
      [
        9,
        'tile "Flights": the chart\'s field "m" is no column of its query, which gives origin, n',
        'Did you mean "n"?',
      ],
    );
    await project.write("d.yaml", board("n", "SELECT orgin FROM flights"));
    assert.match(
      (await project.analyse(project.publish, { publish: "d.yaml" }, "delays", { flights: "data" })).problems[0]
        ?.message ?? "",
      /sql line 1:8: Referenced column "orgin"/,
    );
    await project.write("d.yaml", board("n").replace("mark: bar", "mark: bar\n      data: { url: 'https://x' }"));
    assert.match(
      (await project.analyse(project.publish, { publish: "d.yaml" }, "delays", { flights: "data" })).problems[0]
        ?.message ?? "",
      /no data of its own/,
    );
    await project.write("d.yaml", board("n"));
    assert.deepEqual(
      (await project.analyse(project.publish, { publish: "d.yaml" }, "delays", { flights: "data" })).problems,
      [],
    );
    await project.run(project.publish, { publish: "d.yaml" }, "delays", ["flights"]);
    const { report } = await getDashboard(project, { project: "p", name: "delays" });
    assert.deepEqual(report.tiles[0]?.rows, [
      { origin: "ATL", n: 2 },
      { origin: "BOS", n: 1 },
    ]);
    assert.equal(report.tiles[0]?.sources[0]?.asset, "flights");
    await assert.rejects(getDashboard(project, { project: "p", name: "none" }), { code: "DATA_DASHBOARD_MISSING" });
  });
});

describeStores("quarantine", (kind) => {
  it("is listed, replayed under a corrected contract once, and discarded with a reason; counts always add up", async () => {
    const project = await openDataProject(kind);
    const contract = (maximum: number): string =>
      `apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n      - { name: id, logicalType: integer, required: true, logicalTypeOptions: { maximum: ${maximum} } }\n      - { name: at, logicalType: timestamp }\n`;
    await project.write("c.yaml", contract(10));
    await project.write(
      "a.csv",
      "id,at\n1,2001-01-01 00:00:00\n20,2001-01-02 00:00:00\n30,never\n40,2001-01-03 00:00:00\nbroken\n",
    );
    const { versions } = await project.runCapture({ capture: { files: "a.csv" }, contract: "c.yaml" });
    const [batch] = await project.batches();
    assert.ok(batch);
    const parts = { ...project, clock: systemClock };
    const listed = await readQuarantine(parts, { batchId: batch.id });
    assert.deepEqual(
      listed.rows.map(({ line, rules, state }) => [line, rules, state]),
      [
        [3, ["maximum:id"], "held"],
        [4, ["type:at", "maximum:id"], "held"],
        [5, ["maximum:id"], "held"],
        [6, ["csv:missing_columns"], "held"],
      ],
    );
    const replayed = await replayQuarantine(parts, {
      batchId: batch.id,
      contract: { path: "c.yaml", text: contract(30) },
      actor: "ana",
    });
    assert.deepEqual([replayed.replayed, replayed.held], [1, 3]);
    const all = await replayQuarantine(parts, {
      batchId: batch.id,
      contract: { path: "c.yaml", text: contract(99) },
      actor: "ana",
    });
    assert.deepEqual([all.replayed, all.held], [1, 2]);
    const none = await replayQuarantine(parts, {
      batchId: batch.id,
      contract: { path: "c.yaml", text: contract(99) },
      actor: "ana",
    });
    assert.deepEqual([none.replayed, none.held], [0, 2]);
    assert.deepEqual(await project.rows(all.version, 'select id, "at" from d order by id'), [
      { id: 1, at: "2001-01-01T00:00:00Z" },
      { id: 20, at: "2001-01-02T00:00:00Z" },
      { id: 40, at: "2001-01-03T00:00:00Z" },
    ]);
    assert.deepEqual(await discardQuarantine(parts, { batchId: batch.id, actor: "bia", reason: "no flight" }), {
      discarded: 2,
      files: 0,
    });
    const [summary] = await listDatasets(project, { project: "p" });
    assert.deepEqual(summary?.quarantine, { batches: 1, files: 0, held: 0, replayed: 2, discarded: 2, superseded: 0 });
    const details = await getDatasetDetails(project, {
      project: "p",
      dataset: "d",
      version: versions[0]?.version ?? 0,
    });
    assert.deepEqual(details.checked, {
      read: 5,
      published: 1,
      quarantined: 4,
      rules: { "csv:missing_columns": 1, "maximum:id": 3, "type:at": 1 },
    });
    assert.equal(details.profile?.rowCount, 1);
    await assert.rejects(readQuarantine(parts, { batchId: "none" }), { code: "DATA_QUARANTINE_MISSING" });
  });
});

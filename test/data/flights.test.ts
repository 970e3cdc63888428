import assert from "node:assert/strict";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type CaptureDeclaration, type DatasetContent, getDashboard } from "#data";
import { openDataProject } from "./data-project.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/flights", import.meta.url));
const SOURCE = fileURLToPath(new URL("../../node_modules/vega-datasets/data/flights-3m.parquet", import.meta.url));

/** Not one row of it can be used. */
const DAMAGED = `date,delay,distance,origin,destination
2001-02-30 10:00:00,5,731,ATL,BOS
2001-02-12 09:15:00,late,731,ATL,BOS
2001-02-12 09:20:00,12,-731,ATL,BOS
2001-02-12 09:25:00,12,731,atlanta,BOS
2001-02-12 09:30:00,12,731,ATL,
2001-02-12 09:35:00,12,731,BOS,BOS
2091-02-12 09:40:00,12,731,ATL,BOS
2001-02-12 09:45:00,12
2001-02-12 09:50:00,12,731,ATL,BOS,extra,columns
2001-02-12 09:55:00,99999,731,ATL,BOS
`;

describe("the flights example", () => {
  it("captures three million flights and holds back exactly the 17 that break the contract, and all of a damaged file", async () => {
    const project = await openDataProject("sqlite");
    await cp(join(EXAMPLE, "contracts"), join(project.folder, "contracts"), { recursive: true });
    await cp(join(EXAMPLE, "sql"), join(project.folder, "sql"), { recursive: true });
    await cp(join(EXAMPLE, "dashboards"), join(project.folder, "dashboards"), { recursive: true });
    await mkdir(join(project.folder, "data"));
    await cp(SOURCE, join(project.folder, "data/flights-all.parquet"));
    await writeFile(join(project.folder, "data/flights-damaged.csv"), DAMAGED);
    const declaration: CaptureDeclaration = {
      capture: { files: ["data/flights-*.parquet", "data/flights-*.csv"], version_per: "file" },
      contract: "contracts/flights.yaml",
    };
    const analysis = await project.analyse(project.capture, declaration, "raw_flights");
    assert.deepEqual(analysis.problems, []);
    const { outcome } = await project.runCapture(declaration, "raw_flights");
    assert.deepEqual(outcome.facts, {
      files: 2,
      filesHeldBack: 0,
      read: 3_000_010,
      published: 2_999_983,
      quarantined: 27,
    });
    const batches = await project.batches("raw_flights");
    const rules = Object.fromEntries(batches.map(({ sourcePath, rules: broken }) => [sourcePath, broken]));
    assert.deepEqual(rules["data/flights-all.parquet"], {
      "exclusiveMaximum:date": 6,
      "maximum:delay": 8,
      "minimum:delay": 3,
    });
    assert.equal(batches.find(({ sourcePath }) => sourcePath.endsWith(".csv"))?.rows, 10);

    const known = { raw_flights: "data", flights: "data", airport_day: "data", route_week: "data" } as const;
    for (const [step, input] of [
      ["flights", "raw_flights"],
      ["airport_day", "flights"],
      ["route_week", "flights"],
    ] as const) {
      assert.deepEqual((await project.analyse(project.sql, { sql: `sql/${step}.sql` }, step, known)).problems, []);
      const { versions } = await project.run(project.sql, { sql: `sql/${step}.sql` }, step, [input]);
      const content = versions[0]?.content as DatasetContent | undefined;
      assert.ok(content !== undefined && versions[0]?.rowCount !== undefined && versions[0].rowCount > 0);
      if (step === "flights") assert.equal(versions[0]?.rowCount, 2_999_983);
      if (step === "airport_day")
        assert.deepEqual(
          await project.rows(
            versions[0],
            "select sum(departures)::bigint as n, max(day)::varchar as last, count(*) filter (where available_at <= day) as leaks from d",
          ),
          [{ n: 2_999_983, last: "2001-06-30 00:00:00+00", leaks: 0 }],
        );
    }
    assert.deepEqual(
      (await project.analyse(project.publish, { publish: "dashboards/delays.yaml" }, "delays", known)).problems,
      [],
    );
    await project.run(project.publish, { publish: "dashboards/delays.yaml" }, "delays", [
      "airport_day",
      "route_week",
      "flights",
    ]);
    const { report } = await getDashboard(project, { project: "p", name: "delays" });
    assert.deepEqual(
      report.tiles.map(({ rows }) => rows.length),
      [181, 15, 24, 20],
    );
  });
});

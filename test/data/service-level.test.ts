import assert from "node:assert/strict";
import { it } from "node:test";
import { type DatasetContent, readContract, type SqlDeclaration } from "#data";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const contract = (levels: string): string => `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: id, logicalType: integer }
      - { name: Seen At, logicalType: timestamp }
slaProperties:
${levels}`;
const DECLARATION: SqlDeclaration = { sql: "d.sql", contract: "c.yaml" };

describeStores("service levels of a contract", (kind) => {
  it("warn of rows that are too old, block them with severity error, and name what is not checked", async () => {
    const { run, sql, write, logged } = await openDataProject(kind);
    await write("d.sql", `SELECT 1::BIGINT AS id, now() - INTERVAL 3 DAY AS "Seen_At"`);
    await write(
      "c.yaml",
      contract(
        "  - { property: freshness, value: 2, unit: d, element: d.Seen At }\n  - { property: retention, value: 3, unit: y, element: d.Seen At }\n",
      ),
    );
    const { versions } = await run(sql, DECLARATION);
    assert.ok(versions[0]);
    const [check] = (versions[0].content as DatasetContent).checks ?? [];
    assert.deepEqual(check, {
      id: "freshness:Seen_At",
      expectation: "the newest Seen_At must be at most 2 days old",
      severity: "warning",
      value: "3",
      holds: false,
    });
    assert.match(logged.join("\n"), /warning: retention \(slaProperties\) in the contract: not checked/);
    const level = "  - { property: latency, value: 36, unit: hours, element: d.Seen At, severity: error }\n";
    await write("c.yaml", contract(level));
    await assert.rejects(run(sql, DECLARATION), /the newest Seen_At must be at most 36 hours old, but it is 72/);
    await write("c.yaml", contract(level.replace("36", "80")));
    assert.equal((await run(sql, DECLARATION)).versions.length, 1);
  });

  it("are refused where nothing could judge them", () => {
    const problems = (level: string): readonly string[] =>
      readContract(contract(`  - { property: freshness, ${level} }\n`), "c.yaml").problems.map(
        ({ line, message }) => `${line} ${message}`,
      );
    assert.deepEqual(problems("value: 1, unit: d, element: d.Seen At"), []);
    assert.deepEqual(problems("value: 1, element: Seen At"), []);
    assert.deepEqual(problems("value: 1, unit: fortnight, element: d.Seen At"), ['12 There is no unit "fortnight"']);
    assert.match(
      problems("value: soon, element: d.Seen At")[0] ?? "",
      /freshness is "soon"; expected a number of days/,
    );
    assert.match(problems("value: 1")[0] ?? "", /needs an element/);
    assert.match(problems("value: 1, element: e.x")[0] ?? "", /has no object "e"; it has d/);
    assert.match(problems("value: 1, element: d.x")[0] ?? "", /has no property "x"; it has id, Seen At/);
    assert.match(problems("value: 1, element: d.id")[0] ?? "", /"id" is of type integer; the age of rows/);
    assert.match(problems("value: 1, element: d.Seen At, severity: high")[0] ?? "", /one of info, warning, error/);
  });
});

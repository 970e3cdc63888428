import assert from "node:assert/strict";
import { it } from "node:test";
import { describeResult, testSqlStep, type UnitTestResult } from "#data";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listAssetVersions } from "#metadata-store";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const filesOf = (project: DataProject) => ({
  readFile: (path: string) => readFile(join(project.folder, path), "utf8").catch(() => undefined),
  glob: async () => ["m.tests.yaml"],
});

async function results(
  project: DataProject,
  declaration: object,
  tests: string,
  only?: string,
): Promise<readonly UnitTestResult[]> {
  await project.write("m.tests.yaml", tests);
  const found = await testSqlStep(project, {
    project: "p",
    step: "m",
    declaration: { sql: "m.sql", tests: "m.tests.yaml", ...declaration },
    files: filesOf(project),
    only,
  });
  assert.ok(found);
  return found;
}

const shown = (found: readonly UnitTestResult[]): string =>
  found.map((result) => (result.passed ? "ok" : describeResult(result).join("\n"))).join("\n");

describeStores("unit tests of SQL models", (kind) => {
  it("compare rows whatever their order, with nulls, dates, decimals and floats", async () => {
    const project = await openDataProject(kind);
    await project.write(
      "m.sql",
      "select day, count(*) as n, sum(price) as total, sum(price)::DOUBLE / 3 as third, max(note) as note from sales group by day",
    );
    const test = (name: string, expect: string, more = ""): string => `
  - name: ${name}
    given:
      sales:
        columns: { price: "DECIMAL(10,2)" }
        rows:
          - { day: 2024-01-01, price: 1.10, note: a }
          - { day: 2024-01-01, price: "2.20" }
          - { day: 2024-01-02, price: 1 }
    ${more}
    expect: ${expect}`;
    const good = "[{ day: 2024-01-02, n: 1, total: 1, note: null }, { day: 2024-01-01, n: 2, total: 3.3, note: a }]";
    const found = await results(
      project,
      {},
      `tests:${[
        test("any order", good),
        test("this order", good, "ordered: true"),
        test("floats", "[{ third: 0.33333333334 }, { third: 1.1 }]"),
        test("floats to the last digit", "[{ third: 0.33333333334 }, { third: 1.1 }]", "tolerance: 0"),
        test("another", "[{ day: 2024-01-01, n: 3, note: null }, { day: 2024-01-02, n: 1, note: null }]"),
        test("no rows", "[]"),
        test("not rounded", "[{ n: 1.5 }, { n: 2 }]"),
        test("a column that is not there", "[{ m: 1 }, { m: 2 }]"),
      ].join("")}\n`,
    );
    const text = shown(found);
    assert.deepEqual(
      found.map(({ passed }) => passed),
      [true, false, true, false, false, false, false, false],
      text,
    );
    assert.match(text, /this order: the rows are the expected ones, in another order/);
    assert.match(
      text,
      /another: 1 expected and not there \(-\), 1 there and not expected \(\+\)\n {4}day {9}n {2}note\n {2}- 2024-01-01 {2}3 {2}null\n {2}\+ 2024-01-01 {2}2 {2}a/,
    );
    assert.match(text, /no rows: 0 expected and not there \(-\), 2 there and not expected/);
    assert.match(text, /not rounded: expect, row 1: "1\.5" is no BIGINT \(column n\)/);
    assert.match(text, /There is no column "m" in the result; it has day, n, total, third, note/);
    assert.deepEqual(
      await project.store.read((transaction) => listAssetVersions(transaction, { project: "p", asset: "m", limit: 5 })),
      [],
    );
    const [alone] = await results(project, {}, `tests:${test("x", good)}${test("y", "[]")}`, "x");
    assert.equal(alone?.passed, true);
    await assert.rejects(results(project, {}, `tests:${test("floats", good)}`, "float"), /did you mean "floats"/);
  });

  it("know the types that the datasets have, and lint what does not fit to the query", async () => {
    const project = await openDataProject(kind);
    await project.write("rides.csv", "id,code\n1,0012\n");
    await project.runCapture({ capture: { files: "rides.csv" } }, "rides");
    await project.write("m.sql", "select code || '!' as c from rides");
    assert.equal(
      shown(
        await results(project, {}, 'tests: [{ name: a, given: { rides: [{ code: "7" }] }, expect: [{ c: "7!" }] }]'),
      ),
      "ok",
    );
    const problems = async (text: string, declaration: object = {}): Promise<string> => {
      await project.write("m.tests.yaml", text);
      const declared = project.sql.schema.parse({ sql: "m.sql", tests: "m.tests.yaml", ...declaration });
      const analysis = await project.analyse(project.sql, declared, "m", { rides: "data" });
      return analysis.problems.map(({ message, hint, at }) => `${at?.line}: ${message} ${hint ?? ""}`).join("\n");
    };
    const one = (test: string): string => `tests:\n  - name: a\n    given: { rides: [] }\n    expect: []\n${test}`;
    assert.equal(await problems(one("")), "");
    assert.match(await problems(one("    existing: [{ c: x }]\n")), /5: The model is made anew each time/);
    assert.match(
      await problems(one("    interval: { from: 2024-01-01, to: 2024-01-02 }\n")),
      /not incremental by time/,
    );
    assert.match(
      await problems(one("  - name: a\n    given: {}\n    expect: []\n")),
      /Another test is called "a"[\s\S]*reads rides, and no rows/,
    );
    assert.match(
      await problems("tests: [{ name: a, given: { ride: [] }, expect: [] }]"),
      /does not read ride; it reads rides Did you mean rides/,
    );
    assert.match(
      await problems("tests: [{ name: a, given: { rides: [{ cod: 1 }] }, expect: [] }]"),
      /rides has no column "cod" Did you mean "code"/,
    );
    assert.match(
      await problems("tests: [{ name: a, given: { rides: [] }, expect: [{ c: 1 }, { d: 1 }] }]"),
      /leaves out c/,
    );
    assert.match(
      await problems("tests: [{ name: a, given: { rides: [{ id: 9007199254740993 }] }, expect: [] }]"),
      /lost digits/,
    );
    assert.match(await problems("tests: [{ nam: a, given: {}, expect: [] }]"), /nam/);
    assert.match(await problems("", { tests: "m.test.yaml" }), /no file m\.test\.yaml/);
    await project.write("m.tests.yaml", one(""));
    assert.equal(await project.preview(project.sql, { sql: "m.sql", tests: "m.tests.yaml" }, "m"), "1 unit test");
  });

  it("of incremental models are given what exists already", async () => {
    const project = await openDataProject(kind);
    await project.write("m.sql", "select id, v from t");
    const byKey = `tests:
  - name: merges
    given: { t: [{ id: 2, v: new }, { id: 3, v: c }] }
    existing: [{ id: 1, v: a }, { id: 2, v: old }]
    expect: [{ id: 1, v: a }, { id: 2, v: new }, { id: 3, v: c }]
  - name: refuses a key twice
    given: { t: [{ id: 2, v: x }, { id: 2, v: y }] }
    expect: []
`;
    const text = shown(await results(project, { incremental: { key: "id" } }, byKey));
    assert.match(text, /^ok\nrefuses a key twice: the query gives a key twice, or a row without one: id = 2$/);
    const appended = `tests: [{ name: a, given: { t: [{ id: 2, v: b }] }, existing: [{ id: 1, v: a }], expect: [{ id: 1 }, { id: 2 }] }]`;
    assert.equal(shown(await results(project, { write: "append" }, appended)), "ok");
    await project.write(
      "m.sql",
      "select moment::DATE as day, count(*) as n from t where moment >= $interval_start and moment < $interval_end group by day",
    );
    const byTime = `tests:
  - name: fills one day
    interval: { from: 2024-01-02, to: 2024-01-03 }
    given: { t: [{ moment: 2024-01-02 10:00:00 }, { moment: 2024-01-03 10:00:00 }] }
    existing: [{ day: 2024-01-01, n: 7 }, { day: 2024-01-02, n: 9 }]
    expect: [{ day: 2024-01-01, n: 7 }, { day: 2024-01-02, n: 1 }]
  - name: fills all
    given: { t: [{ moment: 2023-01-02 10:00:00 }, { moment: 2024-01-03 10:00:00 }] }
    expect: [{ day: 2024-01-03, n: 1 }]
`;
    assert.equal(
      shown(await results(project, { incremental: { time: "day", interval: "day", start: "2024-01-01" } }, byTime)),
      "ok\nok",
    );
  });

  it("run before the step where that is declared, and reach nothing outside of their rows", async () => {
    const project = await openDataProject(kind);
    await project.write("v.csv", "id\n1\n");
    await project.runCapture({ capture: { files: "v.csv" } }, "v");
    await project.write("m.sql", "select id + 1 as id from v");
    const test = (id: number): string =>
      `tests: [{ name: adds one, given: { v: [{ id: 1 }] }, expect: [{ id: ${id} }] }]`;
    const declaration = { sql: "m.sql", tests: { file: "m.tests.yaml", before_run: true } };
    const run = () => project.run(project.sql, project.sql.schema.parse(declaration), "m", ["v"]);
    await project.write("m.tests.yaml", test(3));
    await assert.rejects(run(), {
      code: "DATA_UNIT_TESTS_FAILED",
      message: /Unit tests of m fail \(1 of 1\)[\s\S]*- 3[\s\S]*\+ 2/,
    });
    await project.write("m.tests.yaml", test(2));
    assert.equal((await run()).versions[0]?.rowCount, 1);
    assert.ok(project.logged.includes("m: 1 unit test passes"));
    const hostile = [
      `given: { v: [{ id: 1, "x'; drop table v; --": 'a"b' }] }`,
      "given: { v: { columns: { id: 'INTEGER); select 1; --' }, rows: [] } }",
      "given: { v: [] }",
    ];
    await project.write("m.sql", "select id, (select count(*) from read_text('/etc/passwd')) as n from v");
    for (const given of hostile)
      await assert.rejects(
        results(project, {}, `tests: [{ name: a, ${given}, expect: [{ id: 1 }] }]`).then((found) => {
          assert.equal(found[0]?.passed, false, shown(found));
          assert.match(shown(found), /not allowed|disabled|syntax|no column|must match/i);
          throw new Error("held");
        }),
        /held|no column|expected/i,
      );
    await project.write("m.sql", "select range as id from range(20000)");
    assert.match(
      shown(await results(project, {}, "tests: [{ name: a, given: {}, expect: [{ id: 1 }] }]")),
      /more than 10000 rows/,
    );
  });
});

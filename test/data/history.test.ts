import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { type CaptureDeclaration, type DatasetContent, type SqlDeclaration } from "#data";
import type { AssetVersion } from "#metadata-store";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const SHOWN =
  "select id::int as id, city, strftime(valid_from, '%m-%d') as f, strftime(valid_to, '%m-%d') as t, is_current as c from d order by id, valid_from";

const mergedOf = (version: AssetVersion | undefined): DatasetContent["merged"] =>
  (version?.content as DatasetContent | undefined)?.merged;

describeStores("a dataset with the history of its rows", (kind) => {
  it("keeps versions by the time of the change: late rows find their place, equal rows make none, deletes close", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    const declaration: CaptureDeclaration = {
      capture: { files: "*.csv" },
      write: { history: ["id"], updated_at: "at", delete_when: "op = 'D'", check: ["city"] },
    };
    const put = async (name: string, ...lines: string[]): Promise<Awaited<ReturnType<typeof runCapture>>> => {
      await writeFile(join(folder, `${name}.csv`), `id,city,at,op\n${lines.join("\n")}\n`);
      return runCapture(declaration);
    };
    const first = await put("1", "1,Recife,2026-01-01,I", "2,Natal,2026-01-01,I", "1,Olinda,2026-01-05,U");
    assert.deepEqual(await rows(first.versions[0], SHOWN), [
      { id: 1, city: "Recife", f: "01-01", t: "01-05", c: false },
      { id: 1, city: "Olinda", f: "01-05", t: null, c: true },
      { id: 2, city: "Natal", f: "01-01", t: null, c: true },
    ]);
    // The same again, and later, changes nothing: no version of the dataset.
    const same = await put("2", "1,Olinda,2026-01-07,U", "2,Natal,2026-01-02,U");
    assert.equal(same.versions[0]?.version, 1);
    const second = await put(
      "3",
      "1,Caruaru,2026-01-03,U", // late, in between
      "2,,2026-01-10,D",
      "3,,2026-01-02,D", // never there
      "4,Belém,2026-01-02,I",
    );
    assert.deepEqual(await rows(second.versions[0], SHOWN), [
      { id: 1, city: "Recife", f: "01-01", t: "01-03", c: false },
      { id: 1, city: "Caruaru", f: "01-03", t: "01-05", c: false },
      { id: 1, city: "Olinda", f: "01-05", t: null, c: true },
      { id: 2, city: "Natal", f: "01-01", t: "01-10", c: false },
      { id: 4, city: "Belém", f: "01-02", t: null, c: true },
    ]);
    assert.deepEqual(mergedOf(second.versions[0]), {
      added: 1,
      changed: 1,
      deleted: 1,
      unchanged: 1,
    });
    // It comes back; an earlier time than the first; the same time corrects.
    const third = await put("4", "2,Natal,2026-01-20,I", "4,Manaus,2026-01-01,I", "1,Olinda!,2026-01-05,U");
    assert.deepEqual(await rows(third.versions[0], SHOWN), [
      { id: 1, city: "Recife", f: "01-01", t: "01-03", c: false },
      { id: 1, city: "Caruaru", f: "01-03", t: "01-05", c: false },
      { id: 1, city: "Olinda!", f: "01-05", t: null, c: true },
      { id: 2, city: "Natal", f: "01-01", t: "01-10", c: false },
      { id: 2, city: "Natal", f: "01-20", t: null, c: true },
      { id: 4, city: "Manaus", f: "01-01", t: "01-02", c: false },
      { id: 4, city: "Belém", f: "01-02", t: null, c: true },
    ]);
    await writeFile(join(folder, "5.csv"), "id,city,at,op\n1,x,2026-05-05,U\n1,y,2026-05-05,U\n");
    await assert.rejects(runCapture(declaration), /differ that have the same key and the same at/);
  });

  it("gives the same whichever order the changes come in", async () => {
    const files = Array.from({ length: 6 }, (_, index) =>
      Array.from({ length: 40 }, (__, row) => {
        const [id, day] = [(row * 7 + index) % 9, 1 + ((row * 13 + index * 5) % 28)];
        const time = [(row + index * 3) % 24, row, index].map((part) => String(part).padStart(2, "0")).join(":");
        return `${id},city ${index}-${row},2026-02-${String(day).padStart(2, "0")} ${time},U`;
      }),
    );
    const results: unknown[] = [];
    for (const order of [
      [0, 1, 2, 3, 4, 5],
      [5, 3, 1, 4, 0, 2],
    ]) {
      const { folder, runCapture, rows } = await openDataProject(kind);
      const declaration: CaptureDeclaration = {
        capture: { files: "*.csv" },
        write: { history: ["id"], updated_at: "at", delete_when: "op = 'D'", check: ["city"] },
      };
      let last: Awaited<ReturnType<typeof runCapture>> | undefined;
      for (const [place, index] of order.entries()) {
        await writeFile(join(folder, `${place}.csv`), `id,city,at,op\n${files[index]?.join("\n")}\n`);
        last = await runCapture(declaration);
      }
      results.push(
        await rows(
          last?.versions[0],
          "select id, city, valid_from::text f, valid_to::text t, is_current from d order by all",
        ),
      );
      const [overlap] = await rows(
        last?.versions[0],
        "select count(*)::int as n from d a join d b on a.id = b.id and a.valid_from < b.valid_from and coalesce(a.valid_to, 'infinity') > b.valid_from",
      );
      assert.deepEqual(overlap, { n: 0 }, "versions of a key do not overlap");
    }
    assert.ok((results[0] as unknown[]).length > 30);
    assert.deepEqual(results[1], results[0]);
  });

  it("is a snapshot of a table that only shows what is now: changed, deleted and returned rows, new columns", async () => {
    const { folder, runCapture, rows, capture, analyse } = await openDataProject(kind);
    const database = new DatabaseSync(join(folder, "shop.db"));
    database.exec(
      "create table t (id integer primary key, city text); insert into t values (1, 'a'), (2, 'b'), (3, 'c')",
    );
    const declaration: CaptureDeclaration = {
      capture: { sqlite: { file: "shop.db", table: "t" } },
      write: { history: ["id"], delete: "missing" },
    };
    const shown =
      "select id::int as id, city, is_current as c, valid_to > valid_from as ok from d order by id, valid_from";
    await runCapture(declaration);
    database.exec("update t set city = 'B' where id = 2; delete from t where id = 3; insert into t values (4, 'd')");
    const second = await runCapture(declaration);
    assert.deepEqual(await rows(second.versions[0], shown), [
      { id: 1, city: "a", c: true, ok: null },
      { id: 2, city: "b", c: false, ok: true },
      { id: 2, city: "B", c: true, ok: null },
      { id: 3, city: "c", c: false, ok: true },
      { id: 4, city: "d", c: true, ok: null },
    ]);
    database.exec(
      "insert into t values (3, 'c'); alter table t add column zip text; update t set zip = '5' where id = 1",
    );
    const third = await runCapture(declaration);
    assert.deepEqual(
      await rows(third.versions[0], "select id::int as id, city, zip, is_current as c from d order by id, valid_from"),
      [
        { id: 1, city: "a", zip: null, c: false },
        { id: 1, city: "a", zip: "5", c: true },
        { id: 2, city: "b", zip: null, c: false },
        { id: 2, city: "B", zip: null, c: true },
        { id: 3, city: "c", zip: null, c: false },
        { id: 3, city: "c", zip: null, c: true },
        { id: 4, city: "d", zip: null, c: true },
      ],
    );
    database.close();
    const wrong = await analyse(
      capture,
      { ...declaration, write: { history: ["id"], check: ["id"], updated_at: "valid_from" } },
      "d",
    );
    assert.deepEqual(
      wrong.problems.map(({ path }) => path.join(".")),
      ["write.history", "write.check.0"],
    );
  });

  it("is made by a query too, and refuses rows and datasets that it cannot be made of", async () => {
    const { folder, runCapture, sql, run, rows, write, analyse } = await openDataProject(kind);
    await writeFile(join(folder, "1.csv"), "id,city,changed\n1,Recife,2026-01-01\n2,Natal,2026-01-01\n");
    await runCapture({ capture: { files: "*.csv" } }, "shops");
    await write(
      "sql/d.sql",
      "SELECT id, city, changed FROM shops QUALIFY row_number() OVER (PARTITION BY id ORDER BY changed DESC) = 1",
    );
    const declaration: SqlDeclaration = { sql: "sql/d.sql", write: { history: ["id"], updated_at: "changed" } };
    await run(sql, declaration, "d", ["shops"]);
    await writeFile(join(folder, "2.csv"), "id,city,changed\n1,Olinda,2026-02-01\n");
    await runCapture({ capture: { files: "*.csv" } }, "shops");
    const { versions } = await run(sql, declaration, "d", ["shops"]);
    assert.deepEqual(await rows(versions[0], SHOWN), [
      { id: 1, city: "Recife", f: "01-01", t: "02-01", c: false },
      { id: 1, city: "Olinda", f: "02-01", t: null, c: true },
      { id: 2, city: "Natal", f: "01-01", t: null, c: true },
    ]);
    const known = { shops: "data", d: "data" } as const;
    const problems = async (given: SqlDeclaration): Promise<string> =>
      (await analyse(sql, given, "d", known)).problems.map(({ message }) => message).join("; ");
    assert.match(
      await problems({ ...declaration, write: { history: ["nr"], updated_at: "when" } }),
      /no column "when".*no column "nr"/,
    );
    assert.match(
      await problems({ ...declaration, write: { history: ["id"], updated_at: "city" } }),
      /"city" is VARCHAR/,
    );
    await write("sql/own.sql", "SELECT id, city, changed AS valid_from FROM shops");
    await assert.rejects(
      run(sql, { sql: "sql/own.sql", write: { history: ["id", "valid_from"] } }, "own", ["shops"]),
      /a column "valid_from" themselves/,
    );
    await write("sql/e.sql", "SELECT id, city FROM shops");
    await run(sql, { sql: "sql/d.sql" }, "e", ["shops"]);
    await assert.rejects(run(sql, declaration, "e", ["shops"]), /say nothing of when they held/);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CaptureDeclaration } from "#data";
import { isEsteiraError } from "#base";
import { openDataProject } from "../data/data-project.ts";

type Capture = CaptureDeclaration["capture"];

export interface DatabaseUnderTest {
  /** Runs statements, as somebody else who uses the database. */
  readonly run: (sql: string) => Promise<void>;
  /** The capture of a table. */
  readonly capture: (what: Partial<NonNullable<Capture["sqlite"]>>) => Capture;
  readonly secret: (name: string) => string | undefined;
  /** Text of a statement that makes a table with `id` (whole number, key), `name` (text) and `changed` (moment). */
  readonly create: (table: string) => string;
  readonly hosts: readonly string[];
  readonly quote: (name: string) => string;
  readonly folders?: readonly string[];
}

/** What every database must do as a source. */
export function describeDatabase(
  title: string,
  open: () => Promise<DatabaseUnderTest>,
  { skip = false }: { readonly skip?: string | false } = {},
): void {
  const start = async () => {
    const under = await open();
    const project = await openDataProject("sqlite", {
      captureHosts: under.hosts,
      secret: under.secret,
      captureFolders: () => under.folders ?? [],
    });
    const table = `t${Math.random().toString(36).slice(2)}`;
    await under.run(under.create(table));
    const capture = (what: Partial<NonNullable<Capture["sqlite"]>> = {}): Capture => under.capture({ table, ...what });
    const insert = (...rows: readonly (readonly [number, string | null, string | null])[]): Promise<void> =>
      under.run(
        `insert into ${table} values ${rows.map(([id, name, at]) => `(${id}, ${literal(name)}, ${literal(at)})`).join(", ")}`,
      );
    return { under, project, table, capture, insert };
  };
  const cursor = { column: "changed" } as const;

  describe(`database: ${title}`, { skip }, () => {
    it("brings a whole table with each run, in one version, and makes none when nothing changed", async () => {
      const { project, capture, insert, under, table } = await start();
      await insert([1, "ana", "2026-01-05 10:00:00"], [2, null, "2026-01-05 11:00:00"], [3, "", "2026-01-05 12:00:00"]);
      const first = await project.runCapture({ capture: capture() });
      assert.deepEqual(await project.rows(first.versions[0], "select id, name, changed from d order by id"), [
        { id: 1, name: "ana", changed: "2026-01-05T10:00:00Z" },
        { id: 2, name: null, changed: "2026-01-05T11:00:00Z" },
        { id: 3, name: "", changed: "2026-01-05T12:00:00Z" },
      ]);
      assert.equal((await project.runCapture({ capture: capture() })).versions[0]?.version, 1);
      await under.run(`delete from ${table} where id = 2`);
      const second = await project.runCapture({ capture: capture() });
      assert.equal(second.versions[0]?.version, 2);
      assert.equal(second.versions[0]?.rowCount, 2);
      await under.run(`delete from ${table}`);
      assert.equal((await project.runCapture({ capture: capture() })).versions[0]?.rowCount, 0);
    });

    it("keeps every text as it is: line breaks, quotes, commas, backslashes, letters of any script", async () => {
      const { project, capture, under, table } = await start();
      const texts = [
        'a"b',
        "a,b",
        "line\nbreak\r\nand more",
        "back\\slash",
        "日本 🚂",
        " space ",
        "'",
        "NULL",
        "\\N",
        "\t",
      ];
      await under.run(
        `insert into ${table} values ${texts.map((text, index) => `(${index}, ${title === "MySQL" ? literal(text.replaceAll("\\", "\\\\")) : literal(text)}, null)`).join(", ")}`,
      );
      const { versions } = await project.runCapture({ capture: capture() });
      const rows = await project.rows(versions[0], "select name from d order by id");
      assert.deepEqual(
        rows.map(({ name }) => name),
        texts,
      );
    });

    it("appends what is new by a cursor, each row once, also those that come with the last value", async () => {
      const { project, capture, insert } = await start();
      const declaration: CaptureDeclaration = { capture: capture({ cursor }) };
      await insert([1, "a", "2026-01-05 10:00:00"], [2, "b", "2026-01-05 11:00:00"]);
      await project.runCapture(declaration);
      assert.equal((await project.runCapture(declaration)).versions[0]?.version, 1);
      await insert([3, "c", "2026-01-05 11:00:00"], [4, "d", "2026-01-05 11:30:00"]);
      const { versions } = await project.runCapture(declaration);
      assert.deepEqual(
        (await project.rows(versions[0], "select id from d order by id")).map(({ id }) => id),
        [1, 2, 3, 4],
      );
      // An attempt that follows one that died before it was recorded finds what that one wrote.
      await insert([5, "e", "2026-01-05 12:00:00"]);
      await project.attempt(project.capture, declaration, "run");
      const [after] = await project.record(await project.attempt(project.capture, declaration, "run"));
      assert.deepEqual(
        (await project.rows(after, "select id from d order by id")).map(({ id }) => id),
        [1, 2, 3, 4, 5],
      );
    });

    it("merges rows that come late, by looking back", async () => {
      const { project, capture, insert, under, table } = await start();
      const declaration: CaptureDeclaration = {
        capture: capture({ cursor: { column: "changed", lookback: "2h" } }),
        write: { merge: ["id"] },
      };
      await insert([1, "a", "2026-01-05 10:00:00"], [2, "b", "2026-01-05 12:00:00"]);
      await project.runCapture(declaration);
      await insert([3, "late", "2026-01-05 10:30:00"], [4, "too late", "2026-01-05 09:00:00"]);
      await under.run(`update ${table} set name = 'changed' where id = 2`);
      const { versions } = await project.runCapture(declaration);
      assert.deepEqual(await project.rows(versions[0], "select id, name from d order by id"), [
        { id: 1, name: "a" },
        { id: 2, name: "changed" },
        { id: 3, name: "late" },
      ]);
    });

    it("says what is wrong with a table, a column or a cursor", async () => {
      const { project, capture, insert, under, table } = await start();
      const fails = (declaration: CaptureDeclaration, code: string, text: RegExp): Promise<void> =>
        assert.rejects(project.runCapture(declaration), (error: Error) => {
          assert.ok(isEsteiraError(error, code), error.stack);
          assert.match(error.message, text);
          return true;
        });
      await fails({ capture: capture({ table: `${table}x` }) }, "DATA_SOURCE_TABLE_MISSING", new RegExp(table));
      await fails({ capture: capture({ columns: ["nam"] }) }, "DATA_SOURCE_COLUMN_UNFIT", /"nam".*id, name, changed/);
      await insert([1, "a", null]);
      await fails({ capture: capture({ cursor }) }, "DATA_SOURCE_CURSOR_UNFIT", /1 row has no value/);
      const { capture: broken } = { capture: under.capture({ query: "select absent from nowhere" }) };
      await fails({ capture: broken }, "DATA_SOURCE_QUERY_FAILED", /nowhere/);
      const twice = under.capture({ query: `select id, id from ${table}` });
      // SQLite gives the second another name by itself.
      if (title !== "SQLite") await assert.rejects(project.runCapture({ capture: twice }), /twice|[Dd]uplicate/);
    });

    it("follows columns that come and go, and holds back what has another type than before", async () => {
      const { project, capture, insert, under, table } = await start();
      const declaration: CaptureDeclaration = { capture: capture({ cursor }), write: { merge: ["id"] } };
      await insert([1, "7", "2026-01-05 10:00:00"], [3, "8", "2026-01-05 11:00:00"]);
      await under.run(`alter table ${table} add column more int`);
      await under.run(`update ${table} set more = 5`);
      await project.runCapture(declaration);
      await under.run(`alter table ${table} drop column more`);
      await under.run(`insert into ${table} values (2, 'b', '2026-01-06 10:00:00')`);
      const { versions } = await project.runCapture(declaration);
      assert.deepEqual(await project.rows(versions[0], "select id, name, more from d order by id"), [
        { id: 1, name: "7", more: 5 },
        { id: 2, name: "b", more: null },
        // Read again, since it has the last value, and without the column.
        { id: 3, name: "8", more: null },
      ]);
      const typed = await project.runCapture({ capture: capture({ types: { name: "BIGINT" } }) }, "typed");
      assert.deepEqual(typed.outcome.facts, { files: 1, filesHeldBack: 0, read: 3, published: 2, quarantined: 1 });
    });

    it("takes names of any letters, and a query with a comment at its end", async () => {
      const { project, under, table } = await start();
      const odd = under.quote(`Odd "${table}`.replaceAll('"', title === "MySQL" ? "'" : '"'));
      await under.run(`create table ${odd} (${under.quote("Bad Name;")} int, ${under.quote("select")} int)`);
      await under.run(`insert into ${odd} values (1, 2)`);
      const { versions } = await project.runCapture({
        capture: under.capture({ query: `select * from ${odd} -- all of it` }),
      });
      assert.deepEqual(await project.rows(versions[0], "select * from d"), [{ Bad_Name: 1, select: 2 }]);
    });
  });
}

function literal(text: string | null): string {
  return text === null ? "null" : `'${text.replaceAll("'", "''")}'`;
}

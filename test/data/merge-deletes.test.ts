import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { askForCapture, type CaptureDeclaration, type DatasetContent, replayQuarantine } from "#data";
import type { AssetVersion } from "#metadata-store";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const contract = (properties: string): string =>
  `apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n${properties}`;

const mergedOf = (version: AssetVersion | undefined): DatasetContent["merged"] =>
  (version?.content as DatasetContent | undefined)?.merged;

describeStores("a merge that deletes rows", (kind) => {
  it("takes out what rows say that they delete, in any order, also what came in the same run", async () => {
    const { folder, runCapture, rows, logged } = await openDataProject(kind);
    const write: CaptureDeclaration["write"] = { merge: ["id"], duplicates: "last", delete_when: "op = 'D'" };
    const declaration: CaptureDeclaration = { capture: { files: "*.csv" }, write };
    await writeFile(
      join(folder, "1.csv"),
      'id,name,op\n1,a,I\n2,b,I\n3,c,I\n4,d,I\n4,d,D\n5,e,D\n6,f,D\n6,"ö\'""f",I\n',
    );
    const first = await runCapture(declaration);
    assert.deepEqual(await rows(first.versions[0], "select id::int as id, name from d order by id"), [
      { id: 1, name: "a" },
      { id: 2, name: "b" },
      { id: 3, name: "c" },
      { id: 6, name: "ö'\"f" },
    ]);
    await writeFile(join(folder, "2.csv"), "id,name,op\n2,,D\n3,C,U\n7,g,I\n99,z,D\n");
    const { outcome, versions } = await runCapture(declaration);
    assert.deepEqual(await rows(versions[0], "select id::int as id, name from d order by id"), [
      { id: 1, name: "a" },
      { id: 3, name: "C" },
      { id: 6, name: "ö'\"f" },
      { id: 7, name: "g" },
    ]);
    assert.deepEqual(
      [outcome.facts?.["read"], outcome.facts?.["published"], outcome.facts?.["deleted"], outcome.facts?.["changed"]],
      [4, 4, 1, 1],
    );
    assert.deepEqual(mergedOf(versions[0]), {
      added: 1,
      changed: 1,
      deleted: 1,
      unchanged: 0,
    });
    assert.ok(logged.includes("d: 1 key added, 1 changed, 1 deleted, 0 unchanged"));
  });

  it("says what is wrong with the condition before anything runs, or names it when the rows have no such column", async () => {
    const { folder, analyse, capture, runCapture } = await openDataProject(kind);
    await writeFile(join(folder, "1.csv"), "id,op\n1,I\n");
    const problems = async (text: string): Promise<readonly string[]> =>
      (
        await analyse(capture, { capture: { files: "*.csv" }, write: { merge: ["id"], delete_when: text } }, "d")
      ).problems.map(({ message }) => message);
    assert.match((await problems("op = "))[0] ?? "", /the condition cannot be read/);
    assert.match((await problems("id in (select id from other)"))[0] ?? "", /reads "other"/);
    assert.match((await problems("true); drop table x; select (1"))[0] ?? "", /cannot be read|statements/);
    assert.match((await problems("exists (select 1 from read_text('/etc/passwd'))"))[0] ?? "", /./);
    assert.deepEqual(await problems("op = 'D' -- deleted"), []);
    await assert.rejects(
      runCapture({ capture: { files: "*.csv" }, write: { merge: ["id"], delete_when: "flag = 1" } }),
      /DATA_DELETE_CONDITION_INVALID|delete_when of d|flag/,
    );
  });

  it("deletes what a whole source no longer has, and not what was held back of it", async () => {
    const { folder, runCapture, rows, write } = await openDataProject(kind);
    await write(
      "c.yaml",
      contract(
        "      - { name: id, logicalType: integer, required: true }\n      - { name: n, logicalType: integer, logicalTypeOptions: { minimum: 0 } }\n",
      ),
    );
    const declaration: CaptureDeclaration = {
      capture: { files: "day-*.csv" },
      contract: "c.yaml",
      write: { merge: ["id"], delete: "missing" },
    };
    const ids = async (run: Awaited<ReturnType<typeof runCapture>>): Promise<unknown> =>
      (await rows(run.versions.at(-1), "select list(id::int order by id) as ids from d"))[0]?.["ids"];
    await writeFile(join(folder, "day-1.csv"), "id,n\n1,1\n2,2\n3,3\n");
    assert.deepEqual(await ids(await runCapture(declaration)), [1, 2, 3]);
    // Two snapshots come at once: each is told from the one before; row 3 is held back, and is not missing.
    await writeFile(join(folder, "day-2.csv"), "id,n\n1,1\n4,4\n3,-1\n");
    await writeFile(join(folder, "day-3.csv"), "id,n\n1,10\n5,5\n3,-1\n");
    const both = await runCapture(declaration);
    assert.equal(both.versions.length, 2);
    assert.deepEqual(await ids(both), [1, 3, 5]);
    assert.deepEqual(both.outcome.facts?.["deleted"], 2);
    // The same bytes as on the first day: everything is again as it was.
    await writeFile(join(folder, "day-4.csv"), "id,n\n1,1\n2,2\n3,3\n");
    assert.deepEqual(await ids(await runCapture(declaration)), [1, 2, 3]);
    assert.equal((await runCapture(declaration)).outcome.facts?.["files"], 0);
    // A source that is empty, or that cannot be read as a whole, deletes nothing.
    await writeFile(join(folder, "day-5.csv"), "id,n\n");
    assert.deepEqual(await ids(await runCapture(declaration)), [1, 2, 3]);
    await writeFile(join(folder, "day-6.csv"), 'id,n\n1,1\n2,"2\n');
    assert.deepEqual(await ids(await runCapture({ ...declaration })), [1, 2, 3]);
    await rm(join(folder, "day-6.csv"));
    await writeFile(join(folder, "day-7.csv"), "id,n\n \n");
    await writeFile(join(folder, "day-8.csv"), "id,n\n,7\n1,1\n");
    assert.deepEqual(await ids(await runCapture(declaration)), [1, 2, 3], "a row without a key is held back");
  });

  it("follows a table that goes back to what it was, and makes no version where nothing changed", async () => {
    const { folder, runCapture, rows, capture, analyse, logged } = await openDataProject(kind);
    const database = new DatabaseSync(join(folder, "shop.db"));
    database.exec("create table t (id integer primary key, name text)");
    const declaration: CaptureDeclaration = {
      capture: { sqlite: { file: "shop.db", table: "t" } },
      write: { merge: ["id"], delete: "missing" },
    };
    const names = async (run: Awaited<ReturnType<typeof runCapture>>): Promise<unknown> =>
      (await rows(run.versions.at(-1), "select list(name order by id) as names from d"))[0]?.["names"];
    database.exec("insert into t values (1, 'a'), (2, 'b')");
    const first = await runCapture(declaration);
    assert.deepEqual(await names(first), ["a", "b"]);
    database.exec("update t set name = 'B' where id = 2");
    const second = await runCapture(declaration);
    assert.deepEqual(await names(second), ["a", "B"]);
    database.exec("update t set name = 'b' where id = 2");
    assert.deepEqual(await names(await runCapture(declaration)), ["a", "b"]);
    assert.equal((await runCapture(declaration)).outcome.facts?.["files"], 0);
    database.exec("delete from t");
    assert.deepEqual(await names(await runCapture(declaration)), ["a", "b"]);
    assert.ok(logged.includes("d: nothing is deleted as missing: the source has no row at all"));
    const emptied = await runCapture({ ...declaration, capture: { ...declaration.capture, allow_empty: true } });
    assert.equal(emptied.versions.at(-1)?.rowCount, 2, "known as empty by now: nothing is read again");
    database.close();
    const { problems } = await analyse(
      capture,
      { ...declaration, capture: { sqlite: { file: "shop.db", table: "t", cursor: { column: "id" } } } },
      "d",
    );
    assert.match(problems.map(({ message }) => message).join(), /would delete all others as missing/);
  });

  it("leaves out rows that are older than those that are there", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    const declaration: CaptureDeclaration = {
      capture: { files: "*.csv" },
      write: { merge: ["id"], updated_at: "at" },
    };
    await writeFile(
      join(folder, "1.csv"),
      "id,v,at\n1,new,2026-03-02 10:00:00\n1,old,2026-03-01 10:00:00\n2,x,2026-03-01 00:00:00\n",
    );
    await runCapture(declaration);
    await writeFile(
      join(folder, "2.csv"),
      "id,v,at\n1,late,2026-03-01 23:00:00\n2,y,2026-03-05 00:00:00\n3,z,2026-01-01 00:00:00\n",
    );
    const { versions } = await runCapture(declaration);
    assert.deepEqual(await rows(versions[0], "select id::int as id, v from d order by id"), [
      { id: 1, v: "new" },
      { id: 2, v: "y" },
      { id: 3, v: "z" },
    ]);
    assert.deepEqual(mergedOf(versions[0]), {
      added: 1,
      changed: 1,
      deleted: 0,
      unchanged: 1,
    });
    await writeFile(join(folder, "3.csv"), "id,v,at\n1,a,2026-06-01 00:00:00\n1,b,2026-06-01 00:00:00\n");
    await assert.rejects(runCapture(declaration), /2 new rows have the same key/);
  });

  it("makes the dataset anew as it was merged, of the files that are there", async () => {
    const { folder, runCapture, rows, store, clock } = await openDataProject(kind);
    const declaration: CaptureDeclaration = {
      capture: { files: "*.csv" },
      write: { merge: ["id"], delete_when: "op = 'D'" },
    };
    await writeFile(join(folder, "1.csv"), "id,v,op\n1,a,I\n2,b,I\n");
    await runCapture(declaration);
    await writeFile(join(folder, "2.csv"), "id,v,op\n1,A,U\n2,,D\n3,c,I\n");
    await runCapture(declaration);
    await askForCapture(
      { store, clock, project: "p" },
      { dataset: "d", actor: "me", files: "all", exists: () => Promise.resolve(true) },
    );
    const { versions } = await runCapture(declaration);
    assert.deepEqual(await rows(versions[0], "select id::int as id, v from d order by id"), [
      { id: 1, v: "A" },
      { id: 3, v: "c" },
    ]);
  });

  it("merges what is replayed from the quarantine, and deletes by it what it says", async () => {
    const project = await openDataProject(kind);
    const { folder, runCapture, rows, write, batches } = project;
    const bounded = (least: number): string =>
      contract(
        `      - { name: id, logicalType: integer, required: true }\n      - { name: n, logicalType: integer, logicalTypeOptions: { minimum: ${least} } }\n      - { name: op, logicalType: string }\n`,
      );
    await write("c.yaml", bounded(0));
    const declaration: CaptureDeclaration = {
      capture: { files: "*.csv" },
      contract: "c.yaml",
      write: { merge: ["id"], delete_when: "op = 'D'" },
    };
    await writeFile(join(folder, "1.csv"), "id,n,op\n1,1,I\n2,2,I\n3,3,I\n");
    await runCapture(declaration);
    await writeFile(join(folder, "2.csv"), "id,n,op\n1,-1,U\n2,-2,D\n4,-4,I\n");
    await runCapture({ ...declaration, capture: { files: "*.csv", allow_empty: true } });
    const [batch] = await batches();
    const replay = async (): Promise<unknown> =>
      replayQuarantine(
        { ...project },
        { batchId: batch?.id ?? "", contract: { path: "c.yaml", text: bounded(-10) }, actor: "me" },
      ).then(({ replayed, held, version }) => ({ replayed, held, version }));
    const done = (await replay()) as { replayed: number; version: Parameters<typeof rows>[0] };
    assert.equal(done.replayed, 3);
    assert.deepEqual(await rows(done.version, "select id::int as id, n::int as n from d order by id"), [
      { id: 1, n: -1 },
      { id: 3, n: 3 },
      { id: 4, n: -4 },
    ]);
    assert.deepEqual(((await replay()) as { replayed: number }).replayed, 0);
  });
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { CaptureDeclaration, DatasetContent } from "#data";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

// Written by write-workbooks.py with XlsxWriter and openpyxl.
const WORKBOOKS = join(import.meta.dirname, "workbooks");
const DECLARED: CaptureDeclaration = { capture: { files: "*.xlsx" } };

async function opened(kind: Parameters<typeof openDataProject>[0], name: string): Promise<DataProject> {
  const project = await openDataProject(kind);
  await copyFile(join(WORKBOOKS, name), join(project.folder, name));
  return project;
}

describeStores("workbooks of Excel", (kind) => {
  it("are read from the row with names, with their types, dates, merged cells and computed formulas", async () => {
    const { runCapture, rows, logged } = await opened(kind, "sales.xlsx");
    const { versions } = await runCapture(DECLARED);
    assert.ok(versions[0]);
    const types = (versions[0].content as DatasetContent).columns.map(({ name, type }) => `${name} ${type}`);
    assert.deepEqual(types, [
      "region VARCHAR",
      "code VARCHAR",
      "day VARCHAR",
      "at TIMESTAMP WITH TIME ZONE",
      "price DOUBLE",
      "ok BOOLEAN",
      "double VARCHAR",
      "opens VARCHAR",
      "worked VARCHAR",
      "note VARCHAR",
      "note_2 VARCHAR",
    ]);
    const read = await rows(
      versions[0],
      'select region, code, day, epoch_ms("at")::double as at, price, ok, double, opens, worked, note from d',
    );
    const at = Date.parse("2026-01-31T23:59:58Z");
    const first = { region: "North", opens: "18:00:00", worked: "36:00:00", at, note: 'a b c\n"d" & é' };
    const none = { at: null, ok: null, opens: null, worked: null, note: null };
    assert.deepEqual(read, [
      { ...first, code: "007", day: "2026-01-31", price: 1234.5, ok: true, double: "2469" },
      { ...first, code: "042", day: "1900-01-05", price: 0.1, ok: false, double: "0.2" },
      { ...first, code: "1e3", day: "2026-12-01", price: -7, ok: true, double: "-14" },
      { ...none, region: "South", code: "x", day: "15/02/2026", price: 12, double: "#DIV/0!" },
      { ...none, region: null, code: "y", day: null, price: null, double: null },
    ]);
    const said = logged.join("\n");
    assert.match(said, /the sheet "Vendas & Cia" is read, of Lists, Vendas & Cia, Other/);
    assert.match(said, /row 3 is taken for the names of the columns/);
    assert.match(said, /2 cells that are part of a merged one have its value/);
  });

  it("keep a contract, in whose formats texts are read and dates need not be, and name the row in Excel", async () => {
    const { runCapture, rows, batches, held, write } = await opened(kind, "sales.xlsx");
    await write(
      "c.yaml",
      `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: code, logicalType: string, required: true }
      - { name: day, logicalType: date, required: true, logicalTypeOptions: { format: dd/MM/yyyy } }
      - { name: double, logicalType: number }
`,
    );
    const excel = { sheet: "vendas & cia", header: 3, range: "B:G" } as const;
    const { versions } = await runCapture({ capture: { files: "*.xlsx", excel }, contract: "c.yaml" });
    assert.deepEqual(await rows(versions[0], "select code, day::text as day, double from d order by code"), [
      { code: "007", day: "2026-01-31", double: 2469 },
      { code: "042", day: "1900-01-05", double: 0.2 },
      { code: "1e3", day: "2026-12-01", double: -14 },
    ]);
    const [batch] = await batches();
    const found = await held(batch);
    assert.deepEqual(
      found.map(({ line, rules }) => [Number(line), rules]),
      [
        [7, ["type:double"]],
        [10, ["required:day"]],
      ],
    );
  });

  it("of other writers are read too, and formulas without a value are told", async () => {
    const { runCapture, rows, logged } = await opened(kind, "plain.xlsx");
    const { versions } = await runCapture(DECLARED);
    assert.deepEqual(
      await rows(versions[0], 'select id::int as id, epoch_ms("when"::timestamptz)::double as at, sum from d'),
      [
        { id: 1, at: Date.parse("2026-01-01T00:00:00Z"), sum: null },
        { id: 2, at: Date.parse("2026-01-02T00:00:00Z"), sum: null },
        { id: 3, at: Date.parse("2026-01-03T00:00:00Z"), sum: null },
      ],
    );
    assert.match(logged.join("\n"), /3 formulas have no value in the file/);
  });

  it("are held back with the reason when they are none, or have no such sheet", async () => {
    const { runCapture, folder, batches } = await opened(kind, "plain.xlsx");
    await writeFile(join(folder, "old.xls"), Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 1, 2, 3]));
    await writeFile(join(folder, "text.xlsx"), "id,name\n1,a\n");
    const pack = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').write(sys.argv[2], 'plain.xlsx')";
    execFileSync("python3", ["-c", pack, join(folder, "packed.zip"), join(folder, "plain.xlsx")]);
    await runCapture({ capture: { files: ["*.xlsx", "*.xls", "*.zip"] } });
    const reasons = new Map((await batches()).map(({ sourcePath, fileProblem }) => [sourcePath, fileProblem]));
    assert.match(reasons.get("old.xls") ?? "", /with a password, or of the old kind \(\.xls\)/);
    assert.match(reasons.get("packed.zip") ?? "", /packed already/);
    assert.match(reasons.get("text.xlsx") ?? "", /not an Excel workbook \(\.xlsx\): not a whole zip file/);
    await assert.rejects(
      runCapture({ capture: { files: "plain.xlsx" }, write: { merge: ["ids"] } }, "f"),
      /key column "ids" is not among the new rows' columns \(id, when, sum\); did you mean "id"\?/,
    );
    await assert.rejects(
      runCapture({ capture: { files: "plain.xlsx", excel: { sheet: "Shee" } } }, "e"),
      /has no sheet "Shee"; it has Sheet. Did you mean "Sheet"\?/,
    );
  });
});

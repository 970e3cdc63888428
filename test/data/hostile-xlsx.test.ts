// Workbooks of a few kilobytes that ask for far more work than they are worth.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { writeSheet } from "../../src/data/capture/formats/xlsx.ts";

const folder = await mkdtemp(join(tmpdir(), "esteira-xlsx-"));
after(() => rm(folder, { recursive: true, force: true }));

const PACK = `
import sys, zipfile
path, head, row, count, tail = sys.argv[1:]
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
    book.writestr("xl/_rels/workbook.xml.rels", '<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/s.xml"/></Relationships>')
    book.writestr("xl/workbook.xml", '<workbook><sheets><sheet name="a" r:id="r1"/></sheets></workbook>')
    with book.open("xl/worksheets/s.xml", "w") as sheet:
        sheet.write(("<worksheet><sheetData>" + head).encode())
        for number in range(int(count)):
            sheet.write(row.replace("N", str(number + 2)).encode())
        sheet.write(("</sheetData>" + tail + "</worksheet>").encode())
`;

function pack(name: string, sheet: { head?: string; row?: string; count?: number; tail?: string }): string {
  const path = join(folder, name);
  const { head = "", row = "", count = 0, tail = "" } = sheet;
  execFileSync("python3", ["-c", PACK, path, head, row, String(count), tail]);
  return path;
}

const NAMES = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>';
const cell = (place: string): string => `<c r="${place}"><v>1</v></c>`;

describe("a workbook that asks for too much", () => {
  for (const number of ["1048577", "999999999", "1e9", "-3", "x"]) {
    it(`of row ${number} is refused`, async () => {
      const path = pack("rows.xlsx", { head: `${NAMES}<row r="${number}">${cell("A7")}</row>` });
      await assert.rejects(writeSheet(path, join(folder, "out"), {}), /no row of a sheet/);
    });
  }

  it("of columns that no sheet has is refused", async () => {
    const path = pack("columns.xlsx", { head: `${NAMES}<row r="2">${cell("XFE2")}</row>` });
    await assert.rejects(writeSheet(path, join(folder, "out"), {}), /no column of a sheet/);
  });

  it("by cells that are merged over everything is refused", async () => {
    const tail = '<mergeCells><mergeCell ref="A2:XFD1048576"/></mergeCells>';
    const path = pack("merged.xlsx", {
      head: `${NAMES}<row r="2">${cell("A2")}</row>`,
      row: '<row r="N"/>',
      count: 100_000,
      tail,
    });
    await assert.rejects(writeSheet(path, join(folder, "out"), { header: 1 }), /merged cells/);
  });

  it("writes no more than its cells for many columns and rows", async () => {
    const wide = Array.from({ length: 2000 }, (_, index) => cell(`${columnName(index)}2`));
    const path = pack("wide.xlsx", {
      head: `${NAMES}<row r="2">${wide.join("")}</row>`,
      row: `<row r="N">${cell("A3")}</row>`,
      count: 100_000,
    });
    const { rows } = await writeSheet(path, join(folder, "out"), { header: 1 });
    assert.equal(rows, 100_001);
    assert.ok((await stat(join(folder, "out"))).size < 5_000_000);
  });
});

function columnName(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : columnName(Math.floor(index / 26) - 1) + last;
}

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { CaptureDeclaration, DatasetContent } from "#data";
import type { AssetVersion } from "#metadata-store";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const DECLARED: CaptureDeclaration = { capture: { files: "*.csv" } };

function typesOf(version: AssetVersion | undefined): Readonly<Record<string, string>> {
  assert.ok(version !== undefined);
  const { columns } = version.content as DatasetContent;
  return Object.fromEntries(
    columns.map(({ name, type, format }) => [name, format === undefined ? type : `${type} ${format}`]),
  );
}

const csv = (header: string, ...rows: readonly string[]): string => `${[header, ...rows].join("\n")}\n`;

describeStores("values of CSV that a cast does not read", (kind) => {
  it("are read as numbers and dates where all are so written and one leaves no doubt", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    await writeFile(
      join(folder, "a.csv"),
      csv(
        "comma;us;day;month;dotted;slashes;moment",
        "1.234,5;1,234.50;31/12/2026;12/31/2026;1.2.2026;2026/01/02;31/12/2026 23:59",
        "-7;-7;01/02/2026;02/01/2026;28.2.2026;2026/12/31;01/02/2026 00:00",
        ";0.5;;;;;",
      ),
    );
    const { versions } = await runCapture(DECLARED);
    assert.deepEqual(typesOf(versions[0]), {
      comma: "DOUBLE #.##0,00",
      us: "DOUBLE #,##0.00",
      day: "DATE dd/MM/yyyy",
      month: "DATE MM/dd/yyyy",
      dotted: "DATE d.M.yyyy",
      slashes: "DATE yyyy/MM/dd",
      moment: "TIMESTAMP WITH TIME ZONE dd/MM/yyyy HH:mm",
    });
    assert.deepEqual(
      await rows(
        versions[0],
        "select comma, us, day::text as day, month::text as month, dotted::text as dotted, slashes::text as slashes, epoch_ms(moment)::double as moment from d where comma is not null order by comma",
      ),
      [
        {
          comma: -7,
          us: -7,
          day: "2026-02-01",
          month: "2026-02-01",
          dotted: "2026-02-28",
          slashes: "2026-12-31",
          moment: Date.parse("2026-02-01T00:00:00Z"),
        },
        {
          comma: 1234.5,
          us: 1234.5,
          day: "2026-12-31",
          month: "2026-12-31",
          dotted: "2026-02-01",
          slashes: "2026-01-02",
          moment: Date.parse("2026-12-31T23:59:00Z"),
        },
      ],
    );
  });

  it("stay text where they may be read in two ways, are codes, or are mixed", async () => {
    const { folder, runCapture } = await openDataProject(kind);
    const file = csv(
      "either;when;code;mixed;word",
      "1,234;01/02/2026;0012,5;1,5;a",
      "5,678;03/04/2026;0013,5;1.5;1,5",
      "9;05/06/2026;14,5;2;3",
    );
    await writeFile(join(folder, "a.csv"), file);
    const { versions } = await runCapture(DECLARED);
    assert.deepEqual(typesOf(versions[0]), {
      either: "VARCHAR",
      when: "VARCHAR",
      code: "VARCHAR",
      mixed: "VARCHAR",
      word: "VARCHAR",
    });
  });

  it("stay text where the declaration says so", async () => {
    const { folder, runCapture } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), csv("a;b", "1,5;31/12/2026"));
    const { versions } = await runCapture({ capture: { files: "*.csv", csv: { guess: false } } });
    assert.deepEqual(typesOf(versions[0]), { a: "VARCHAR", b: "VARCHAR" });
  });

  it("are read in later files as in the first, one alone or several together", async () => {
    const { folder, runCapture, rows, held, batches } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), csv("n;t", "1,5;31/12/2026", "2;01/12/2026"));
    await runCapture(DECLARED);
    // Alone, `1.234` would be a number smaller than two, and 03/04 no certain date.
    await writeFile(join(folder, "b.csv"), csv("n;t", "1.234;03/04/2026"));
    await runCapture(DECLARED);
    for (const name of ["c", "d", "e"])
      await writeFile(join(folder, `${name}.csv`), csv("n;t", "2.345;05/06/2026", `x${name};05/06/2026`));
    const { versions, outcome } = await runCapture(DECLARED);
    assert.deepEqual(
      await rows(versions[0], "select n, count(*)::int as rows, max(t)::text as t from d group by n order by n"),
      [
        { n: 1.5, rows: 1, t: "2026-12-31" },
        { n: 2, rows: 1, t: "2026-12-01" },
        { n: 1234, rows: 1, t: "2026-04-03" },
        { n: 2345, rows: 3, t: "2026-06-05" },
      ],
    );
    assert.equal(outcome.facts?.["quarantined"], 3);
    const [batch] = await batches();
    assert.ok(batch !== undefined);
    assert.match(JSON.stringify(await held(batch)), /in the format #\.##0,00/);
    assert.deepEqual(typesOf(versions[0]), { n: "DOUBLE #.##0,00", t: "DATE dd/MM/yyyy" });
  });

  it("hold back a file whose column is written in another way than the dataset's", async () => {
    const { folder, runCapture } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), csv("n;t", "1.5;2026-12-31", "2.5;2026-12-30"));
    await runCapture(DECLARED);
    await writeFile(join(folder, "b.csv"), csv("n;t", "1,5;2026-12-31", "2,5;2026-12-30", "3,5;2026-12-29"));
    await assert.rejects(
      runCapture(DECLARED),
      /"n" is DOUBLE in d, but here it is DOUBLE in the format #\.##0,00: 3 of 3/,
    );
  });

  it("are guessed of a column whose first value comes late, and of very many columns", async () => {
    const { folder, runCapture } = await openDataProject(kind);
    const names = Array.from({ length: 600 }, (_, index) => `c${index}`);
    const empty = Array.from({ length: 40 }, (_, index) => `${index};;${names.map(() => "1,5").join(";")}`);
    await writeFile(
      join(folder, "a.csv"),
      csv(
        ["id", "late", ...names].join(";"),
        ...empty,
        `40;31/12/2026;${names.map(() => "2,5").join(";")}`,
        `41;01/12/2026;${names.map(() => "2,5").join(";")}`,
      ),
    );
    const { versions } = await runCapture(DECLARED);
    const types = typesOf(versions[0]);
    assert.equal(types["late"], "DATE dd/MM/yyyy");
    assert.ok(names.every((name) => types[name] === "DOUBLE #.##0,00"));
  });

  it("hold back a file that is written in another way and of which some would be read as something else", async () => {
    const { folder, runCapture, rows, logged } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), csv("n;t", "1,5;31/12/2026", "2;01/12/2026"));
    const { versions } = await runCapture(DECLARED);
    await writeFile(join(folder, "b.csv"), csv("n;t", "1.5;02/12/2026", "1.234;02/12/2026", "7;02/12/2026"));
    await assert.rejects(
      runCapture(DECLARED),
      /b\.csv.*column "n" is written as #\.##0,00 in d, and this file writes it as plain numbers: 1 of 3 values cannot be read so, such as "1\.5", and 1 would be read as something else, such as "1\.234"/s,
    );
    // Several files are read together: each is looked at alone.
    await writeFile(join(folder, "b.csv"), csv("n;t", "1,5;02/12/2026"));
    await writeFile(join(folder, "c.csv"), csv("n;t", "3,5;12/31/2026", "4,5;12/01/2026", "5,5;10/02/2026"));
    await writeFile(join(folder, "e.csv"), csv("n;t", "6;02/12/2026", "x;02/12/2026"));
    const later = await runCapture(DECLARED);
    assert.match(
      logged.join("\n"),
      /c\.csv: held back whole: column "t" is written as dd\/MM\/yyyy in d, and this file writes it as MM\/dd\/yyyy: 1 of 3 values cannot be read so, such as "12\/31\/2026", and 2 would/,
    );
    assert.equal((await rows(later.versions[0], "select * from d")).length, 4);
    assert.equal((await rows(versions[0], "select * from d")).length, 2);
  });

  it("are read as written where a contract says the type and not the format, but for single mistakes", async () => {
    const { folder, runCapture, rows, batches, held, logged } = await openDataProject(kind);
    await writeFile(
      join(folder, "d.yaml"),
      `apiVersion: v3.1.0
kind: DataContract
id: d
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: when, logicalType: timestamp, required: true }
      - { name: day, logicalType: date }
      - { name: degrees, logicalType: number, logicalTypeOptions: { minimum: -10 } }
      - { name: visits, logicalType: integer, required: true, relationships: [{ type: isPartOf, to: x.y }] }
`,
    );
    const declared: CaptureDeclaration = { ...DECLARED, contract: "d.yaml" };
    const lines = Array.from({ length: 40 }, (_, index) => `${index + 1 > 28 ? 28 : index + 1}/11/2026`);
    const of = (separator: string, rest: (index: number) => string): string =>
      csv(
        "when;day;degrees;visits",
        ...lines.map((day, index) => `${day.padStart(10, "0")} 07:30;${day}${separator}${rest(index)}`),
      );
    await writeFile(
      join(folder, "a.csv"),
      of(";", (index) =>
        index === 3 ? "quente;1.200" : `${index},5;${index === 7 ? "erro" : index === 8 ? "1.200.300" : "1.200"}`,
      ).replace("08/11/2026 07:30", "?"),
    );
    const { versions, outcome } = await runCapture(declared);
    assert.deepEqual(typesOf(versions[0]), {
      when: "TIMESTAMP WITH TIME ZONE dd/MM/yyyy HH:mm",
      day: "DATE d/M/yyyy",
      degrees: "DOUBLE #.##0,00",
      visits: "BIGINT #.##0,00",
    });
    assert.equal(outcome.facts?.["quarantined"], 2);
    assert.match(
      logged.join("\n"),
      /relationships of visits of other types than foreignKey in the contract: not checked/,
    );
    const [batch] = await batches();
    assert.ok(batch !== undefined);
    assert.match(JSON.stringify(await held(batch)), /quente/);
    assert.deepEqual(
      await rows(
        versions[0],
        'select max("when")::text as w, max(degrees) as m, max(visits)::int as v, count(*)::int as n from d',
      ),
      [{ w: "2026-11-28 07:30:00+00", m: 39.5, v: 1200300, n: 38 }],
    );
  });
});

describeStores("truth values in words", (kind) => {
  it("are read by a format that has the words; others are held back, and a format without two sides is a mistake", async () => {
    const { folder, runCapture, rows, batches, held } = await openDataProject(kind);
    const write = (format: string): Promise<void> =>
      writeFile(
        join(folder, "contract.yaml"),
        `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: id, logicalType: integer }
      - { name: club, logicalType: boolean, logicalTypeOptions: { format: "${format}" } }
`,
      );
    await writeFile(join(folder, "a.csv"), "id;club\n1;SIM\n2; não\n3;\n4;s\n5;talvez\n6;true\n");
    await write("S|sim/N|não");
    const { versions } = await runCapture({
      capture: { files: "a.csv" },
      contract: "contract.yaml",
      quarantine: { max_percent: 50 },
    });
    assert.deepEqual(await rows(versions[0], "select id, club from d order by id"), [
      { id: 1, club: true },
      { id: 2, club: false },
      { id: 3, club: null },
      { id: 4, club: true },
    ]);
    assert.equal((await held((await batches())[0])).length, 2);
    for (const wrong of ["sim", "sim/sim", "sim/", "a/b/c"]) {
      await write(wrong);
      await assert.rejects(
        runCapture({ capture: { files: "a.csv" }, contract: "contract.yaml" }),
        /of truth values cannot be read/,
      );
    }
  });
});

describeStores("numbers with a currency or a unit", (kind) => {
  it("are read by a format that has it, also with a sign; others are held back", async () => {
    const { folder, runCapture, rows, batches, held } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: id, logicalType: integer }
      - { name: price, logicalType: number, logicalTypeOptions: { format: "R$ #.##0,00" } }
      - { name: weight, logicalType: number, logicalTypeOptions: { format: "#,##0.0 kg" } }
`,
    );
    await writeFile(
      join(folder, "a.csv"),
      [
        "id;price;weight",
        "1;R$ 1.250,75;1,000.5 kg",
        "2;R$\u00a07,90;2kg",
        "3;-R$ 3,20;",
        "4;R$ -3,20;0.5 kg",
        "5;;1 kg",
        "6;7,90;1 kg",
        "7;US$ 7,90;1 kg",
        "8;R$ 7,90;1 g",
        "9;-R$ -1,00;1 kg",
        "",
      ].join("\n"),
    );
    const { versions } = await runCapture({
      capture: { files: "a.csv" },
      contract: "contract.yaml",
      quarantine: { max_percent: 50 },
    });
    assert.deepEqual(await rows(versions[0], "select id, price, weight from d order by id"), [
      { id: 1, price: 1250.75, weight: 1000.5 },
      { id: 2, price: 7.9, weight: 2 },
      { id: 3, price: -3.2, weight: null },
      { id: 4, price: -3.2, weight: 0.5 },
      { id: 5, price: null, weight: 1 },
    ]);
    assert.deepEqual((await held((await batches())[0])).length, 4);
  });
});

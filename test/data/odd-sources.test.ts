import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { isEsteiraError } from "#base";
import { type CaptureDeclaration, type DatasetContent, readContract } from "#data";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const contract = (properties: string): string =>
  `apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n${properties}`;

describeStores("a column of text values", (kind) => {
  it("is of the type that all its values have, wherever the first one stands and however many are missing", async () => {
    const { folder, runCapture } = await openDataProject(kind);
    const values = {
      whole: ["", "5", "-7"],
      signed: ["+1", "", "2"],
      fraction: ["", "1.5", "2"],
      code: ["1", "", "007"],
      truth: ["true", "", "FALSE"],
      day: ["", "2020-01-31", ""],
      time: ["2020-01-31T10:00:00Z", "", "2020-02-01 10:00"],
      text: ["1", "", "x"],
      nothing: ["", "", ""],
    };
    for (const [name, gap] of [
      ["close", 0],
      ["far", 500],
    ] as const) {
      const lines = [0, 1, 2].flatMap((index) => [
        ...Array.from({ length: gap }, () => ",".repeat(Object.keys(values).length)),
        ["x", ...Object.values(values).map((of) => of[index])].join(","),
      ]);
      await writeFile(
        join(folder, `${name}.csv`),
        `${["id", ...Object.keys(values)].join(",")}\n${lines.join("\n")}\n`,
      );
      const { versions } = await runCapture({ capture: { files: `${name}.csv` } }, name);
      const content = versions[0]?.content as DatasetContent | undefined;
      assert.deepEqual(Object.fromEntries((content?.columns ?? []).map((column) => [column.name, column.type])), {
        id: "VARCHAR",
        whole: "BIGINT",
        signed: "BIGINT",
        fraction: "DOUBLE",
        code: "VARCHAR",
        truth: "BOOLEAN",
        day: "DATE",
        time: "TIMESTAMP WITH TIME ZONE",
        text: "VARCHAR",
        nothing: "VARCHAR",
      });
    }
  });
});

describeStores("a header that has one name twice", (kind) => {
  it("keeps its columns apart in every later file, also beside files that have it once", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    for (const [name, text] of [
      ["1", "x,x\n1,2\n"],
      ["2", "x,x\n3,4\n"],
      ["3", "x\n5\n"],
    ] as const) {
      await writeFile(join(folder, `${name}.csv`), text);
      await runCapture({ capture: { files: "*.csv" } });
    }
    const { versions } = await runCapture({ capture: { files: "*.csv" } });
    assert.deepEqual(await rows(versions[0], "select * from d order by x"), [
      { x: 1, x_2: 2 },
      { x: 3, x_2: 4 },
      { x: 5, x_2: null },
    ]);
  });
});

describeStores("a column that has another type in one file", (kind) => {
  it("holds back that file alone, naming column, types, samples with their lines and the remedy; the others are published", async () => {
    for (const version_per of ["file", "run"] as const) {
      const { folder, runCapture, rows, batches, logged } = await openDataProject(kind);
      await writeFile(join(folder, "05.csv"), "id,dep\n1,517\n2,\n");
      await writeFile(join(folder, "06.csv"), "id,dep\n3,533\n");
      await writeFile(
        join(folder, "07.csv"),
        `id,dep\n${Array.from({ length: 9 }, (_, index) => `${index + 4},05:1${index}`).join("\n")}\n`,
      );
      await writeFile(join(folder, "08.csv"), "id,dep\n20,811\n");
      await writeFile(
        join(folder, "contract.yaml"),
        contract("      - { name: id, logicalType: integer, required: true }\n"),
      );
      const { versions, outcome } = await runCapture({
        capture: { files: "*.csv", version_per },
        contract: "contract.yaml",
        quarantine: { max_percent: 5 },
      });
      assert.deepEqual(
        await rows(versions.at(-1), "select id from d order by id"),
        [1, 2, 3, 20].map((id) => ({ id })),
      );
      assert.equal(versions.length, version_per === "file" ? 3 : 1);
      assert.deepEqual(
        [outcome.facts?.["read"], outcome.facts?.["published"], outcome.facts?.["filesHeldBack"]],
        [4, 4, 1],
      );
      assert.match(
        outcome.blocks?.reason ?? "",
        /^07\.csv: column "dep" is BIGINT in d, but here it is VARCHAR: 9 of 9 values cannot be read, such as "05:10" \(line 2\), "05:11" \(line 3\), "05:12" \(line 4\)\. Correct the file/,
      );
      assert.match(outcome.blocks?.reason ?? "", /esteira capture d --again all/);
      const [batch] = await batches();
      assert.deepEqual(
        [batch?.sourcePath, batch?.fileProblem],
        ["07.csv", outcome.blocks?.reason.slice("07.csv: ".length)],
      );
      assert.ok(logged.some((line) => line.startsWith("07.csv: held back whole: column")));
      // Every run tries it again, so it comes in when it is corrected, and does not fail the others silently.
      await writeFile(join(folder, "07.csv"), "id,dep\n4,517\n");
      const corrected = await runCapture({
        capture: { files: "*.csv", version_per },
        contract: "contract.yaml",
        quarantine: { max_percent: 5 },
      });
      assert.equal(corrected.versions.at(-1)?.rowCount, 5);
      assert.deepEqual(
        (await batches()).map(({ closed }) => closed?.as),
        ["superseded"],
      );
    }
  });

  it("and a file that breaks a rule about the dataset, hold back no other that has a version of its own", async () => {
    const { folder, runCapture, rows, batches } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: id, logicalType: integer, unique: true }\n"),
    );
    for (const [name, ids] of [
      ["a", "1\n2"],
      ["b", "2\n3"],
      ["c", "4"],
    ] as const)
      await writeFile(join(folder, `${name}.csv`), `id\n${ids}\n`);
    const { versions, outcome } = await runCapture({
      capture: { files: "*.csv", version_per: "file" },
      contract: "contract.yaml",
    });
    assert.deepEqual(
      await rows(versions.at(-1), "select id from d order by id"),
      [1, 2, 4].map((id) => ({ id })),
    );
    assert.match(outcome.blocks?.reason ?? "", /b\.csv: .*unique:id: duplicates over \(id\) must be 0, but it is 1/);
    assert.equal((await batches()).length, 1);
  });
});

describeStores("a source of which no row can be published", (kind) => {
  it("fails, saying why, and its rows are in the quarantine; allow_empty makes it no failure", async () => {
    const { folder, runCapture, batches } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), Buffer.from("nome,cidade\nJosé,São Paulo\nAna,Brasília\n", "latin1"));
    await assert.rejects(
      runCapture({ capture: { files: "*.csv", csv: { encoding: "utf-8" } } }),
      (error: Error & { code?: string; hint?: string }) =>
        error.code === "DATA_CAPTURE_EMPTY" &&
        /none of 2 rows in 1 file can be/.test(error.message) &&
        /latin-1/.test(error.hint ?? ""),
    );
    assert.deepEqual(
      (await batches()).map(({ held }) => held),
      [2],
    );
    const { versions } = await runCapture({ capture: { files: "*.csv", csv: { encoding: "latin-1" } } });
    assert.equal(versions[0]?.rowCount, 2);
    assert.deepEqual(
      (await batches()).map(({ held, closed }) => [held, closed?.as]),
      [[0, "superseded"]],
    );
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: n, logicalType: integer, logicalTypeOptions: { maximum: 1 } }\n"),
    );
    await writeFile(join(folder, "n.csv"), "n\n2\n3\n");
    const declaration = { capture: { files: "n.csv" }, contract: "contract.yaml" };
    await assert.rejects(
      runCapture(declaration, "d2"),
      /none of 2 rows in 1 file can be\. n\.csv: maximum:n: 2 rows, line 2: n is "2": must be at most 1, line 3: n is "3"/,
    );
    assert.equal(
      (await runCapture({ ...declaration, capture: { ...declaration.capture, allow_empty: true } }, "d2")).versions[0]
        ?.rowCount,
      0,
    );
    await writeFile(join(folder, "h.csv"), "n\n");
    assert.equal((await runCapture({ capture: { files: "h.csv" } }, "d3")).versions[0]?.rowCount, 0);
  });
});

describeStores("a format in the contract", (kind) => {
  it("is how dates, times and numbers of text sources are read, in CSV and JSON", async () => {
    const { folder, runCapture, rows, batches } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract(`      - { name: day, logicalType: date, logicalTypeOptions: { format: dd/MM/yyyy } }
      - { name: at, logicalType: timestamp, logicalTypeOptions: { format: "dd/MM/yyyy HH:mm:ss", defaultTimezone: America/Sao_Paulo } }
      - { name: seen, logicalType: timestamp, logicalTypeOptions: { format: "yyyyMMdd'T'HHmmssX" } }
      - { name: iso, logicalType: timestamp, logicalTypeOptions: { defaultTimezone: America/Sao_Paulo } }
      - { name: hour, logicalType: time, logicalTypeOptions: { format: "h:mm a" } }
      - { name: price, logicalType: number, logicalTypeOptions: { format: "#.##0,00" } }
      - { name: exact, logicalType: number, physicalType: "DECIMAL(12,2)", logicalTypeOptions: { format: "#.##0,00" } }
      - { name: seats, logicalType: integer, logicalTypeOptions: { format: "#.##0" } }
      - { name: small, logicalType: integer, logicalTypeOptions: { format: u8 } }
      - { name: mail, logicalType: string, logicalTypeOptions: { format: email } }
`),
    );
    const header = "day;at;seen;iso;hour;price;exact;seats;small;mail";
    await writeFile(
      join(folder, "a.csv"),
      [
        header,
        "31/12/2024;31/12/2024 22:00:00;20240229T101112Z;2024-01-01 00:00:00;1:05 PM;1.234,56;-1.234.567,89;12.345;255;a@b.br",
        "05/13/2024;;;;;;;;;",
        "05/01/24;;;;;;;;;",
        ";;;;;1,234.56;;;;",
        ";;;;;;;1.23;;",
        ";;;;;;;;256;",
        ";;;;;;;;;a@",
        ";;20240229T101112+0200;2024-01-01T00:00:00-05:00;;12;;7;0;",
        "",
      ].join("\n"),
    );
    await writeFile(
      join(folder, "b.ndjson"),
      '{"day":"01/02/2024","price":5.5,"seats":12,"exact":"1,5"}\n{"day":"2024-02-01","price":"7,25"}\n',
    );
    const { versions, outcome } = await runCapture({
      capture: { files: ["*.csv", "*.ndjson"] },
      contract: "contract.yaml",
    });
    assert.deepEqual([outcome.facts?.["published"], outcome.facts?.["quarantined"]], [3, 7]);
    assert.deepEqual(await rows(versions[0], "select * from d order by price desc"), [
      {
        day: "2024-12-31",
        at: "2025-01-01T01:00:00Z",
        seen: "2024-02-29T10:11:12Z",
        iso: "2024-01-01T03:00:00Z",
        hour: "13:05:00",
        price: 1234.56,
        exact: "-1234567.89",
        seats: 12345,
        small: 255,
        mail: "a@b.br",
      },
      {
        day: null,
        at: null,
        seen: "2024-02-29T08:11:12Z",
        iso: "2024-01-01T05:00:00Z",
        hour: null,
        price: 12,
        exact: null,
        seats: 7,
        small: 0,
        mail: null,
      },
      {
        day: "2024-02-01",
        at: null,
        seen: null,
        iso: null,
        hour: null,
        price: 5.5,
        exact: "1.50",
        seats: 12,
        small: null,
        mail: null,
      },
    ]);
    const rules = (await batches()).map((batch) => batch.rules);
    assert.deepEqual(
      rules.find((each) => "format:mail" in each),
      { "type:day": 2, "type:price": 1, "type:seats": 1, "format:small": 1, "format:mail": 1 },
    );
  });

  it("that cannot be applied is refused with its place", () => {
    const refused = (options: string): string => {
      const [problem] = readContract(contract(`      - { name: x, ${options} }\n`), "c.yaml").problems;
      return problem === undefined ? "" : `${problem.line}:${problem.column} ${problem.message}`;
    };
    assert.match(
      refused("logicalType: date, logicalTypeOptions: { format: QQQ/yyyy }"),
      /^9:\d+ The format "QQQ\/yyyy" has "QQQ", which cannot be read/,
    );
    assert.match(refused("logicalType: date, logicalTypeOptions: { format: dd/MM }"), /has no year/);
    assert.match(
      refused("logicalType: number, logicalTypeOptions: { format: '1.234,56' }"),
      /number format "1\.234,56" cannot be read/,
    );
    assert.match(
      refused("logicalType: integer, logicalTypeOptions: { format: f64 }"),
      /An integer cannot have the format f64/,
    );
    assert.match(
      refused("logicalType: string, logicalTypeOptions: { format: password }"),
      /string format "password" cannot be checked/,
    );
    assert.match(refused("logicalType: boolean, logicalTypeOptions: { format: x }"), /of truth values cannot be read/);
    assert.match(
      refused("logicalType: timestamp, logicalTypeOptions: { defaultTimezone: Mars }"),
      /no time zone "Mars"/,
    );
    for (const good of [
      "date, logicalTypeOptions: { format: d.M.yy }",
      "timestamp, logicalTypeOptions: { format: \"yyyy-MM-dd'T'HH:mm:ss.SSSXXX\" }",
      "number, logicalTypeOptions: { format: '#,##0.00' }",
      "number, logicalTypeOptions: { format: '0,00' }",
      "integer, logicalTypeOptions: { format: i32 }",
    ])
      assert.equal(refused(`logicalType: ${good}`), "");
  });
});

describeStores("column names of a source", (kind) => {
  it("with spaces, quotes, other scripts, of no letter, or that differ only in case, are captured under names that a dataset can have", async () => {
    const { folder, runCapture, rows, batches } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract(
        "      - { name: Creative Type, logicalType: string, required: true }\n      - { name: Ação, logicalType: integer, logicalTypeOptions: { minimum: 1 } }\n",
      ),
    );
    await writeFile(
      join(folder, "a.csv"),
      'Creative Type,"say ""hi"" (US$)",Ação,id,ID,,名前\nfilm,1,2,3,4,5,六\nfilm,1,0,3,4,5,x\n',
    );
    await writeFile(
      join(folder, "b.json"),
      JSON.stringify([{ "Creative Type": "play", 'say "hi" (US$)': 7, "a/b~c": 8, "": 9 }]),
    );
    const declaration: CaptureDeclaration = { capture: { files: ["a.csv", "b.json"] }, contract: "contract.yaml" };
    const { versions } = await runCapture(declaration);
    const columns = (versions[0]?.content as DatasetContent | undefined)?.columns ?? [];
    assert.deepEqual(
      columns.slice(0, 2).map(({ name, original }) => [name, original]),
      [
        ["Creative_Type", "Creative Type"],
        ["Ação", undefined],
      ],
    );
    assert.deepEqual(
      await rows(
        versions[0],
        'select "Creative_Type", "say_hi_US$", ação, id, ID_2, column_6, 名前, "a/b~c" from d order by 1',
      ),
      [
        { Creative_Type: "film", say_hi_US$: 1, Ação: 2, id: 3, ID_2: 4, column_6: 5, 名前: "六", "a/b~c": null },
        {
          Creative_Type: "play",
          say_hi_US$: 7,
          Ação: null,
          id: null,
          ID_2: null,
          column_6: null,
          名前: null,
          "a/b~c": 8,
        },
      ],
    );
    assert.deepEqual((await batches())[0]?.rules, { "minimum:Ação": 1 });
    // The order of twins in a later file does not matter: each finds the column that it had.
    await writeFile(join(folder, "a.csv"), "ID,id,Creative Type\n40,30,late\n");
    const later = await runCapture(declaration);
    assert.deepEqual(await rows(later.versions[0], "select id, ID_2 from d where Creative_Type = 'late'"), [
      { id: 30, ID_2: 40 },
    ]);
  });
});

describeStores("a CSV file with lines above its table, or without a header", (kind) => {
  const ABOVE = 'Vendas da "Filial 1\r\n\r\nNº;Loja;Total\r\n';

  it("is read from the header on, which is found or declared, and its lines are counted from the top", async () => {
    const { folder, runCapture, rows, batches, held, logged } = await openDataProject(kind);
    await writeFile(join(folder, "1.csv"), `${ABOVE}1;Sé;2,50\r\n2;"Ou\r\nro";3,00\r\n`);
    await writeFile(join(folder, "2.csv"), `${ABOVE}3;Sé;1,00\r\nTotal;;;\r\n4;Sé;7,25\r\n5;Sé;7,25\r\n`);
    for (const [name, csv] of [
      ["found", undefined],
      ["declared", { header: 3 }],
    ] as const) {
      const { versions } = await runCapture(
        { capture: { files: "*.csv", ...(csv === undefined ? {} : { csv }) } },
        name,
      );
      assert.deepEqual(await rows(versions[0], "select * from d order by 1"), [
        { Nº: 1, Loja: "Sé", Total: 2.5 },
        { Nº: 2, Loja: "Ou\r\nro", Total: 3 },
        { Nº: 3, Loja: "Sé", Total: 1 },
        { Nº: 4, Loja: "Sé", Total: 7.25 },
        { Nº: 5, Loja: "Sé", Total: 7.25 },
      ]);
      const [batch, ...others] = await batches(name);
      assert.deepEqual([batch?.sourcePath, others], ["2.csv", []]);
      assert.deepEqual(
        (await held(batch)).map((row) => Number(row["_line"] ?? row["line"])),
        [5],
      );
      assert.equal(logged.filter((line) => line.includes("line 3 is taken for the header")).length, 1);
    }
  });

  it("takes no row for the header: neither a sentence with a comma nor a number with one", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    await writeFile(join(folder, "prices.csv"), "preço\n1\n1,5\n2,5\n3,25\n");
    await writeFile(join(folder, "comments.csv"), "comment\nhello\nfine, thanks\ngood, bye\nok, then\n");
    for (const [name, first] of [
      ["prices", "preço"],
      ["comments", "comment"],
    ] as const) {
      const { versions } = await runCapture({ capture: { files: `${name}.csv` } }, name);
      const found = await rows(versions[0], "select * from d");
      assert.deepEqual([Object.keys(found[0] ?? {}), found.length], [[first], 1]);
    }
  });

  it("has the columns that are named, or numbered, where there is no header", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), "1,x\n2,y\n");
    const header = "none" as const;
    const numbered = await runCapture({ capture: { files: "a.csv", csv: { header } } }, "numbered");
    assert.deepEqual(await rows(numbered.versions[0], "select * from d order by 1"), [
      { column_1: 1, column_2: "x" },
      { column_1: 2, column_2: "y" },
    ]);
    const named = await runCapture({ capture: { files: "a.csv", csv: { header, columns: ["id", "name"] } } }, "named");
    assert.deepEqual(await rows(named.versions[0], "select name, id from d order by id"), [
      { name: "x", id: 1 },
      { name: "y", id: 2 },
    ]);
  });

  it("is held back where columns or the line of its header cannot be what is declared", async () => {
    const { folder, runCapture, batches } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), "1,x\n2,y\n");
    const none = "none" as const;
    for (const [name, csv, problem] of [
      ["far", { header: 9 }, "csv.header is 9, and the file has 2 lines in all"],
      ["many", { header: none, columns: ["a", "b", "c"] }, "csv.columns names 3 columns, and the first line has 2"],
    ] as const) {
      const capture = { files: "a.csv", csv: { ...csv } };
      await assert.rejects(runCapture({ capture } as CaptureDeclaration, name), (error) => {
        assert.ok(isEsteiraError(error, "DATA_CAPTURE_EMPTY"));
        assert.ok(error.message.endsWith(problem), error.message);
        return true;
      });
      assert.equal((await batches(name))[0]?.fileProblem, problem);
    }
  });
});

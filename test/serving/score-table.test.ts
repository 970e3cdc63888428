// Whole files and datasets through a model: N rows in, N rows out, in their order, whatever the file is.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isEsteiraError, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, quoteText } from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { findScored, scoreTable, type TableScored, type TableScoring } from "#serving";
import { createFileSystemFiles } from "#storage";
import { temporaryFolder } from "../setup/stores.ts";
import { readCase, registerModel, startServing } from "./served.ts";

async function open() {
  const test = await startServing("sqlite");
  const folder = await temporaryFolder();
  const analytics = createAnalytics({ folder: join(folder, "cache"), memoryBytes: 256 * 2 ** 20 });
  after(() => analytics.close());
  const files = createFileSystemFiles({ root: join(folder, "datasets") });
  const datasets = createDatasets({ ...test, files, analytics, clock: systemClock, log: silentLog });
  const connection = await analytics.connect();
  after(() => connection.close());
  const out = join(folder, "out.parquet");
  return {
    ...test,
    folder,
    datasets,
    out,
    model: await registerModel(test, "late-by-columns"),
    write: async (name: string, text: string): Promise<string> => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    },
    sql: (text: string) => connection.rows(text),
    run: (text: string) => connection.run(text),
    score: (scoring: Partial<TableScoring> & Pick<TableScoring, "model" | "data">): Promise<TableScored> =>
      scoreTable({ keys: [], out, ...scoring }, { analytics, datasets, scorer: test.serving.scorer }),
    read: (path = out) =>
      connection.rows(`select * from ${path.endsWith("csv") ? "read_csv" : "read_parquet"}(${quoteText(path)})`),
  };
}

const HEAD = "id,origin,hour,distance,extra";

describe("a table that is scored", () => {
  it("keeps its rows, their order and their keys, and answers what scikit-learn does", async () => {
    const test = await open();
    const { rows, predicted } = await readCase("late-by-columns");
    const lines = rows.map(
      (row, i) => `00${i},${["origin", "hour", "distance"].map((name) => String(row[name])).join(",")},x`,
    );
    const file = await test.write("rows [1] ç'é.csv", `${HEAD}\n${lines.join("\n")}\n`);
    const scored = await test.score({ model: test.model, data: { file }, keys: ["id"] });
    assert.deepEqual([scored.rows, scored.columns], [rows.length, ["id", "prediction", "model", "model_version"]]);
    const found = await test.read();
    for (const [row, value] of predicted.entries()) {
      assert.equal(found[row]?.["id"], `00${row}`);
      assert.ok(Math.abs(Number(found[row]?.["prediction"]) - Number(value)) < 1e-6, `${row}`);
      assert.deepEqual([found[row]?.["model"], found[row]?.["model_version"]], ["delay", 1]);
    }
    assert.deepEqual(
      (await readdir(test.folder)).filter((name) => name.endsWith(".part")),
      [],
    );
  });

  it("is read from every form, and written to every form", async () => {
    const test = await open();
    const select = `select i::bigint as id, (100 + i * 7 % 2400)::decimal(9,2) as distance, (i % 24)::utinyint as hour, ['ATL', 'ORD'][1 + i % 2] as origin from range(5000) t(i)`;
    const folder = quoteText(test.folder).slice(1, -1);
    await test.run(`copy (${select}) to '${folder}/a.parquet' (format parquet)`);
    await test.run(`copy (${select}) to '${folder}/b.csv' (format csv, header)`);
    await test.run(`copy (${select}) to '${folder}/c.tsv' (format csv, header, delimiter '\t')`);
    await test.run(`copy (${select}) to '${folder}/d.ndjson' (format json)`);
    await test.run(`copy (${select}) to '${folder}/e.json' (format json, array true)`);
    await test.run(`copy (${select}) to '${folder}/f.csv.gz' (format csv, header, compression gzip)`);
    const sums: unknown[] = [];
    for (const name of ["a.parquet", "b.csv", "c.tsv", "d.ndjson", "e.json", "f.csv.gz"]) {
      const out = join(test.folder, name === "b.csv" ? "out.csv" : "out.parquet");
      await test.score({ model: test.model, data: { file: join(test.folder, name) }, keys: ["id"], out });
      const found = await test.read(out);
      assert.equal(found.length, 5000, name);
      sums.push(found.map((row, i) => (Number(row["id"]) === i ? Number(row["prediction"]).toFixed(6) : name)).join());
    }
    assert.deepEqual(
      sums,
      Array.from(sums, () => sums[0]),
    );
    const out = join(test.folder, "out.ndjson");
    await test.score({ model: test.model, data: { file: join(test.folder, "a.parquet") }, out });
    const [first = ""] = (await readFile(out, "utf8")).split("\n");
    assert.deepEqual(Object.keys(JSON.parse(first) as object), ["row", "prediction", "model", "model_version"]);
  });

  it("gives classes with their probability, and no rows where there are none", async () => {
    const test = await open();
    const model = await registerModel(test, "part-of-day", { asset: "part" });
    const { rows, predicted, model: described } = await readCase("part-of-day");
    const names = described.inputs.map(({ name }) => name);
    const file = await test.write(
      "rows.csv",
      `${names.join(",")}\n${rows.map((row) => names.map((name) => row[name]).join(",")).join("\n")}\n`,
    );
    await test.score({ model, data: { file } });
    const found = await test.read();
    assert.deepEqual(
      found.map((row) => row["prediction"]),
      predicted.map(String),
    );
    assert.ok(found.every((row) => Number(row["probability"]) > 0 && Number(row["probability"]) <= 1));
    const empty = await test.write("empty.csv", `${names.join(",")}\n`);
    assert.equal((await test.score({ model, data: { file: empty } })).rows, 0);
    assert.deepEqual(await test.read(), []);
  });

  it("of more rows than one part holds is as a part of it is by itself", async () => {
    const test = await open();
    const select = (rows: number): string =>
      `select i as id, (i * 7919 % 2400)::double as distance, (i % 24)::bigint as hour, ['ATL', 'ORD'][1 + i % 2] as origin from range(${rows}) t(i)`;
    const write = async (rows: number): Promise<AssetVersion> => {
      const made = await test.datasets.write({
        project: "p",
        asset: "flights",
        operationId: `w${rows}`,
        disposition: "replace",
        select: select(rows),
      });
      const facts = { project: "p", madeAtMs: 1000, actor: "ana", inputs: [] };
      return test.store.write(
        async (transaction) => (await recordAssetVersion(transaction, { ...made, ...facts })).version,
      );
    };
    const progress: number[] = [];
    await test.score({
      model: test.model,
      data: await write(400_000),
      keys: ["id"],
      progress: (done) => void progress.push(done),
    });
    await test.run(`create temp table large as select * from read_parquet(${quoteText(test.out)})`);
    assert.equal(progress.at(-1), 400_000);
    await test.score({ model: test.model, data: await write(1000), keys: ["id"] });
    const [found] = await test.sql(
      `select count(*)::double as n, max(abs(l.prediction - s.prediction)) as far from large l join read_parquet(${quoteText(test.out)}) s using (id)`,
    );
    assert.deepEqual([found?.["n"], Number(found?.["far"]) < 1e-6], [1000, true]);
    const [order] = await test.sql("select count(*)::double as n from large where id = rowid");
    assert.equal(order?.["n"], 400_000);
    const data = await findScored(test.store, { project: "p", kind: "dataset", name: "flights", version: 1 });
    assert.equal(data.version, 1);
  });

  it("is printed a part at a time where there is no file to write", async () => {
    const test = await open();
    const file = await test.write("rows.csv", `${HEAD}\n7,ATL,3,100,x\n8,ORD,4,200,y\n`);
    const printed: unknown[] = [];
    await test.score({
      model: test.model,
      data: { file },
      keys: ["id", "extra"],
      out: undefined,
      print: ({ columns, rows }) =>
        printed.push(columns.join(), ...rows.map((row) => [row["id"], row["extra"]].join())),
    });
    assert.deepEqual(printed, [
      "id,extra,prediction,model,model_version",
      "id,extra,prediction,model,model_version",
      "7,x",
      "8,y",
    ]);
  });

  it("is refused in words, by column, row and file, and writes nothing", async () => {
    const test = await open();
    const csv = (name: string, ...lines: readonly string[]): Promise<string> =>
      test.write(name, `${HEAD}\n${lines.join("\n")}\n`);
    await test.run(
      `copy (select 1 as distance, 2 as hour, 3 as origin) to ${quoteText(join(test.folder, "typed.parquet"))}`,
    );
    await mkdir(join(test.folder, "folder.csv"));
    const right = await csv("right.csv", "1,ATL,3,100,x");
    const cases: readonly (readonly [string, Partial<TableScoring> & Pick<TableScoring, "data">, string, RegExp])[] = [
      [
        "a column is missing",
        { data: { file: await test.write("less.csv", "distance,origin,hours\n1,ATL,2\n") } },
        "SERVING_SCORE_COLUMN_MISSING",
        /less\.csv has no column "hour"/,
      ],
      [
        "a text for a number",
        { data: { file: await csv("text.csv", "1,ATL,3,far,x") } },
        "DATA_TABLE_FILE_UNREADABLE",
        /far/,
      ],
      [
        "a fraction for a whole number",
        { data: { file: await csv("half.csv", "1,ATL,3,1,x", "1,ATL,3.5,1,x") } },
        "SERVING_INPUT_INVALID",
        /"hour", row 2: found 3\.5/,
      ],
      [
        "a number beyond 2^53",
        { data: { file: await csv("large.csv", "1,ATL,9007199254740993,1,x") } },
        "SERVING_INPUT_INVALID",
        /"hour", row 1/,
      ],
      [
        "an infinite number",
        { data: { file: await csv("inf.csv", "1,ATL,1,inf,x") } },
        "SERVING_INPUT_INVALID",
        /"distance", row 1/,
      ],
      [
        "a number for a text",
        { data: { file: join(test.folder, "typed.parquet") } },
        "SERVING_SCORE_COLUMN_UNFIT",
        /"origin" of typed\.parquet is INTEGER/,
      ],
      ["no file", { data: { file: join(test.folder, "none.csv") } }, "DATA_TABLE_FILE_UNREADABLE", /not there/],
      ["a folder", { data: { file: join(test.folder, "folder.csv") } }, "DATA_TABLE_FILE_UNREADABLE", /no file/],
      [
        "not what its name says",
        { data: { file: await test.write("false.parquet", "no") } },
        "DATA_TABLE_FILE_UNREADABLE",
        /false\.parquet/,
      ],
      ["an unknown key", { data: { file: right }, keys: ["ide"] }, "SERVING_SCORE_COLUMN_MISSING", /"ide"/],
      [
        "a reserved key",
        {
          data: { file: await test.write("key.csv", "prediction,origin,hour,distance\n1,ATL,1,1\n") },
          keys: ["prediction"],
        },
        "SERVING_SCORE_KEY_RESERVED",
        /prediction/,
      ],
      [
        "an output of no form",
        { data: { file: right }, out: join(test.folder, "out.xls") },
        "DATA_TABLE_FILE_UNWRITABLE",
        /form/,
      ],
      [
        "an output in no folder",
        { data: { file: right }, out: join(test.folder, "no/out.csv") },
        "DATA_TABLE_FILE_UNWRITABLE",
        /folder/,
      ],
      ["its own data", { data: { file: right }, out: right }, "DATA_TABLE_FILE_UNWRITABLE", /with the data/],
    ];
    for (const [name, scoring, code, says] of cases)
      await assert.rejects(
        test.score({ model: test.model, ...scoring }),
        (error) => {
          assert.ok(isEsteiraError(error, code), `${name}: ${String(error)}`);
          assert.match(error.message, says, name);
          return true;
        },
        name,
      );
    assert.deepEqual(
      (await readdir(test.folder)).filter((name) => /out|part/.test(name)),
      [],
    );
    await assert.rejects(
      findScored(test.store, { project: "p", kind: "model", name: "dlay" }),
      (error) => isEsteiraError(error, "SERVING_SCORE_VERSION_MISSING") && /delay/.test(error.message + error.hint),
    );
  });

  it("stops when it is told to, and leaves what was there", async () => {
    const test = await open();
    await writeFile(test.out, "before");
    const file = join(test.folder, "many.parquet");
    await test.run(
      `copy (select (i % 2400)::double as distance, (i % 24)::bigint as hour, 'ATL' as origin from range(500000) t(i)) to ${quoteText(file)}`,
    );
    const stop = new AbortController();
    await assert.rejects(
      test.score({
        model: test.model,
        data: { file },
        signal: stop.signal,
        progress: (done) => done > 0 && stop.abort(),
      }),
    );
    assert.equal(await readFile(test.out, "utf8"), "before");
    assert.deepEqual(
      (await readdir(test.folder)).filter((name) => name.endsWith(".part")),
      [],
    );
    assert.equal((await test.score({ model: test.model, data: { file } })).rows, 500_000);
  });
});

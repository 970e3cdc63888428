// Logs as Delta tables: what an earlier program wrote is read, and gets the columns of today.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { systemClock } from "#base";
import { type Column, createAnalytics, createLogTables } from "#data";
import { createFileSystemFiles } from "#storage";
import { temporaryFolder } from "../setup/stores.ts";

it("a log of fewer columns gets the others with the next version, and its rows have null there", async () => {
  const folder = await temporaryFolder();
  const analytics = createAnalytics({ folder: join(folder, "spill"), threads: 1 });
  after(() => analytics.close());
  const files = createFileSystemFiles({ root: join(folder, "tables"), allowsLinks: true });
  const connection = await analytics.connect();
  const first: Column = { name: "id", type: "VARCHAR" };
  const second: Column = { name: "share", type: "DOUBLE" };
  const tablesOf = (columns: readonly Column[]) =>
    createLogTables({
      analytics,
      files,
      clock: systemClock,
      columns,
      form: { compression: "zstd", rowGroupRows: 2048 },
    });
  await tablesOf([first]).commit("log", { base: undefined, connection, selects: ["select 'a' as id"], removes: [] });
  const wide = tablesOf([first, second]);
  for (const id of ["b", "c"])
    await wide.commit("log", {
      base: await wide.open("log"),
      connection,
      selects: [`select '${id}' as id, 0.5::double as share`],
      removes: [],
    });
  const { files: written = [] } = (await wide.open("log")) ?? {};
  const rows = await connection.columns(`select id, share from ${await wide.relation("log", written)} order by id`);
  assert.deepEqual(rows.values["id"]?.values, ["a", "b", "c"]);
  const share = rows.values["share"];
  assert.deepEqual(share?.kind === "number" ? [...(share.valid ?? [])] : undefined, [0, 1, 1]);
  const entry = async (version: number): Promise<string> =>
    readFile(join(folder, "tables/log/_delta_log", `${String(version).padStart(20, "0")}.json`), "utf8");
  assert.match(await entry(1), /metaData.*share/);
  assert.doesNotMatch(await entry(2), /metaData/);
  connection.close();
});

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createAnalytics } from "#data";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const MEBIBYTE = 2 ** 20;
const limit = "select current_setting('memory_limit') as memory";

describe("the memory of queries", () => {
  it("is what esteira.yaml says", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: p\ndata: { memory: 384 MiB }\n");
    await writeFile(join(folder, "pipelines/a.yaml"), "steps: { limits: { sql: limits.sql } }\n");
    await writeFile(join(folder, "limits.sql"), limit);
    const run = await runEsteira(folder, ["run", "a"], { ESTEIRA_LANG: "en" });
    assert.equal(run.code, 0, run.stdout + run.stderr);
    const shown = await runEsteira(folder, ["dataset", "show", "limits", "--json"]);
    assert.deepEqual((JSON.parse(shown.stdout) as { rows: unknown }).rows, [["384.0 MiB"]]);
  });

  it("bounds every sandbox, which may ask for less; what does not fit goes to disk", async () => {
    const analytics = createAnalytics({ folder: await temporaryFolder(), memoryBytes: 300 * MEBIBYTE, threads: 2 });
    const folders = [await temporaryFolder()];
    for (const [asked, given] of [
      [undefined, "300.0 MiB"],
      [400 * MEBIBYTE, "300.0 MiB"],
      [256 * MEBIBYTE, "256.0 MiB"],
    ] as const) {
      const connection = await analytics.sandbox({ files: [], folders, memoryBytes: asked });
      assert.deepEqual(await connection.rows(limit), [{ memory: given }]);
      connection.close();
    }
    analytics.close();
    const small = createAnalytics({ folder: await temporaryFolder(), memoryBytes: 64 * MEBIBYTE, threads: 2 });
    const connection = await small.connect();
    // Values of 100 MB, in order.
    const [row] = await connection.rows(
      "select count(*)::INTEGER as n from (select hash(i) as h, row_number() over (order by hash(i)) from range(6000000) t(i))",
    );
    assert.deepEqual(row, { n: 6_000_000 });
    connection.close();
    small.close();
  });
});

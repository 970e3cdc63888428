// Steps that are alike but for what they make: each makes its own.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { runSql } from "../setup/run-sql.ts";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";

describeStores("steps that are alike", (kind) => {
  it("make an asset each, and are each reused", async () => {
    const folder = await temporaryFolder();
    const address = kind === "sqlite" ? join(folder, ".esteira/metadata.sqlite") : await createPostgresSchema();
    const files: Readonly<Record<string, string>> = {
      "esteira.yaml": `name: alike\n${kind === "sqlite" ? "" : `store: { metadata: "${address}" }\n`}`,
      "data/x.csv": "id\n1\n2\n",
      "sql/q.sql": "SELECT count(*) AS n FROM x\n",
      "pipelines/a.yaml": `steps:
  x: { capture: { files: data/x.csv } }
  y: { capture: { files: data/x.csv }, needs: x }
  a: { sql: sql/q.sql }
  b: { sql: sql/q.sql, needs: a }
  r1: { run: mkdir -p out && echo hi > out/f, makes: { code: out/ } }
  r2: { run: mkdir -p out && echo hi > out/f, makes: { code: out/ }, needs: r1 }
`,
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const run = async (): Promise<string> => {
      const { code, stdout, stderr } = await runEsteira(folder, ["run", "a"]);
      assert.equal(code, 0, stdout + stderr);
      return stdout + stderr;
    };
    assert.match(await run(), /6 run, 0 cached/);
    assert.deepEqual(
      (await runSql(address, "select asset from asset_version order by asset")).map(({ asset }) => asset),
      ["a", "b", "r1", "r2", "x", "y"],
    );
    assert.match(await run(), /2 run, 4 cached/);

    // What an earlier release recorded of one of them is not taken for the other.
    await runSql(address, "update cache_entry set outputs = replace(outputs, '\"b\"', '\"a\"')");
    assert.match(await run(), /3 run, 3 cached/);
  });
});

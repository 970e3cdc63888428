import assert from "node:assert/strict";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const HOUR_MS = 3_600_000;

describe("esteira dataset vacuum", () => {
  it("says what would go, removes it, and keeps what is younger than the retention or part of a version", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "data"));
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: shop\n");
    await writeFile(join(folder, "data/a.csv"), "id\n1\n2\n");
    await writeFile(join(folder, "pipelines/a.yaml"), "steps:\n  sales: { capture: { files: data/*.csv } }\n");
    const esteira = async (...words: readonly string[]): Promise<{ code: number | null; text: string }> => {
      const { code, stdout, stderr } = await runEsteira(folder, words, { ESTEIRA_LANG: "en" });
      return { code, text: stdout + stderr };
    };
    assert.match((await esteira("dataset", "vacuum")).text, /Nothing has run yet/);
    assert.equal((await esteira("run", "a")).code, 0);
    const table = join(folder, ".esteira/datasets/sales");
    const ages = { "part-new.parquet": 0, "part-old.parquet": 30, "part-ancient.parquet": 24 * 8 };
    for (const [name, hours] of Object.entries(ages)) {
      await writeFile(join(table, name), "left over");
      const at = (Date.now() - hours * HOUR_MS) / 1000;
      await utimes(join(table, name), at, at);
    }

    const vacuum = async (...words: readonly string[]): Promise<unknown> =>
      JSON.parse((await esteira("dataset", "vacuum", ...words, "--json")).text);
    assert.deepEqual(await vacuum("--dry-run"), [
      { dataset: "sales", removed: ["part-ancient.parquet"], sizeBytes: 9 },
    ]);
    assert.ok((await readdir(table)).includes("part-ancient.parquet"));
    assert.match(
      (await esteira("dataset", "vacuum", "sales", "--retention", "24")).text,
      /sales +2 +18 B\n2 files removed/,
    );
    assert.deepEqual(
      (await readdir(table)).filter((name) => name in ages),
      ["part-new.parquet"],
    );
    assert.match((await esteira("dataset", "show", "sales")).text, /^id\n1\n2\n/);

    assert.match((await esteira("dataset", "vacuum", "sale")).text, /There is no dataset sale.*esteira dataset list/s);
    assert.equal((await esteira("dataset", "vacuum", "--retention", "soon")).code, 2);
  });

  it("is not needed to have few files: compact writes the small ones as one", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "data"));
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: shop\n");
    for (const id of [1, 2, 3]) await writeFile(join(folder, `data/${id}.csv`), `id\n${id}\n`);
    await writeFile(
      join(folder, "pipelines/a.yaml"),
      "steps:\n  sales: { capture: { files: data/*.csv, version_per: file } }\n",
    );
    assert.equal((await runEsteira(folder, ["run", "a"], {})).code, 0);
    assert.deepEqual(JSON.parse((await runEsteira(folder, ["dataset", "compact", "sales", "--json"], {})).stdout), [
      { dataset: "sales", filesBefore: 3, filesAfter: 1, isUnfinished: false },
    ]);
    assert.match((await runEsteira(folder, ["dataset", "compact"], { ESTEIRA_LANG: "en" })).stdout, /sales +1 +1/);
    assert.match((await runEsteira(folder, ["dataset", "show", "sales"], {})).stdout, /^id\n1\n2\n3\n/);
  });
});

import assert from "node:assert/strict";
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Verification {
  readonly objects: number;
  readonly tableFiles: number;
  readonly damages: readonly {
    readonly file: string;
    readonly problem: string;
    readonly versions: readonly string[];
  }[];
}

async function createProject(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ["pipelines", "data", "sql"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(join(folder, "data/a.csv"), "id,amount\n1,2\n2,3\n");
  await writeFile(join(folder, "sql/twice.sql"), "SELECT id, amount * 2 AS twice FROM raw\n");
  await writeFile(
    join(folder, "pipelines/a.yaml"),
    'steps:\n  raw: { capture: { files: "data/*.csv" } }\n  twice: { sql: sql/twice.sql }\n',
  );
  return folder;
}

async function verify(folder: string): Promise<{ readonly code: number | null; readonly found: Verification }> {
  const { code, stdout } = await runEsteira(folder, ["verify", "--json"]);
  return { code, found: JSON.parse(stdout) as Verification };
}

async function filesBelow(folder: string, ending: RegExp): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true }))
    .filter((name) => ending.test(name))
    .sort()
    .map((name) => join(folder, name));
}

describe("esteira verify", () => {
  it("finds damaged objects, data files and log entries, and names the versions that hold them", async () => {
    const folder = await createProject();
    assert.equal((await runEsteira(folder, ["run", "a"])).code, 0);
    const whole = await verify(folder);
    assert.equal(whole.code, 0);
    assert.deepEqual(whole.found.damages, []);
    assert.ok(whole.found.objects > 0 && whole.found.tableFiles >= 4, JSON.stringify(whole.found));

    const store = join(folder, ".esteira");
    const [object = ""] = await filesBelow(join(store, "objects/sha256"), /^..\/[0-9a-f]{62}$/);
    await appendFile(object, "!");
    const [data = ""] = await filesBelow(join(store, "datasets"), /raw.*\.parquet$/);
    await rm(data);
    const [entry = ""] = await filesBelow(join(store, "datasets"), /twice.*\d{20}\.json$/);
    const text = await readFile(entry, "utf8");
    await writeFile(entry, text.slice(0, text.length / 2));

    const { code, found } = await verify(folder);
    assert.equal(code, 1);
    const about = (file: string): Verification["damages"][number] | undefined =>
      found.damages.find((damage) => damage.file === file);
    assert.match(about(object)?.problem ?? "", /^it has digest sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}$/);
    assert.notDeepEqual(about(object)?.versions, []);
    assert.equal(about(data)?.problem, "it is missing");
    assert.deepEqual(about(data)?.versions, ["raw 1"]);
    assert.match(about(entry)?.problem ?? "", /not JSON lines/);
    assert.deepEqual(about(entry)?.versions, ["twice 1"]);
    assert.match(
      (await runEsteira(folder, ["verify"], { ESTEIRA_LANG: "en" })).stdout,
      /affected versions: raw 1[^]*✖ \d damaged files among/,
    );
  });

  it("names what the metadata hold and is gone, in every depth, and an edit of a log entry that still reads", async () => {
    const folder = await createProject();
    assert.equal((await runEsteira(folder, ["run", "a"])).code, 0);
    const store = join(folder, ".esteira");
    const deep = await runEsteira(folder, ["verify", "--deep", "--json"]);
    assert.equal(deep.code, 0, deep.stdout + deep.stderr);
    const { depth, audit } = JSON.parse(deep.stdout) as { depth: string; audit: { count: number } };
    assert.deepEqual([depth, audit.count], ["deep", 0]);

    let object = "";
    for (const each of await filesBelow(join(store, "objects/sha256"), /^..\/[0-9a-f]{62}$/))
      if ((await readFile(each, "utf8")).includes('"format":"profile/2"')) object = each;
    await rm(object);
    const [data = ""] = await filesBelow(join(store, "datasets"), /twice.*\.parquet$/);
    await appendFile(data, "!");
    const [entry = ""] = await filesBelow(join(store, "datasets"), /raw.*\d{20}\.json$/);
    await writeFile(entry, (await readFile(entry, "utf8")).replace('"dataChange":true', '"dataChange":false'));
    const { code, stdout } = await runEsteira(folder, ["verify", "--quick", "--json"]);
    assert.equal(code, 1);
    const { damages } = JSON.parse(stdout) as Verification;
    const digest = `sha256:${object.slice(-65).replace("/", "")}`;
    assert.deepEqual(damages.find(({ file }) => file === digest)?.problem, "it is missing");
    assert.match(damages.find(({ file }) => file === data)?.problem ?? "", /^it has \d+ bytes, \d+ were recorded$/);
    assert.match(damages.find(({ file }) => file === entry)?.problem ?? "", /^it has digest .* was recorded$/);
    assert.deepEqual(damages.find(({ file }) => file === entry)?.versions, ["raw 1"]);
    assert.equal((await runEsteira(folder, ["verify", "--quick", "--deep"])).code, 2);
  });

  it("does not miss what a vacuum took, as no version reads it", async () => {
    const folder = await createProject();
    assert.equal((await runEsteira(folder, ["run", "a"])).code, 0);
    const log = join(folder, ".esteira/datasets/twice/_delta_log");
    const [entry = ""] = await filesBelow(log, /^\d{20}\.json$/);
    const text = await readFile(entry, "utf8");
    const remove = (path: string) => JSON.stringify({ remove: { path, dataChange: true, deletionTimestamp: 1 } });
    const line = text.split("\n").find((each) => each.startsWith('{"add"')) ?? "";
    const orphan = line.replace(/"path":"[^"]+"/, '"path":"part-of-nobody.parquet"');
    await writeFile(join(log, `${"1".padStart(20, "0")}.json`), `${orphan}\n`);
    await writeFile(join(log, `${"2".padStart(20, "0")}.json`), `${remove("part-of-nobody.parquet")}\n`);
    assert.deepEqual((await verify(folder)).found.damages, []);
  });

  it("with a token is for who administers every project", async () => {
    const folder = await createProject();
    const token = async (...words: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runEsteira(folder, ["user", "create", ...words, "--json"]);
      assert.equal(code, 0, stderr);
      return (JSON.parse(stdout) as { readonly token: string }).token;
    };
    const administrator = await token("ana");
    const others = [await token("rui", "--role", "reviewer"), await token("bia", "--role", "admin"), "est_wrong"];
    for (const other of others) {
      const { code, stdout, stderr } = await runEsteira(folder, ["verify"], { ESTEIRA_TOKEN: other });
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, other === "est_wrong" ? /ACCESS_UNAUTHENTICATED/ : /ACCESS_DENIED/);
    }
    for (const environment of [{ ESTEIRA_TOKEN: administrator }, {}])
      assert.equal((await runEsteira(folder, ["verify"], environment)).code, 0);
  });
});

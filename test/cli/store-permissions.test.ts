import assert from "node:assert/strict";
import { chmod, lstat, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

/** Paths below a store that others than its user could read or enter. */
async function open(store: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(store, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (/\/(python|cache|work)(\/|$)/.test(path.slice(store.length))) continue;
    const { mode } = await lstat(path);
    if ((mode & 0o077) !== 0) found.push(`${path.slice(store.length)} ${(mode & 0o777).toString(8)}`);
  }
  return found;
}

async function createProject(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ["pipelines", "data", "sql"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(join(folder, "data/a.csv"), "id,amount\n1,2\n2,3\n");
  await writeFile(join(folder, "sql/twice.sql"), "SELECT id, amount * 2 AS twice FROM raw\n");
  await writeFile(
    join(folder, "pipelines/a.yaml"),
    'steps:\n  raw: { capture: { files: "data/*.csv" } }\n  twice: { sql: sql/twice.sql }\n  note: { run: "echo said; echo x", needs: twice }\n',
  );
  return folder;
}

describe("the files of a store", () => {
  it("are their user's alone, whatever the umask", async () => {
    const folder = await createProject();
    const before = process.umask(0);
    try {
      const { code, stderr } = await runEsteira(folder, ["run", "a"]);
      assert.equal(code, 0, stderr);
    } finally {
      process.umask(before);
    }
    const store = join(folder, ".esteira");
    assert.equal((await stat(store)).mode & 0o777, 0o700);
    assert.deepEqual(await open(store), []);
    assert.ok((await readdir(join(store, "objects"), { recursive: true })).length > 0);
    assert.ok((await readdir(join(store, "datasets"), { recursive: true })).some((name) => name.endsWith(".parquet")));
  });

  it("are closed to others when a store is opened that they could read", async () => {
    const folder = await createProject();
    assert.equal((await runEsteira(folder, ["run", "a"])).code, 0);
    const store = join(folder, ".esteira");
    // What a link names is not the store's, and may be a program of the system.
    for (const entry of await readdir(store, { recursive: true, withFileTypes: true }))
      if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
    await chmod(store, 0o755);
    assert.ok((await open(store)).length > 5);
    assert.equal((await runEsteira(folder, ["status"])).code, 0);
    assert.equal((await stat(store)).mode & 0o777, 0o700);
    assert.deepEqual(await open(store), []);
  });
});

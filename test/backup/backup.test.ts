import assert from "node:assert/strict";
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sql } from "kysely";
import { backUpStore, checkBackup, restoreStore } from "#backup";
import { systemClock } from "#base";
import { appendEvent, openMetadataStore, type MetadataStore } from "#metadata-store";
import { runEsteira } from "../setup/command-line.ts";
import { createPostgresSchema, describeStores, openTestStore, storeKinds, temporaryFolder } from "../setup/stores.ts";

const { signal } = new AbortController();

type Opened = Awaited<ReturnType<typeof openTestStore>>;

const backUp = (
  { folder, address }: Pick<Opened, "folder" | "address">,
  to: string,
  more: Partial<Parameters<typeof backUpStore>[0]> = {},
): ReturnType<typeof backUpStore> =>
  backUpStore({
    storeFolder: folder,
    metadataAddress: address,
    folder: to,
    project: "p",
    version: "1",
    clock: systemClock,
    signal,
    ...more,
  });

const restore = (backup: string, storeFolder: string, address?: string): ReturnType<typeof restoreStore> =>
  restoreStore({
    backup,
    storeFolder,
    metadataAddress: (folder) => address ?? join(folder, "metadata.sqlite"),
    signal,
  });

/** Values that a careless copy changes: whole numbers beyond a double's, quotes, line ends, other scripts. */
async function writeAwkward(store: MetadataStore): Promise<void> {
  await store.write(async (transaction) => {
    for (let count = 0; count < 2500; count++)
      await appendEvent(transaction, {
        type: "webhook.created",
        project: "p",
        actor: 'ana "the\nfirst" 🚢 ção',
        subjectKind: "webhook",
        subject: `${count}`,
        atMs: count,
      });
    await sql`insert into experiment_tag (experiment_id, key, value, sequence) values (0, 'null text', 'null', 1), (0, 'number text', '007', 9007199254740993) on conflict do nothing`.execute(
      transaction,
    );
    await sql`update experiment set creation_time = 9223372036854775807 where experiment_id = 0`.execute(transaction);
  });
}

/** Rows of the two databases compared: one makes plain objects, the other has no prototype. */
async function everything(store: MetadataStore): Promise<unknown> {
  return store.read(async (transaction) => ({
    events: (await sql`select * from event order by 1`.execute(transaction)).rows,
    experiments: (
      await sql`select experiment_id, name, cast(creation_time as text) as made from experiment`.execute(transaction)
    ).rows,
    tags: (await sql`select * from experiment_tag order by key`.execute(transaction)).rows,
  }));
}

describeStores("a backup of the metadata", (kind) => {
  for (const to of storeKinds)
    it(`is restored into ${to}, value by value`, async () => {
      const opened = await openTestStore(kind);
      await writeAwkward(opened.store);
      const backup = join(await temporaryFolder(), "backup");
      const made = await backUp(opened, backup);
      assert.ok(made.rows > 2500, String(made.rows));
      const target = join(await temporaryFolder(), "store");
      const address = to === "sqlite" ? join(target, "metadata.sqlite") : await createPostgresSchema();
      await restore(backup, target, to === "sqlite" ? undefined : address);
      const store = await openMetadataStore(address);
      try {
        const [found, expected] = structuredClone([await everything(store), await everything(opened.store)]);
        assert.deepEqual(found, expected);
        await writeAwkward(store);
      } finally {
        await store.close();
      }
    });

  it("is of one moment, whatever is written meanwhile", async () => {
    const opened = await openTestStore(kind);
    await writeAwkward(opened.store);
    await mkdir(join(opened.folder, "artifacts"), { recursive: true });
    for (let count = 0; count < 50; count++) await writeFile(join(opened.folder, `artifacts/${count}`), `${count}`);
    let isDone = false;
    const writing = (async () => {
      while (!isDone) {
        await writeAwkward(opened.store);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })();
    const backup = join(await temporaryFolder(), "backup");
    await backUp(opened, backup);
    isDone = true;
    await writing;
    const record = JSON.parse(await readFile(join(backup, "backup.json"), "utf8")) as {
      readonly tables: { readonly event: number };
    };
    assert.equal(record.tables.event % 2500, 0);
    assert.deepEqual((await checkBackup(backup, { signal })).damages, []);
  });

  it("goes into an empty store alone", async () => {
    const opened = await openTestStore(kind);
    await writeAwkward(opened.store);
    const backup = join(await temporaryFolder(), "backup");
    await backUp(opened, backup);
    const target = join(await temporaryFolder(), "store");
    await assert.rejects(restore(backup, target, opened.address), { code: "METADATA_STORE_NOT_EMPTY" });
    await assert.rejects(stat(target), { code: "ENOENT" });
  });
});

describe("a backup of the files", () => {
  async function withFiles(): Promise<Opened & { readonly backup: string }> {
    const opened = await openTestStore("sqlite");
    for (const [path, text] of [
      ["objects/sha256/ab/cdef", "object"],
      ["objects/incoming/half", "half"],
      ["datasets/raw/_delta_log/00000000000000000000.json", "{}"],
      ["datasets/raw/_delta_log/.tmp-1", "{"],
      ["artifacts/0/model.part", "an artifact of that name"],
      ["work/a/file", "work"],
      ["cache/b", "cache"],
      ["push-source.json.part", "{"],
      ['não é/ã "b".txt', "ção"],
    ] as const) {
      await mkdir(join(opened.folder, path, ".."), { recursive: true });
      await writeFile(join(opened.folder, path), text);
    }
    return { ...opened, backup: join(await temporaryFolder(), "backup") };
  }

  it("holds what cannot be made again, for its owner alone, and writes a second time what changed", async () => {
    const opened = await withFiles();
    const first = await backUp(opened, opened.backup);
    assert.deepEqual([first.files, first.kept], [4, 0]);
    assert.equal((await stat(join(opened.backup, "files/objects/sha256/ab/cdef"))).mode & 0o777, 0o600);
    await writeFile(join(opened.folder, "artifacts/0/more"), "more");
    await rm(join(opened.folder, "não é"), { recursive: true });
    const second = await backUp(opened, opened.backup);
    assert.deepEqual([second.files, second.kept], [4, 3]);
    const target = join(await temporaryFolder(), "store");
    const restored = await restore(opened.backup, target);
    assert.equal(restored.files, 4);
    const found = (await readdir(target, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
    assert.deepEqual(found.sort(), ["00000000000000000000.json", "cdef", "metadata.sqlite", "model.part", "more"]);
  });

  it("is begun again when files vanish under it, and says which when it does not end", async () => {
    const opened = await withFiles();
    let tries = 0;
    const vanishing = join(opened.folder, 'não é/ã "b".txt');
    await backUp(opened, opened.backup, {
      report: () => {
        if (tries++ === 0) void rm(vanishing);
      },
      clock: { ...systemClock, now: () => Date.now() },
    });
    assert.deepEqual((await checkBackup(opened.backup, { signal })).damages, []);
  });

  it("restores nothing when one byte is another, a file is missing, or a path leads elsewhere", async () => {
    const opened = await withFiles();
    await backUp(opened, opened.backup);
    const target = join(await temporaryFolder(), "store");
    const file = join(opened.backup, "files/objects/sha256/ab/cdef");
    const nothingCame = async (): Promise<void> => {
      await assert.rejects(stat(target), { code: "ENOENT" });
      await assert.rejects(stat(`${target}.restoring`), { code: "ENOENT" });
    };
    await writeFile(file, "abject");
    const { damages } = await checkBackup(opened.backup, { signal });
    assert.deepEqual(
      damages.map((damage) => damage.file),
      ["files/objects/sha256/ab/cdef"],
    );
    await assert.rejects(restore(opened.backup, target), { code: "BACKUP_DAMAGED" });
    await nothingCame();
    await rm(file);
    await assert.rejects(restore(opened.backup, target), { code: "BACKUP_DAMAGED", message: /is missing/ });
    await nothingCame();
    const manifest = (await readdir(opened.backup)).find((name) => name.startsWith("files-")) ?? "";
    await appendFile(join(opened.backup, manifest), "\n");
    await assert.rejects(restore(opened.backup, target), { code: "BACKUP_DAMAGED", message: /not as it was written/ });
    await writeFile(
      join(opened.backup, "backup.json"),
      JSON.stringify({ form: "backup/1", metadata: "../..", manifest }),
    );
    await assert.rejects(restore(opened.backup, target), { code: "BACKUP_FOLDER_UNKNOWN", message: /leads out/ });
    await writeFile(join(opened.backup, "backup.json"), JSON.stringify({ form: "backup/2" }));
    await assert.rejects(restore(opened.backup, target), { code: "BACKUP_TOO_NEW" });
    await rm(join(opened.backup, "backup.json"));
    await assert.rejects(restore(opened.backup, target), { code: "BACKUP_FOLDER_UNKNOWN" });
    await nothingCame();
  });

  it("is not put where other things are, nor into the store itself", async () => {
    const opened = await withFiles();
    const other = await temporaryFolder();
    await writeFile(join(other, "thesis.pdf"), "");
    await assert.rejects(backUp(opened, other), { code: "BACKUP_FOLDER_TAKEN" });
    await assert.rejects(backUp(opened, join(other, "thesis.pdf")), { code: "BACKUP_FOLDER_TAKEN" });
    await assert.rejects(backUp(opened, join(opened.folder, "backup")), { code: "BACKUP_FOLDER_INSIDE" });
    await backUp(opened, opened.backup);
    await assert.rejects(backUp(opened, opened.backup, { project: "another" }), { code: "BACKUP_FOLDER_TAKEN" });
    await assert.rejects(restore(opened.backup, other), { code: "BACKUP_STORE_TAKEN" });
  });
});

describe("esteira backup and restore", () => {
  it("bring a project back as it was: whole by its digests, cached, and ready for new data", async () => {
    const folder = await temporaryFolder();
    for (const name of ["pipelines", "data", "sql"]) await mkdir(join(folder, name));
    await writeFile(join(folder, "esteira.yaml"), "name: p\n");
    await writeFile(join(folder, "data/a.csv"), "id,amount\n1,2\n2,3\n");
    await writeFile(join(folder, "sql/twice.sql"), "SELECT id, amount * 2 AS twice FROM raw\n");
    await writeFile(
      join(folder, "pipelines/a.yaml"),
      'steps:\n  raw: { capture: { files: "data/*.csv" }, append: true }\n  twice: { sql: sql/twice.sql }\n'.replace(
        ", append: true",
        "",
      ),
    );
    const ran = await runEsteira(folder, ["run", "a"]);
    assert.equal(ran.code, 0, ran.stderr);
    const backup = join(await temporaryFolder(), "backup");
    const backed = await runEsteira(folder, ["backup", backup]);
    assert.equal(backed.code, 0, backed.stderr);
    assert.match(backed.stdout, /holds the store: \d+ rows and \d+ files/);
    assert.equal((await runEsteira(folder, ["backup", backup, "--check"])).code, 0);
    const refused = await runEsteira(folder, ["restore", backup]);
    assert.match(refused.stderr, /BACKUP_STORE_TAKEN/);
    await rm(join(folder, ".esteira"), { recursive: true });
    const restored = await runEsteira(folder, ["restore", backup, "--json"]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal((await runEsteira(folder, ["verify"])).code, 0);
    assert.match((await runEsteira(folder, ["run", "a"])).stdout, /0 run, 2 cached/);
    await writeFile(join(folder, "data/b.csv"), "id,amount\n3,4\n");
    assert.match((await runEsteira(folder, ["run", "a"])).stdout, /2 run, 0 cached/);
    assert.match((await runEsteira(folder, ["dataset", "show", "twice"])).stdout, /8/);
  });
});

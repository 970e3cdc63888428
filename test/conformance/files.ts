import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { digestOf } from "#base";
import type { Files, ListedFile } from "#storage";

export interface FilesUnderTest {
  readonly open: () => Promise<Files>;
  /** The same files as another process would see them. */
  readonly reopen: (files: Files) => Promise<Files>;
  /** True where a file is in the way of a folder of the same name. */
  readonly hasFolders: boolean;
}

const NAMES = [
  "plain.txt",
  "a b/c+d & é 'q' (1).txt",
  "日本/🚂.json",
  "x/%2e%2e/100%.txt",
  '<&>"/y;z=1?#@!$,~.txt',
  "-_.bin",
];
const REFUSED = [
  "",
  "/a",
  "a/",
  "a//b",
  "..",
  "../a",
  "a/../b",
  "a/./b",
  "a\u0000b",
  "a\nb",
  "a\\b",
  "x".repeat(256),
  "\ud800",
];

/** What every driver of named files must do. */
export function describeFiles(title: string, { open, reopen, hasFolders }: FilesUnderTest): void {
  describe(`files: ${title}`, () => {
    it("gives back what was put, by name, whatever letters the name has", async () => {
      const files = await open();
      for (const name of NAMES) {
        const stored = await files.put(name, `content of ${name}`);
        assert.deepEqual(await files.stat(name), stored, name);
        assert.equal((await files.get(name))?.bytes.toString(), `content of ${name}`);
      }
      const listed = await Array.fromAsync(files.list());
      assert.deepEqual(listed.map(({ path }) => path).sort(), [...NAMES].sort());
      for (const { path, sizeBytes, modifiedAtMs } of listed) {
        assert.equal(sizeBytes, Buffer.byteLength(`content of ${path}`));
        assert.ok(Math.abs(Date.now() - modifiedAtMs) < 600_000, `${path} was modified at ${modifiedAtMs}`);
      }
      assert.equal((await (await reopen(files)).get("-_.bin"))?.bytes.toString(), "content of -_.bin");
    });

    it("refuses every name that could mean another place, before the storage is asked", async () => {
      const files = await open();
      for (const name of REFUSED) {
        const refused = { code: "STORAGE_PATH_INVALID" };
        await assert.rejects(() => files.put(name, "x"), refused, JSON.stringify(name));
        await assert.rejects(() => files.get(name), refused);
        await assert.rejects(() => files.stat(name), refused);
        await assert.rejects(() => files.open(name), refused);
        await assert.rejects(() => files.remove(name), refused);
        if (name === "") continue;
        await assert.rejects(() => Array.fromAsync(files.list(name)), refused);
        await assert.rejects(() => files.entries(name), refused);
      }
      assert.deepEqual(await Array.fromAsync(files.list()), []);
    });

    it("has nothing where nothing was put", async () => {
      const files = await open();
      assert.equal(await files.stat("a/b"), undefined);
      assert.equal(await files.get("a/b"), undefined);
      await assert.rejects(() => files.open("a/b"), { code: "STORAGE_FILE_MISSING" });
      assert.deepEqual(await files.entries("a"), []);
      assert.deepEqual(await Array.fromAsync(files.list("a")), []);
      await files.remove("a/b");
    });

    it("stores nothing of a content that breaks off, and keeps what was there", async () => {
      const files = await open();
      await files.put("a/b", "before");
      const broken = async function* (): AsyncGenerator<Buffer> {
        yield randomBytes(6 << 20);
        yield randomBytes(6 << 20);
        throw new Error("the client went away");
      };
      await assert.rejects(() => files.put("a/b", broken()), /the client went away/);
      await assert.rejects(() => files.put("a/c", broken()), /the client went away/);
      assert.equal((await files.get("a/b"))?.bytes.toString(), "before");
      assert.deepEqual(
        (await Array.fromAsync(files.list())).map(({ path }) => path),
        ["a/b"],
      );
    });

    it("takes empty and large contents as streams, and reads ranges of them", async () => {
      const files = await open();
      const content = randomBytes((17 << 20) + 12_345);
      const pieces = async function* (): AsyncGenerator<Buffer> {
        for (let at = 0; at < content.length; at += 999_983) yield content.subarray(at, at + 999_983);
      };
      assert.equal((await files.put("large", pieces()))?.sizeBytes, content.length);
      assert.equal((await files.put("empty", (async function* () {})()))?.sizeBytes, 0);
      assert.equal((await files.put("text", Readable.from(["ação\n", "ok"])))?.sizeBytes, 9);
      assert.equal((await files.get("text"))?.bytes.toString(), "ação\nok");
      const opened = await files.open("large");
      assert.equal(opened.sizeBytes, content.length);
      assert.equal(opened.etag, (await files.stat("large"))?.etag);
      assert.equal(digestOf(Buffer.concat(await Array.fromAsync(opened.read()))), digestOf(content));
      for (const [start, end] of [
        [0, 0],
        [5 << 20, (5 << 20) + 99],
        [content.length - 3, content.length - 1],
      ] as const) {
        const found = Buffer.concat(await Array.fromAsync(opened.read({ start, end })));
        assert.ok(found.equals(content.subarray(start, end + 1)), `${start}-${end}`);
      }
      await opened.close();
      const empty = await files.open("empty");
      assert.equal(Buffer.concat(await Array.fromAsync(empty.read())).length, 0);
      await empty.close();
    });

    it("gives another etag to another content", async () => {
      const files = await open();
      const first = await files.put("a", "one");
      const second = await files.put("a", "two");
      assert.notEqual(first?.etag, second?.etag);
      assert.match(second?.etag ?? "", /^".+"$/);
    });

    it("lets exactly one of 64 writers put what must be absent, and keeps its content", async () => {
      const files = await open();
      const others = await Promise.all(Array.from({ length: 8 }, () => reopen(files)));
      const put = await Promise.all(
        Array.from({ length: 64 }, async (_, number) => ({
          number,
          stat: await others[number % 8]?.put("log/0.json", `writer ${number}`, "absent"),
        })),
      );
      const [winner, ...more] = put.filter(({ stat }) => stat !== undefined);
      assert.equal(more.length, 0);
      assert.equal((await files.get("log/0.json"))?.bytes.toString(), `writer ${winner?.number}`);
      assert.equal((await files.stat("log/0.json"))?.etag, winner?.stat?.etag);
    });

    it("puts a large content under a condition too", async () => {
      const files = await open();
      const large = (): AsyncIterable<Buffer> =>
        (async function* () {
          for (let piece = 0; piece < 3; piece++) yield Buffer.alloc(5 << 20, piece);
        })();
      assert.equal((await files.put("large", large(), "absent"))?.sizeBytes, 15 << 20);
      assert.equal(await files.put("large", large(), "absent"), undefined);
      assert.equal((await files.stat("large"))?.sizeBytes, 15 << 20);
    });

    it("replaces a file only where it is still the one that was read", async () => {
      const files = await open();
      const first = await files.put("counter", "0");
      assert.ok(first);
      const second = await files.put("counter", "1", { etag: first.etag });
      assert.ok(second);
      assert.equal(await files.put("counter", "2", { etag: first.etag }), undefined);
      assert.equal(await files.put("nothing", "2", { etag: first.etag }), undefined);
      assert.equal((await files.get("counter"))?.bytes.toString(), "1");
      assert.equal(await files.stat("nothing"), undefined);
    });

    it("loses no step of a counter that many advance at once", async () => {
      const files = await open();
      await files.put("counter", "0");
      const advance = async (): Promise<void> => {
        for (;;) {
          const found = await files.get("counter");
          assert.ok(found);
          const next = String(Number(found.bytes.toString()) + 1);
          if ((await files.put("counter", next, { etag: found.etag })) !== undefined) return;
        }
      };
      await Promise.all(Array.from({ length: 8 }, advance));
      assert.equal((await files.get("counter"))?.bytes.toString(), "8");
    });

    it("lists a folder alone, all of it and by level, and removes it with all below", async () => {
      const files = await open();
      const paths = [
        ...Array.from({ length: 25 }, (_, number) => `t/_log/${number}.json`),
        "t/part.parquet",
        "ta/x",
        "u",
      ];
      await Promise.all(paths.map((path) => files.put(path, path)));
      const listed = async (folder?: string): Promise<readonly string[]> =>
        (await Array.fromAsync(files.list(folder) as AsyncIterable<ListedFile>)).map(({ path }) => path).sort();
      assert.deepEqual(await listed(), [...paths].sort());
      assert.deepEqual(await listed("t"), paths.filter((path) => path.startsWith("t/")).sort());
      assert.deepEqual(await files.entries("t"), [
        { name: "_log", isFolder: true, sizeBytes: 0 },
        { name: "part.parquet", isFolder: false, sizeBytes: 14 },
      ]);
      assert.deepEqual(
        (await files.entries("")).map(({ name }) => name),
        ["t", "ta", "u"],
      );
      assert.deepEqual(await files.entries("u"), []);
      await files.remove("t/part.parquet");
      await files.remove("t");
      assert.deepEqual(await listed(), ["ta/x", "u"]);
    });

    it("keeps what is not whole apart, until it is swept", async () => {
      const files = await open();
      await files.put(".incoming/one/part-1", "x");
      await files.put("whole", "x");
      assert.deepEqual(
        (await Array.fromAsync(files.list())).map(({ path }) => path),
        ["whole"],
      );
      assert.deepEqual(
        (await files.entries("")).map(({ name }) => name),
        ["whole"],
      );
      assert.equal(await files.removeUnfinished(Date.now() - 3_600_000), 0);
      assert.equal(await files.removeUnfinished(Date.now() + 3_600_000, { dryRun: true }), 1);
      assert.equal(await files.removeUnfinished(Date.now() + 3_600_000), 1);
      assert.equal(await files.stat(".incoming/one/part-1"), undefined);
      assert.ok(await files.stat("whole"));
    });

    it(hasFolders ? "says what is in the way of a path" : "lets a file and a folder have one name", async () => {
      const files = await open();
      await files.put("a", "file");
      await files.put("b/c", "file");
      if (hasFolders) {
        await assert.rejects(() => files.put("a/b", "x"), { code: "STORAGE_PATH_TAKEN" });
        await assert.rejects(() => files.put("b", "x"), { code: "STORAGE_PATH_TAKEN" });
        assert.equal(await files.stat("b"), undefined);
      } else {
        await files.put("a/b", "x");
        assert.equal((await files.get("a"))?.bytes.toString(), "file");
      }
      assert.equal(await files.get("b"), undefined);
      assert.equal(await files.stat("c/d"), undefined);
    });
  });
}

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { digestOf } from "#base";
import type { Blobs } from "#storage";
import { temporaryFolder } from "../setup/stores.ts";

export interface BlobsUnderTest {
  readonly blobs: Blobs;
  /** The same blobs as another machine would see them. */
  readonly elsewhere: Blobs;
  /** Changes the bytes where they are kept. */
  readonly damage: (digest: string) => Promise<void>;
}

const NONE = digestOf("nothing has this digest");

/** What every driver of blobs must do. */
export function describeBlobs(title: string, open: () => Promise<BlobsUnderTest>): void {
  describe(`blobs: ${title}`, () => {
    it("gives back by digest what was put, by any way, here and elsewhere", async () => {
      const { blobs, elsewhere } = await open();
      const large = randomBytes((9 << 20) + 7);
      const file = join(await temporaryFolder(), "file");
      await writeFile(file, "of a file");
      const pieces = async function* (): AsyncGenerator<Buffer> {
        yield large.subarray(0, 5);
        yield large.subarray(5);
      };
      const stored = [
        await blobs.put(""),
        await blobs.put("text"),
        await blobs.putFile(file),
        await blobs.putStream(pieces()),
      ];
      const contents = [Buffer.alloc(0), Buffer.from("text"), Buffer.from("of a file"), large];
      for (const [index, content] of contents.entries()) {
        const stat = stored[index];
        assert.deepEqual(stat, { digest: digestOf(content), sizeBytes: content.length });
        assert.ok((await elsewhere.get(stat.digest)).equals(content));
        assert.deepEqual(await elsewhere.stat(stat.digest), stat);
        assert.equal(await elsewhere.digestOfStored(stat.digest), stat.digest);
      }
      const found = (await Array.fromAsync(elsewhere.list())).map(({ digest }) => digest).sort();
      assert.deepEqual(found, stored.map(({ digest }) => digest).sort());
    });

    it("opens ranges, and a path to read in place", async () => {
      const { blobs, elsewhere } = await open();
      const { digest } = await blobs.put("0123456789");
      assert.equal(
        Buffer.concat(await Array.fromAsync(await elsewhere.open(digest, { start: 2, end: 4 }))).toString(),
        "234",
      );
      assert.equal(Buffer.concat(await Array.fromAsync(await elsewhere.open(digest))).toString(), "0123456789");
      assert.match(await elsewhere.localPath(digest), /^\//);
    });

    it("stores nothing of a stream with another digest than announced, or that breaks off", async () => {
      const { blobs } = await open();
      const one = async function* (): AsyncGenerator<Buffer> {
        yield Buffer.from("one");
      };
      const broken = async function* (): AsyncGenerator<Buffer> {
        yield Buffer.from("one");
        throw new Error("the client went away");
      };
      await assert.rejects(() => blobs.putStream(one(), NONE), { code: "STORAGE_DIGEST_MISMATCH" });
      await assert.rejects(() => blobs.putStream(broken()), /the client went away/);
      assert.deepEqual(await Array.fromAsync(blobs.list()), []);
    });

    it("says what is missing, and removes what is there", async () => {
      const { blobs, elsewhere } = await open();
      const missing = { code: "STORAGE_OBJECT_MISSING" };
      await assert.rejects(() => blobs.get(NONE), missing);
      await assert.rejects(() => blobs.open(NONE), missing);
      await assert.rejects(() => blobs.localPath(NONE), missing);
      await assert.rejects(() => blobs.digestOfStored(NONE), missing);
      assert.equal(await blobs.stat(NONE), undefined);
      await blobs.delete(NONE);
      const { digest } = await blobs.put("text");
      await blobs.delete(digest);
      await assert.rejects(() => blobs.get(digest), missing);
      await assert.rejects(() => elsewhere.get(digest), missing);
      assert.equal(await elsewhere.stat(digest), undefined);
    });

    it("hands out no damaged bytes, and is healed when the same content is stored again", async () => {
      const { blobs, elsewhere, damage } = await open();
      for (const content of [Buffer.from("small"), randomBytes(100_000)]) {
        const { digest } = await blobs.put(content);
        await damage(digest);
        await assert.rejects(() => elsewhere.get(digest), { code: "STORAGE_OBJECT_DAMAGED" });
        await assert.rejects(() => elsewhere.localPath(digest), { code: "STORAGE_OBJECT_DAMAGED" });
        assert.notEqual(await elsewhere.digestOfStored(digest), digest);
        await elsewhere.put(content);
        assert.ok((await elsewhere.get(digest)).equals(content));
        assert.equal(await elsewhere.digestOfStored(digest), digest);
      }
    });

    it("sets aside what is old, still reads it, and brings it back when it is named or stored again", async () => {
      const { blobs, elsewhere } = await open();
      const later = Date.now() + 3600_000;
      const listed = async (): Promise<readonly string[]> =>
        (await Array.fromAsync(elsewhere.listDated())).map(({ digest }) => digest);
      const [young, read, named, again, gone] = await Promise.all(
        ["young", "read", "named", "stored again", "of nobody"].map(async (text) => (await blobs.put(text)).digest),
      );
      assert.ok(young && read && named && again && gone);
      assert.equal(await blobs.setAside(young, Date.now() - 3600_000), undefined);
      assert.equal(await blobs.setAside(NONE, later), undefined);
      for (const digest of [read, named, again, gone]) assert.ok((await blobs.setAside(digest, later)) !== undefined);
      assert.deepEqual(await listed(), [young]);
      assert.equal((await elsewhere.get(read)).toString(), "read");
      assert.deepEqual(await elsewhere.put("stored again"), { digest: again, sizeBytes: 12 });
      await blobs.settleAside((digest) => digest === named);
      assert.deepEqual((await listed()).toSorted(), [young, read, named, again].toSorted());
      for (const digest of [young, read, named, again]) assert.equal(await elsewhere.digestOfStored(digest), digest);
    });

    it("loses nothing that is stored again while it is collected", async () => {
      const { blobs, elsewhere } = await open();
      for (let round = 0; round < 20; round++) {
        const text = `round ${round % 5}`;
        const { digest } = await blobs.put(text);
        const later = Date.now() - (round % 2 === 0 ? -3600_000 : 3600_000);
        await Promise.all([
          elsewhere.put(text),
          blobs.setAside(digest, later),
          elsewhere.put(text),
          blobs.setAside(digest, later),
        ]);
        await blobs.settleAside(() => true);
        assert.equal((await elsewhere.get(digest)).toString(), text);
      }
    });
  });
}

import assert from "node:assert/strict";
import { appendFile, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFileSystemBlobs, isTreeAt, putTree, writeTree } from "#storage";
import { temporaryFolder } from "../setup/stores.ts";

const pathOf = (root: string, digest: string): string => join(root, "sha256", digest.slice(7, 9), digest.slice(9));

describe("a damaged object", () => {
  it("is an error that names digest and file, however it is read", async () => {
    const root = await temporaryFolder();
    const objects = createFileSystemBlobs(root);
    const { digest } = await objects.put("weights");
    assert.equal((await objects.get(digest)).toString(), "weights");
    const path = pathOf(root, digest);
    const { atime, mtime } = await stat(path);
    await writeFile(path, "WEIGHTS");
    // Its time and size say that nothing happened.
    await utimes(path, atime, mtime);
    for (const read of [
      () => objects.get(digest),
      () => objects.open(digest),
      () => objects.open(digest, { start: 0, end: 1 }),
      () => objects.localPath(digest),
    ]) {
      await assert.rejects(read, {
        code: "STORAGE_OBJECT_DAMAGED",
        message: new RegExp(`${digest} is damaged.*${path}`),
      });
    }
  });

  it("is healed when the same content is stored again, by any way", async () => {
    const root = await temporaryFolder();
    const objects = createFileSystemBlobs(root);
    const { digest } = await objects.put("weights");
    const file = join(root, "copy");
    await writeFile(file, "weights");
    const ways = [
      () => objects.put("weights"),
      () => objects.putFile(file),
      () =>
        objects.putStream(
          (async function* () {
            yield Buffer.from("weights");
          })(),
          digest,
        ),
    ];
    for (const way of ways) {
      await appendFile(pathOf(root, digest), "!");
      await way();
      assert.equal((await objects.get(digest)).toString(), "weights");
    }
  });

  it("is listed, as are those that are whole", async () => {
    const root = await temporaryFolder();
    const objects = createFileSystemBlobs(root);
    const digests = [(await objects.put("a")).digest, (await objects.put("b")).digest];
    const listed: string[] = [];
    for await (const { digest, path } of objects.list()) {
      listed.push(digest);
      assert.ok((await readFile(path)).length > 0);
    }
    assert.deepEqual(listed, [...digests].sort());
  });

  it("in a folder that was written from a tree is seen", async () => {
    const [root, from, to] = await Promise.all([temporaryFolder(), temporaryFolder(), temporaryFolder()]);
    await writeFile(join(from, "model.onnx"), "weights");
    const objects = createFileSystemBlobs(root);
    const tree = await putTree(objects, from);
    await writeTree(objects, tree, to);
    assert.equal(await isTreeAt(tree, to), true);
    await writeFile(join(to, "model.onnx"), "WEIGHTS");
    assert.equal(await isTreeAt(tree, to), false);
    assert.equal(await isTreeAt(tree, join(to, "nothing")), false);
  });
});

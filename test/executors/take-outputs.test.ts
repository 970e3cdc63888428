// What a worker sends back is what a stranger may send: it stays in the step's own folders.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { digestOf, isEsteiraError } from "#base";
import { createFileSystemBlobs } from "#storage";
import { takeOutputs } from "../../src/executors/remote/take-outputs.ts";
import type { TakenPath, TaskEntry } from "../../src/executors/remote/task-format.ts";
import { temporaryFolder } from "../setup/stores.ts";

const text = (value: string): string => Buffer.from(value).toString("base64");

describe("what a worker sends back", () => {
  const open = async () => {
    const root = await temporaryFolder();
    const work = join(root, "work");
    const outside = join(root, "outside");
    await mkdir(join(work, "out"), { recursive: true });
    await mkdir(outside);
    await writeFile(join(outside, "kept"), "kept");
    const objects = createFileSystemBlobs(join(root, "objects"));
    const leftOut: string[] = [];
    return {
      work,
      outside,
      objects,
      leftOut,
      take: (
        taken: Partial<TakenPath> & { readonly path: string },
        takes: readonly string[] | undefined = [taken.path],
      ) =>
        takeOutputs([{ isFile: false, isWhole: true, isMissing: false, entries: [], ...taken }], {
          folders: [work],
          takes,
          objects,
          leftOut: (path) => void leftOut.push(path),
        }),
    };
  };
  const isRefused = (error: unknown): boolean => isEsteiraError(error, "EXECUTORS_TASK_OUTPUT_REFUSED");

  it("is written where it was asked for: files, bits, links, empty folders", async () => {
    const { work, objects, take } = await open();
    const large = await objects.put("x".repeat(10_000));
    await writeFile(join(work, "out/old"), "old");
    const path = join(work, "out");
    await take({
      path,
      entries: [
        { at: "bin/run", inline: text("#!"), isExecutable: true },
        { at: "large", digest: large.digest, sizeBytes: 10_000 },
        { at: "latest", link: "bin/run" },
        { at: "empty" },
        { at: 'ação "ü"\n.txt', inline: text("é") },
      ],
    });
    assert.deepEqual((await readdir(path)).sort(), ['ação "ü"\n.txt', "bin", "empty", "large", "latest"]);
    assert.equal((await lstat(join(path, "bin/run"))).mode & 0o777, 0o755);
    assert.equal((await readFile(join(path, "large"), "utf8")).length, 10_000);
    assert.equal(await readlink(join(path, "latest")), "bin/run");
  });

  it("is refused where nobody asked for it, or outside of the step's folders", async () => {
    const { work, outside, take } = await open();
    await assert.rejects(take({ path: join(work, "other") }, [join(work, "out")]), isRefused);
    await assert.rejects(take({ path: outside, isMissing: true }), isRefused);
    await assert.rejects(take({ path: `${work}/out/../../outside`, isMissing: true }), isRefused);
    await assert.rejects(take({ path: `${work}-more`, isMissing: true }), isRefused);
    assert.equal(await readFile(join(outside, "kept"), "utf8"), "kept");
  });

  for (const at of ["../outside/kept", "/etc/passwd", "a/../../../outside/kept", "a//b", ".", "a/\0b", ""])
    it(`is refused with the name ${JSON.stringify(at)}`, async () => {
      const { work, outside, take } = await open();
      await assert.rejects(take({ path: join(work, "out"), entries: [{ at, inline: text("gone") }] }), isRefused);
      assert.equal(await readFile(join(outside, "kept"), "utf8"), "kept");
    });

  it("is not written through a link, be it there before or sent along", async () => {
    const { work, outside, take, leftOut } = await open();
    await symlink(outside, join(work, "link"));
    await assert.rejects(
      take({ path: join(work, "link/kept"), isFile: true, entries: [{ at: "kept", inline: text("gone") }] }),
      isRefused,
    );
    await symlink(outside, join(work, "out/link"));
    const changed: TaskEntry[] = [{ at: "link/kept", inline: text("gone") }];
    await assert.rejects(take({ path: join(work, "out"), isWhole: false, entries: changed }), isRefused);
    await take({
      path: join(work, "out"),
      entries: [
        { at: "away", link: "../../outside" },
        { at: "root", link: "/etc" },
      ],
    });
    assert.equal(leftOut.length, 2);
    assert.equal(await readFile(join(outside, "kept"), "utf8"), "kept");
  });

  it("has no link below a link: by its name it would lead somewhere else", async () => {
    const { work, outside, take } = await open();
    const entries: TaskEntry[] = [
      { at: "a/b/c", link: "../.." },
      { at: "a/b/c/out", link: "../../.." },
    ];
    await assert.rejects(take({ path: join(work, "out"), entries }), isRefused);
    assert.ok(!existsSync(join(work, "out/out/outside")));
    assert.equal(await readFile(join(outside, "kept"), "utf8"), "kept");
  });

  it("is not taken without its content", async () => {
    const { work, take } = await open();
    const missing: TaskEntry = { at: "f", digest: digestOf("never sent"), sizeBytes: 10 };
    await assert.rejects(take({ path: join(work, "out"), entries: [missing] }));
    await assert.rejects(take({ path: join(work, "out"), isFile: true }), isRefused);
    assert.deepEqual(
      (await readdir(join(work, "out")).catch(() => [])).filter((name) => name === "f"),
      [],
    );
  });
});

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { removeWorkFolder, workFolderOf } from "../../src/engine/work-folder.ts";
import { temporaryFolder } from "../setup/stores.ts";

describe("the folder of an attempt", () => {
  it("is removed with whatever is in it, and what a link in it names stays", async () => {
    const storeFolder = await temporaryFolder();
    const outside = join(storeFolder, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "kept"), "kept");
    const fill: Readonly<Record<string, (folder: string) => Promise<unknown>>> = {
      empty: async () => {},
      small: async (folder) => {
        for (const name of ["home", "tmp", "output"]) await mkdir(join(folder, name));
        await writeFile(join(folder, "context.json"), "{}");
      },
      nested: (folder) => mkdir(join(folder, "workspace/a/b"), { recursive: true }),
      many: async (folder) => {
        for (let index = 0; index < 40; index++) await writeFile(join(folder, String(index)), "x");
      },
      linked: (folder) => symlink(outside, join(folder, "tmp")),
      "linked below": async (folder) => {
        await mkdir(join(folder, "home"));
        await symlink(outside, join(folder, "home/link"));
      },
    };
    for (const [id, put] of Object.entries(fill)) {
      const folder = workFolderOf({ storeFolder }, id);
      await mkdir(folder, { recursive: true });
      await put(folder);
      await removeWorkFolder({ storeFolder }, id);
      assert.equal(existsSync(folder), false, id);
      assert.equal(await readFile(join(outside, "kept"), "utf8"), "kept", id);
    }
    await removeWorkFolder({ storeFolder }, "gone");
  });
});

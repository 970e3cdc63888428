// Which folders outside the project a capture reads: those that esteira.yaml names, and no others.
import assert from "node:assert/strict";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { isEsteiraError } from "#base";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const CSV = "id\n1\n2\n";

async function open(
  kind: Parameters<typeof openDataProject>[0],
  allowed: readonly string[],
): Promise<DataProject & { refused(folder: string): Promise<void>; read(folder: string): Promise<void> }> {
  const project = await openDataProject(kind, {
    captureFolders: (folder) => allowed.map((name) => join(folder, name)),
  });
  for (const folder of ["data/below", "data2", "project/inside"]) {
    await mkdir(join(project.storeFolder, folder), { recursive: true });
    await writeFile(join(project.storeFolder, folder, "a.csv"), CSV);
  }
  const declarationOf = (folder: string) => ({ capture: { folder, files: "*.csv" } });
  return {
    ...project,
    refused: async (folder) => {
      const { problems } = await project.analyse(project.capture, declarationOf(folder), "d");
      assert.deepEqual(
        problems.map(({ path }) => path),
        [["capture", "folder"]],
        `lint lets ${folder} through`,
      );
      await assert.rejects(
        project.runCapture(declarationOf(folder)),
        (error) => isEsteiraError(error, "DATA_CAPTURE_FOLDER_REFUSED") && /capture\.folders/.test(error.hint ?? ""),
      );
    },
    read: async (folder) => {
      assert.deepEqual((await project.analyse(project.capture, declarationOf(folder), "d")).problems, []);
      const { versions } = await project.runCapture({ ...declarationOf(folder), write: "replace" });
      assert.equal(versions.at(-1)?.rowCount, 2);
    },
  };
}

describeStores("the folder of a capture", (kind) => {
  it("outside the project is refused when esteira.yaml names none, at lint time and at run time", async () => {
    const { refused, read, storeFolder } = await open(kind, []);
    await refused(join(storeFolder, "data"));
    await refused("/");
    await refused(join(storeFolder, "project/../data"));
    await refused(join(storeFolder, "nowhere"));
    await read(join(storeFolder, "project/inside"));
  });

  it("below a named one is read; one whose name only begins so is not", async () => {
    const { refused, read, storeFolder } = await open(kind, ["data"]);
    await read(join(storeFolder, "data/below"));
    await refused(join(storeFolder, "data2"));
    await refused(storeFolder);
  });

  it("counts as what its links lead to, whichever side the link is on", async () => {
    const { refused, read, storeFolder } = await open(kind, ["data", "link-to-named"]);
    await symlink(join(storeFolder, "data2"), join(storeFolder, "data/link-out"));
    await symlink(join(storeFolder, "data2"), join(storeFolder, "project/link-out"));
    await refused(join(storeFolder, "data/link-out"));
    await refused(join(storeFolder, "project/link-out"));
    await symlink(join(storeFolder, "data"), join(storeFolder, "link-in"));
    await read(join(storeFolder, "link-in/below"));
    await rename(join(storeFolder, "data2"), join(storeFolder, "named"));
    await symlink(join(storeFolder, "named"), join(storeFolder, "link-to-named"));
    await read(join(storeFolder, "link-to-named"));
  });
});

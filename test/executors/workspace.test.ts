import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, chmod, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { createGit, createLocalExecutor, createWorkspace } from "#executors";
import { createTestProject, testPorts } from "../setup/engine.ts";
import { describeStores, temporaryFolder } from "../setup/stores.ts";

const git = createGit({ environment: { PATH: process.env["PATH"] ?? "" } });

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

describe("the workspace of an attempt", () => {
  it("holds the project's files as copies, what git ignores as links, and neither the store nor an earlier result", async () => {
    const projectFolder = join(await temporaryFolder(), "a project é");
    const folder = join(projectFolder, ".esteira/work/1/project");
    await write(projectFolder, {
      "src/a.txt": "a",
      "run.sh": "#!/bin/sh",
      "data/big.csv": "x".repeat(9 * 2 ** 20),
      "ignored/rows.csv": "1",
      "node_modules/m/index.js": "",
      "dist/old.js": "old",
      "junit.xml": "old",
      ".gitignore": "ignored/\nnode_modules/\ndist/\njunit.xml\n.esteira/\n",
      ".esteira/metadata.sqlite": "",
      "store/objects": "",
    });
    await chmod(join(projectFolder, "run.sh"), 0o755);
    await symlink("src/a.txt", join(projectFolder, "link"));
    execFileSync("git", ["init", "--quiet", projectFolder]);
    await createWorkspace(
      { projectFolder, folder, leaveOut: [join(projectFolder, "store")], made: ["dist/", "junit.xml"] },
      git,
    );
    assert.deepEqual((await readdir(folder)).toSorted(), [
      ".git",
      ".gitignore",
      "data",
      "ignored",
      "link",
      "node_modules",
      "run.sh",
      "src",
    ]);
    await appendFile(join(folder, "src/a.txt"), "changed");
    await write(folder, { "ignored/new.csv": "2" });
    assert.equal(await readFile(join(projectFolder, "src/a.txt"), "utf8"), "a");
    assert.deepEqual(await readdir(join(projectFolder, "ignored")), ["rows.csv"]);
    assert.equal(await readFile(join(folder, "ignored/rows.csv"), "utf8"), "1");
    assert.ok((await lstat(join(folder, "data/big.csv"))).isSymbolicLink());
    assert.ok(((await lstat(join(folder, "run.sh"))).mode & 0o111) !== 0);
    assert.match(execFileSync("git", ["-C", folder, "status", "--porcelain"], { encoding: "utf8" }), /src\//);
    await rm(folder, { recursive: true });
    assert.equal(await readFile(join(projectFolder, "ignored/rows.csv"), "utf8"), "1");
    assert.deepEqual(await readdir(join(projectFolder, "node_modules")), ["m"]);
  });

  it("is made of a folder inside the store, as a checkout of a pushed commit is, and without a repository", async () => {
    const store = await temporaryFolder();
    await write(store, { "checkouts/1/a.txt": "a" });
    await createWorkspace(
      {
        projectFolder: join(store, "checkouts/1"),
        folder: join(store, "work/1/project"),
        leaveOut: [store],
        made: ["dist"],
      },
      git,
    );
    assert.equal(await readFile(join(store, "work/1/project/a.txt"), "utf8"), "a");
  });
});

describeStores("steps side by side", (kind) => {
  it("do not see each other's files, and leave none in the project", async () => {
    const project = await createTestProject(kind, {
      "given.txt": "given",
      "pipelines/work.yaml":
        'steps:\n  each: { run: \'cat given.txt; echo ${{ matrix.n }} > shared.txt; while [ $(ls "$MEETING" | wc -l) -lt 3 ]; do touch "$MEETING/${{ matrix.n }}"; sleep 0.05; done; test "$(cat shared.txt)" = ${{ matrix.n }}\', matrix: { n: [1, 2, 3] }, env: { MEETING: MEETING_FOLDER } }\n  after: { run: \'test ! -e shared.txt\', needs: each }\n',
    });
    const meeting = await temporaryFolder();
    await project.write(
      "pipelines/work.yaml",
      (await readFile(join(project.projectFolder, "pipelines/work.yaml"), "utf8")).replace(
        "MEETING_FOLDER",
        JSON.stringify(meeting),
      ),
    );
    await project.register();
    const engine = project.engine({
      concurrency: 3,
      executors: [createLocalExecutor({ workFolder: join(project.folder, "work"), writable: [meeting] })],
      ports: { ...testPorts, createWorkspace: (request) => createWorkspace({ ...request, leaveOut: [] }, git) },
    });
    const run = await engine.runToEnd(await engine.submit({ pipeline: "work", actor: "ana" }));
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.deepEqual((await readdir(project.projectFolder)).toSorted(), ["given.txt", "pipelines"]);
  });
});

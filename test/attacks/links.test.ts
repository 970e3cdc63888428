// Links that somebody pushed into a project: the engine, which may read more than a step, follows none out of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { access, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { LocatedProblem } from "#base";
import { createGit, createWorkspace } from "#executors";
import { createProjectFiles, readProjectFile } from "#pipeline";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const SECRET = "secret-of-the-machine";

/** A project with links to a file beside it, by what it declares of them. */
async function project(
  links: readonly string[],
  files: Readonly<Record<string, string>>,
  target?: string,
): Promise<string> {
  const folder = join(await temporaryFolder(), "project");
  const secret = target ?? join(dirname(folder), "secret");
  await mkdir(folder);
  if (target === undefined) await writeFile(secret, SECRET);
  for (const [path, text] of Object.entries({ "esteira.yaml": "name: p\n", ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  for (const path of links) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(secret, join(folder, path));
  }
  return folder;
}

const DATA = "steps:\n  rows: { capture: { files: rows.csv } }\n";

const READERS: Readonly<Record<string, readonly [link: string, files: Readonly<Record<string, string>>]>> = {
  "an SQL file": ["sql/out.sql", { "pipelines/w.yaml": `${DATA}  out: { sql: sql/out.sql }\n`, "rows.csv": "a\n1\n" }],
  "a script": ["src/x.py", { "pipelines/w.yaml": "steps:\n  out: { python: src/x.py }\n" }],
  "a module that a script imports": [
    "src/secret.py",
    { "pipelines/w.yaml": "steps:\n  out: { python: src/x.py }\n", "src/x.py": "import secret\n" },
  ],
  requirements: [
    "requirements.txt",
    { "pipelines/w.yaml": "steps:\n  out: { python: x.py, requirements: requirements.txt }\n", "x.py": "" },
  ],
  "a notebook": ["n.ipynb", { "pipelines/w.yaml": "steps:\n  out: { notebook: n.ipynb }\n" }],
  "files of a script, by a glob": [
    "conf/a.txt",
    {
      "pipelines/w.yaml": "steps:\n  out: { python: x.py, files: 'conf/*' }\n",
      "x.py": "print(open('conf/a.txt').read())",
    },
  ],
  "files of a command, by their name": [
    "a.txt",
    { "pipelines/w.yaml": "steps:\n  out: { run: cat a.txt, files: a.txt }\n" },
  ],
  "a contract": [
    "contracts/rows.yaml",
    {
      "pipelines/w.yaml": "steps:\n  rows: { capture: { files: rows.csv }, contract: contracts/rows.yaml }\n",
      "rows.csv": "a\n1\n",
    },
  ],
  "a pipeline": ["pipelines/w.yaml", {}],
  "a monitor": ["monitors/m.yaml", {}],
  features: ["features/f.yaml", {}],
  "a dashboard": [
    "dashboards/d.yaml",
    { "pipelines/w.yaml": `${DATA}  out: { publish: dashboards/d.yaml }\n`, "rows.csv": "a\n1\n" },
  ],
  "a captured file": ["rows.csv", { "pipelines/w.yaml": DATA }],
};

describe("a link out of the project", () => {
  for (const [what, [link, files]] of Object.entries(READERS))
    it(`is not read as ${what}`, { timeout: 120_000 }, async () => {
      const folder = await project([link], files);
      const lint = await runEsteira(folder, ["lint", "--json"]);
      assert.doesNotMatch(lint.stdout + lint.stderr, new RegExp(SECRET));
      if (link !== "rows.csv") {
        const { problems } = JSON.parse(lint.stdout) as { problems: LocatedProblem[] };
        const named = problems.filter(({ message }) => /leads to .*secret.*is no file of the project/.test(message));
        assert.deepEqual([...new Set(named.map(({ file }) => file))], [link], lint.stdout);
      }
      const run = await runEsteira(folder, ["run", "w"]);
      assert.notEqual(run.code, 0);
      const logs = await runEsteira(folder, ["logs", "latest"]);
      assert.doesNotMatch(run.stdout + run.stderr + logs.stdout, new RegExp(SECRET));
    });

  it("is not read where a folder is the link, or a link leads to a link", async () => {
    const folder = await project([], { "in.txt": "own" });
    const outside = dirname(folder);
    await symlink(outside, join(folder, "up"));
    await symlink("in.txt", join(folder, "fine.txt"));
    await symlink(join(outside, "secret"), join(folder, "one"));
    await symlink("one", join(folder, "two"));
    await symlink("loop", join(folder, "loop"));
    const files = createProjectFiles(folder);
    for (const path of ["up/secret", "one", "two", "loop", "../secret", join(outside, "secret")])
      assert.equal(await files.readFile(path), undefined, path);
    assert.equal(await files.readFile("fine.txt"), "own");
    assert.deepEqual(await files.glob("**"), ["esteira.yaml", "fine.txt", "in.txt"]);
    assert.deepEqual(await files.glob("up/*"), []);
    for (const path of ["up/secret", "one", "two"])
      await assert.rejects(readProjectFile(folder, path), { code: "PIPELINE_FILE_OUTSIDE" });
  });

  it("does not reach the store of the project, nor what git keeps, by a link or by name", async () => {
    const folder = await project([], { ".esteira/key": SECRET, ".git/config": SECRET });
    await symlink(".esteira/key", join(folder, "a.txt"));
    await symlink(".git", join(folder, "b"));
    const files = createProjectFiles(folder);
    for (const path of ["a.txt", "b/config", ".esteira/key", ".git/config"])
      assert.equal(await files.readFile(path), undefined, path);
  });

  it("does not bring the store into a dataset", { timeout: 120_000 }, async () => {
    const folder = await project([], {
      ".esteira/users.json": `[{"token": "${SECRET}"}]`,
      "own.json": '[{"token": "own"}]',
      "pipelines/w.yaml": "steps:\n  rows: { capture: { files: ['**/*.json', '.esteira/*.json'] } }\n",
    });
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 0, stderr);
    const shown = await runEsteira(folder, ["dataset", "show", "rows", "--json"]);
    assert.match(shown.stdout, /"rowCount": 1,/);
    assert.doesNotMatch(shown.stdout, new RegExp(SECRET));
  });

  it("is no way from the copy that a step works in into the store", async () => {
    const folder = await project([], { "in.txt": "own" });
    await symlink("in.txt", join(folder, "own.txt"));
    await symlink("../../key", join(folder, "up"));
    const store = await temporaryFolder();
    await writeFile(join(store, "key"), SECRET);
    const git = createGit({ environment: { PATH: process.env["PATH"] ?? "" } });
    const workspace = join(store, "work/a1/w");
    await createWorkspace({ projectFolder: folder, folder: workspace, leaveOut: [], made: [] }, git);
    assert.equal(await readFile(join(workspace, "own.txt"), "utf8"), "own");
    await assert.rejects(readFile(join(workspace, "up")));
    const closed = join(store, "work/a2/w");
    await cp(join(store, "key"), join(dirname(folder), "secret"));
    await symlink(join(dirname(folder), "secret"), join(folder, "leak"));
    const request = { projectFolder: folder, folder: closed, leaveOut: [], made: [], only: ["in.txt", "leak"] };
    await assert.rejects(createWorkspace(request, git), { code: "PIPELINE_OUTPUT_OUTSIDE" });
    await assert.rejects(readFile(join(closed, "leak")));
  });

  it("is no way to have a program of a step's own started when git looks at what the step left", async () => {
    const folder = await project([], { "in.txt": "own" });
    const found = join(folder, "found");
    execFileSync("git", ["init", "--quiet", folder]);
    await writeFile(join(folder, "monitor"), `#!/bin/sh\ntouch '${found}'\n`, { mode: 0o755 });
    execFileSync("git", ["-C", folder, "config", "core.fsmonitor", join(folder, "monitor")]);
    const git = createGit({ environment: { PATH: process.env["PATH"] ?? "" } });
    await git.ignoredPaths(folder);
    await git.readCommit(folder);
    await assert.rejects(access(found));
    execFileSync("git", ["-C", folder, "status"]);
    await access(found);
  });
});

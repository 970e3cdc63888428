import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock } from "#base";
import { createNotebookKind, parseNotebook, strippedNotebook } from "#notebooks";
import { testAttempt, testEnvironments } from "../setup/attempt.ts";
import { testPython } from "../setup/python-environment.ts";
import { openTestStore, temporaryFolder } from "../setup/stores.ts";
import { notebookText } from "./notebook-text.ts";

const VALIDATE =
  "import sys, nbformat\nfor path in sys.argv[1:]:\n    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)\n    nbformat.validate(notebook)\n    print(notebook.nbformat, notebook.nbformat_minor, len(notebook.cells))";

it("executed and stripped notebooks are valid by Python's nbformat", async () => {
  const environment = await testPython(["nbformat==5.11.1"]);
  assert.ok(
    "python" in environment,
    `Python's nbformat cannot be had: ${"problem" in environment ? environment.problem : ""}`,
  );
  const { store, objects } = await openTestStore("sqlite");
  const projectFolder = await temporaryFolder();
  const text = notebookText([
    { source: "n: int = 1", tags: ["parameters"] },
    { source: "# *title*", type: "markdown" },
    { source: "import sys\nprint(n); print('e', file=sys.stderr)\n{'a': [1, None]}" },
    {
      source:
        "from IPython.display import display, HTML, JSON, Image\nhandle = display(HTML('<b>x</b>'), display_id='h')\nhandle.update(JSON({'a': float('nan')}))",
    },
    { source: "1/0", tags: ["raises-exception"] },
    { source: "" },
  ]);
  await mkdir(join(projectFolder, "n"));
  await writeFile(join(projectFolder, "n/n.ipynb"), text);
  const kind = createNotebookKind({
    store,
    objects,
    environments: testEnvironments,
    clock: systemClock,
    temporaryFolder: tmpdir(),
  });
  const outcome = await kind.execute(
    await testAttempt({ notebook: "n/n.ipynb", params: { n: 2 } }, { projectFolder, objects }),
  );
  assert.equal(outcome.status, "succeeded");
  const digest = outcome.status === "succeeded" ? outcome.facts?.["executedNotebook"] : undefined;
  await writeFile(join(projectFolder, "executed.ipynb"), await objects.get(digest as `sha256:${string}`));
  await writeFile(join(projectFolder, "stripped.ipynb"), strippedNotebook(parseNotebook(text, "n.ipynb")));
  const printed = execFileSync(
    environment.python,
    ["-c", VALIDATE, join(projectFolder, "executed.ipynb"), join(projectFolder, "stripped.ipynb")],
    { encoding: "utf8" },
  );
  assert.deepEqual(printed.trim().split("\n"), ["4 5 7", "4 5 6"]);
});

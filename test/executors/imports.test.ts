import { noContracts, noTests } from "../setup/attempt.ts";
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { createPythonKind, findImportedFiles } from "#executors";
import { createNotebookKind } from "#notebooks";
import { createPastRuns } from "#engine";
import { plan, type StepKind, why } from "#pipeline";
import { createProjectFiles } from "../../src/pipeline/define/project-files.ts";
import { findCommandScripts, findScriptImports } from "../../src/executors/script-imports.ts";
import { createTestProject } from "../setup/engine.ts";
import { describeStores, temporaryFolder } from "../setup/stores.ts";

async function projectOf(files: Readonly<Record<string, string>>): Promise<ReturnType<typeof createProjectFiles>> {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return createProjectFiles(folder);
}

describe("the files that a Python source imports", () => {
  it("are found through modules, packages, relative imports, literals and src/", async () => {
    const files = await projectOf({
      "jobs/train.py":
        'import numpy, helper as h\nfrom lib.deep import (\n  one,  # a comment\n  two,\n)\nimport importlib\nimportlib.import_module("plugin.late")\nimport runpy\nrunpy.run_path("tools/run.py")\nimport sys\nsys.path.insert(0, "vendored")\nimport extra\n# import never\ntext = "import neither"\n',
      "jobs/helper.py": "from inner import x\n",
      "src/inner.py": "x = 1\n",
      "lib/__init__.py": "from .base import *\n",
      "lib/base.py": "",
      "lib/deep/__init__.py": "from .. import sibling\nfrom . import one\n",
      "lib/deep/one.py": "import jobs.train\n",
      "lib/deep/two.py": "",
      "lib/sibling.py": "import lib.deep.one as again\n",
      "plugin/late.py": "",
      "tools/run.py": "",
      "vendored/extra.py": "",
      "never.py": "",
      "neither.py": "",
      "lib/unused.py": "",
    });
    assert.deepEqual(await findScriptImports("jobs/train.py", files), [
      "jobs/helper.py",
      "lib/__init__.py",
      "lib/base.py",
      "lib/deep/__init__.py",
      "lib/deep/one.py",
      "lib/deep/two.py",
      "lib/sibling.py",
      "plugin/late.py",
      "src/inner.py",
      "tools/run.py",
      "vendored/extra.py",
    ]);
  });

  it("stay inside the project, hold no circle, and survive what is no Python", async () => {
    const files = await projectOf({
      "a.py": "import b\nfrom ... import c\nfrom ....x import y\n",
      "b.py": "import a\nimport a as z, é\n",
      "c.py": "def (:\n  import b\n",
    });
    assert.deepEqual(await findScriptImports("a.py", files), ["b.py", "c.py"]);
    assert.deepEqual(
      await findImportedFiles({ text: "import c\n%run ./b\n!ls a.py\n%matplotlib inline", folder: "" }, files),
      ["a.py", "b.py", "c.py"],
    );
    assert.deepEqual(await findImportedFiles({ text: "", folder: "" }, files), []);
  });

  it("of JavaScript are those of relative paths, also of scripts that a command names", async () => {
    const files = await projectOf({
      "web/build.mjs":
        'import { a } from "./lib/a.js";\nimport "./style.mjs";\nexport * from "../shared.ts";\nimport fs from "node:fs";\nconst x = await import("./late.mjs");\n',
      "web/lib/a.js": 'const b = require("./b");\nmodule.exports = b;\n',
      "web/lib/b.json": "{}",
      "web/style.mjs": "",
      "web/late.mjs": 'import "./build.mjs";',
      "shared.ts": "",
      "web/unused.mjs": "",
      "tool.py": "import toolbox\n",
      "toolbox.py": "",
    });
    assert.deepEqual(await findScriptImports("web/build.mjs", files), [
      "shared.ts",
      "web/late.mjs",
      "web/lib/a.js",
      "web/lib/b.json",
      "web/style.mjs",
    ]);
    assert.deepEqual(await findCommandScripts('python tool.py && node "web/late.mjs" > out.js', "", files), [
      "shared.ts",
      "tool.py",
      "toolbox.py",
      "web/build.mjs",
      "web/late.mjs",
      "web/lib/a.js",
      "web/lib/b.json",
      "web/style.mjs",
    ]);
    assert.deepEqual(
      await findCommandScripts(["node", "late.mjs"], "web", files).then((found) => found[0]),
      "shared.ts",
    );
  });
});

describeStores("plan", (kind) => {
  it("names the imported file that changed, and takes no notice of one that is not imported", async () => {
    const environments = { prepare: () => Promise.reject(new Error("nothing runs here")) };
    const python = createPythonKind({ environments, contracts: noContracts, tests: noTests }) as StepKind<never>;
    const notebook = createNotebookKind({ environments } as never) as StepKind<never>;
    const cell = JSON.stringify({
      cells: [
        {
          id: "a",
          cell_type: "code",
          source: "from src.helper import f",
          metadata: {},
          outputs: [],
          execution_count: null,
        },
      ],
      metadata: { kernelspec: { name: "python3", language: "python" }, language_info: { name: "python" } },
      nbformat: 4,
      nbformat_minor: 5,
    });
    const project = await createTestProject(
      kind,
      {
        "pipelines/work.yaml": "steps:\n  script: { python: clean.py }\n  train: { notebook: train.ipynb }\n",
        "clean.py": "import src.helper\n",
        "train.ipynb": cell,
        "src/helper.py": "def f(): return 1\n",
        "other.py": "",
      },
      [python, notebook],
    );
    const keyOf = async (step: string): Promise<string | undefined> =>
      (await why({ past: createPastRuns(project.store), loaded: await project.load(), step })).key;
    const before = [await keyOf("script"), await keyOf("train")];
    await project.write("other.py", "# a comment\n");
    assert.deepEqual([await keyOf("script"), await keyOf("train")], before);
    await project.write("src/helper.py", "def f(): return -1\n");
    const after = [await keyOf("script"), await keyOf("train")];
    assert.ok(after[0] !== before[0] && after[1] !== before[1]);
    const { steps } = await plan({
      past: createPastRuns(project.store),
      loaded: await project.load(),
      pipeline: "work",
    });
    assert.deepEqual(
      steps.map(({ action }) => action),
      ["run", "run"],
    );
  });
});

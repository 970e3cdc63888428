import assert from "node:assert/strict";
import { rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { digestOf, isEsteiraError } from "#base";
import { createGit, createPythonKind, createWorkspace } from "#executors";
import { type AssetVersion, getAssetVersion } from "#metadata-store";
import { listStepRuns } from "#metadata-store/engine";
import { getPipelineRun } from "#engine";
import { parseRecipe, parseStepRecipe, type Recipe, recipeOf, type StepKind } from "#pipeline";
import { combineRecipes, digestOfRecipe, formatRecipe, toStepRecipe } from "../../src/pipeline/plan/recipe.ts";
import { noContracts, noTests, testEnvironments } from "../setup/attempt.ts";
import { createTestProject, testPorts, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const git = createGit({ environment: process.env as Record<string, string> });
const python = createPythonKind({
  environments: testEnvironments,
  contracts: noContracts,
  tests: noTests,
}) as StepKind<never>;

const SCRIPT = `import esteira, helper
esteira.output("numbers").joinpath("n.txt").write_text(str(helper.value()))
`;

async function openProject(kind: "sqlite" | "postgres", isClosed = true) {
  const project = await createTestProject(
    kind,
    {
      "jobs/make.py": SCRIPT,
      "jobs/helper.py": "def value():\n    return 1\n",
      "notes.py": "x = 1\n",
      "pipelines/work.yaml": "steps:\n  numbers: { python: jobs/make.py, makes: report }\n",
    },
    [python],
  );
  const engine = project.engine({
    ports: {
      ...testPorts,
      closedWorkspaces: isClosed,
      createWorkspace: (request) => createWorkspace({ ...request, leaveOut: [] }, git),
    },
  });
  const run = async () => {
    await project.register();
    return engine.runToEnd(await engine.submit({ pipeline: "work", actor: "ana" }));
  };
  return { project, run };
}

async function latest(project: TestProject, asset: string): Promise<AssetVersion> {
  const version = await project.store.read((tx) => getAssetVersion(tx, { project: "p", asset }));
  assert.ok(version !== undefined);
  return version;
}

async function stepsOf(project: TestProject, id: string): Promise<readonly (readonly [string, boolean])[]> {
  const steps = await project.store.read((tx) => listStepRuns(tx, { pipelineRunId: id }));
  return steps.map(({ status, cached }) => [status, cached] as const);
}

async function recipeOfLatest(project: TestProject, asset: string): Promise<Recipe> {
  const digest = recipeOf(await latest(project, asset));
  assert.ok(digest !== undefined, `${asset} names no recipe`);
  return parseRecipe((await project.objects.get(digest)).toString("utf8"));
}

describe("a recipe", () => {
  const step = (kind: string) =>
    digestOfRecipe(toStepRecipe({ kind, declaration: null, params: {}, env: {}, files: {}, code: undefined }));

  it("names the steps behind a result by asset, and leaves out its own past", () => {
    const raw = combineRecipes({ asset: "raw", step: step("capture") }, []);
    const first = combineRecipes({ asset: "model", step: step("train") }, [{ asset: "raw", recipe: raw }]);
    const labels = combineRecipes({ asset: "labels", step: step("sql") }, [{ asset: "model", recipe: first }]);
    const changed = combineRecipes({ asset: "model", step: step("train 2") }, [{ asset: "labels", recipe: labels }]);
    assert.deepEqual(Object.keys(changed.steps).toSorted(), ["labels", "model", "raw"]);
    assert.deepEqual(changed.steps["model"], [step("train 2")]);
    const again = combineRecipes({ asset: "model", step: step("train") }, [{ asset: "labels", recipe: labels }]);
    const once = combineRecipes({ asset: "model", step: step("train") }, [
      {
        asset: "labels",
        recipe: combineRecipes({ asset: "labels", step: step("sql") }, [{ asset: "model", recipe: again }]),
      },
    ]);
    assert.equal(digestOfRecipe(once), digestOfRecipe(again));
  });

  it("lets a version without one stand for itself", () => {
    const recipe = combineRecipes({ asset: "model", step: step("train") }, [{ asset: "raw", version: digestOf("v1") }]);
    assert.deepEqual(recipe.versions, { raw: [digestOf("v1")] });
    assert.deepEqual(parseRecipe(formatRecipe(recipe)), recipe);
  });

  it("of another format is refused", () => {
    assert.throws(
      () => parseRecipe('{"format":"recipe/9"}'),
      (error) => isEsteiraError(error, "PIPELINE_RECIPE_INVALID"),
    );
  });
});

describeStores("the recipe of what a step makes", (kind) => {
  it("is recorded with the version, and kept with the bytes of every file in it", async () => {
    const { project, run } = await openProject(kind);
    assert.equal((await run()).status, "succeeded");
    const recipe = await recipeOfLatest(project, "numbers");
    assert.deepEqual(
      recipe.environments["numbers"]?.map(({ platform }) => platform),
      [`${process.platform}-${process.arch}`],
    );
    const [own] = recipe.steps["numbers"] ?? [];
    assert.ok(own !== undefined);
    const step = parseStepRecipe((await project.objects.get(own)).toString("utf8"));
    assert.deepEqual(Object.keys(step.files), ["jobs/helper.py", "jobs/make.py"]);
    const script = step.files["jobs/make.py"];
    assert.ok(script !== undefined && script !== null);
    assert.equal((await project.objects.get(script)).toString("utf8"), SCRIPT);
  });

  it("does not change with a file that the step does not read, and does with one that it imports", async () => {
    const { project, run } = await openProject(kind);
    await run();
    const before = recipeOf(await latest(project, "numbers"));
    await project.write("notes.py", "x = 2\n");
    const again = await run();
    assert.deepEqual(await stepsOf(project, again.id), [["succeeded", true]]);
    assert.equal(recipeOf(await latest(project, "numbers")), before);
    await project.write("jobs/helper.py", "def value():\n    return 2\n");
    await run();
    assert.notEqual(recipeOf(await latest(project, "numbers")), before);
  });

  it("changes with what the step reaches and the secrets it gets", async () => {
    const { project, run } = await openProject(kind);
    const cached = [];
    for (const more of ["", ", network: [pypi.org]", ", network: platform", ", secrets: [TOKEN]", ""]) {
      await project.write("pipelines/work.yaml", `steps:\n  numbers: { python: jobs/make.py, makes: report${more} }\n`);
      cached.push(...(await stepsOf(project, (await run()).id)));
    }
    assert.deepEqual(cached, [...Array.from({ length: 4 }, () => ["succeeded", false]), ["succeeded", true]]);
  });

  it("holds all that can run: neither a computed import nor a file that is opened reaches another", async () => {
    const { project, run } = await openProject(kind);
    for (const body of [
      "return __import__('no' + 'tes').x",
      "return open('notes.py').read()",
      "import site; site.addsitedir('.'); import hidden; return hidden.x",
    ]) {
      await project.write("hidden/hidden.py", "x = 1\n");
      await project.write("paths.pth", "hidden\n");
      await project.write("jobs/helper.py", `def value():\n    ${body}\n`);
      assert.equal((await run()).status, "failed", body);
    }
    await project.write(
      "pipelines/work.yaml",
      "steps:\n  numbers: { python: jobs/make.py, makes: report, files: notes.py }\n",
    );
    await project.write("jobs/helper.py", "def value():\n    return open('notes.py').read()\n");
    assert.equal((await run()).status, "succeeded");
    const before = recipeOf(await latest(project, "numbers"));
    await project.write("notes.py", "x = 3\n");
    await run();
    assert.notEqual(recipeOf(await latest(project, "numbers")), before);
  });

  it("has the bytes behind a link, not its name", async () => {
    const { project, run } = await openProject(kind);
    await project.write("jobs/real.py", "def value():\n    return 1\n");
    await rm(join(project.projectFolder, "jobs/helper.py"));
    await symlink("real.py", join(project.projectFolder, "jobs/helper.py"));
    assert.equal((await run()).status, "succeeded");
    const before = recipeOf(await latest(project, "numbers"));
    await writeFile(join(project.projectFolder, "jobs/real.py"), "def value():\n    return 2\n");
    await run();
    assert.notEqual(recipeOf(await latest(project, "numbers")), before);
  });

  it("is what ran: a file that changes between hashing and copying is refused", async () => {
    const { project } = await openProject(kind);
    await project.register();
    const engine = project.engine({
      ports: {
        ...testPorts,
        closedWorkspaces: true,
        async createWorkspace(request) {
          await project.write("jobs/helper.py", "def value():\n    return -1\n");
          return createWorkspace({ ...request, leaveOut: [] }, git);
        },
      },
    });
    const run = await engine.runToEnd(await engine.submit({ pipeline: "work", actor: "ana" }));
    assert.equal(run.status, "failed");
    const detail = await getPipelineRun(project.store, run.id);
    assert.match(JSON.stringify(detail), /PIPELINE_SOURCES_CHANGED/);
  });
});

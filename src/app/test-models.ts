import { rm } from "node:fs/promises";
import { join } from "node:path";
import { newId } from "#base";
import type { UnitTestResult } from "#data";
import type { ProjectFiles, StepDefinition } from "#pipeline";
import type { Platform } from "./platform.ts";

/** Unit tests of one step. */
export interface TestedModelResult {
  readonly pipeline: string;
  readonly step: string;
  readonly results: readonly (UnitTestResult & {
    /** For people: its name, and the rows that differ. */
    readonly lines: readonly string[];
  })[];
}

/**
 * Runs the unit tests of SQL and Python models: of the named steps, or of all. No dataset is read or written.
 *
 * @throws PIPELINE_DEFINITION_INVALID, PIPELINE_STEP_UNKNOWN, DATA_UNIT_TESTS_INVALID
 */
export async function testModels(
  platform: Platform,
  request: { readonly steps: readonly string[]; readonly only?: string | undefined; readonly signal?: AbortSignal },
): Promise<readonly TestedModelResult[]> {
  const [{ assertValid, createProjectFiles, stepUnknown }, { describeResult, testSqlStep }] = await Promise.all([
    import("#pipeline"),
    import("#data"),
  ]);
  const loaded = assertValid(await platform.loadProject());
  const files = createProjectFiles(loaded.projectFolder);
  const all = loaded.pipelines.flatMap(({ name, steps }) => steps.map((step) => ({ pipeline: name, step })));
  const unknown = request.steps.find((name) => !all.some(({ step }) => step.name === name));
  if (unknown !== undefined) throw stepUnknown({ step: unknown, steps: all.map(({ step }) => step.name) });
  const tested: TestedModelResult[] = [];
  for (const { pipeline, step } of all) {
    if (request.steps.length > 0 && !request.steps.includes(step.name)) continue;
    const of = { ...request, project: loaded.project, projectFolder: loaded.projectFolder, pipeline, step, files };
    const results =
      step.kind === "sql"
        ? await testSqlStep(platform, { ...of, step: step.name, declaration: step.declaration })
        : await testPythonStep(platform, of);
    if (results !== undefined)
      tested.push({
        pipeline,
        step: step.name,
        results: results.map((result) => ({ ...result, lines: describeResult(result) })),
      });
  }
  return tested;
}

/** Runs the unit tests of a script on this machine. Undefined for other steps, and those without tests. */
async function testPythonStep(
  platform: Platform,
  of: {
    readonly project: string;
    readonly projectFolder: string;
    readonly pipeline: string;
    readonly step: StepDefinition;
    readonly files: ProjectFiles;
    readonly only?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly UnitTestResult[] | undefined> {
  const { project, projectFolder, pipeline, step, files, only, signal } = of;
  if (step.kind !== "python") return undefined;
  const [{ createAnalysisContext }, { testScriptStep }, { pythonSchema, runScriptOnce }] = await Promise.all([
    import("#pipeline"),
    import("#data"),
    import("#executors"),
  ]);
  const declaration = pythonSchema.parse(step.declaration);
  const { tests } = declaration;
  if (tests === undefined) return undefined;
  const kind = platform.kinds.find(({ name }) => name === step.kind);
  const knownAssets = new Map([...step.inputs, ...step.makes].map(({ asset }) => [asset, "data" as const]));
  const context = createAnalysisContext({ project, files, step: step.name, knownAssets });
  const needed = (await kind?.analyse(declaration as never, context))?.files ?? [];
  const [executor] = platform.executors;
  const folder = join(platform.config.storeFolder, "work", `test-${newId()}`);
  try {
    return await testScriptStep(platform, {
      project,
      step: step.name,
      tests,
      reads: step.inputs.flatMap(({ asset, role }) => (role === "input" ? [asset] : [])),
      files,
      folder,
      only,
      signal,
      run: (given) =>
        runScriptOnce(
          { environments: platform.environments, executor },
          {
            ...given,
            id: `test-${newId()}`,
            project,
            pipeline,
            step: step.name,
            declaration,
            projectFolder,
            files: needed,
            env: step.env,
            limits: step.limits,
            timeoutMs: step.timeoutMs,
            params: { ...step.params, ...given.params },
            signal,
          },
        ),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

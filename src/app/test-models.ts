import type { UnitTestResult } from "#data";
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
 * Runs the unit tests of SQL models: of the named steps, or of all. Nothing is written.
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
    if (step.kind !== "sql" || (request.steps.length > 0 && !request.steps.includes(step.name))) continue;
    const results = await testSqlStep(platform, {
      project: loaded.project,
      step: step.name,
      declaration: step.declaration,
      files,
      only: request.only,
      signal: request.signal,
    });
    if (results !== undefined)
      tested.push({
        pipeline,
        step: step.name,
        results: results.map((result) => ({ ...result, lines: describeResult(result) })),
      });
  }
  return tested;
}

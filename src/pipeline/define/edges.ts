import type { LocatedProblem } from "#base";
import type { Problem } from "../step-kind.ts";
import type { CompiledStep } from "./compile-step.ts";
import type { CompiledPipeline } from "./load-project.ts";
import { placeInStep, placeStepProblems } from "./parse-pipeline.ts";
import { nearestHint } from "./schema-problems.ts";

/** For each pipeline, each step with the steps it depends on. */
export type Edges = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/**
 * Finds who makes what and joins the steps: by what they read, by `needs`, by the facts they use, and each deploy
 * behind its tests.
 */
export function inferEdges(pipelines: readonly CompiledPipeline[]): {
  readonly edges: Edges;
  readonly problems: readonly LocatedProblem[];
} {
  const problems: LocatedProblem[] = [];
  const makers = findMakers(pipelines, problems);
  const edges = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const pipeline of pipelines) {
    const ofPipeline = new Map<string, readonly string[]>();
    const facts = {
      pipeline,
      makers,
      undone: pipeline.steps.some((step) => step.parsed === undefined),
      tests: findTests(pipeline),
    };
    for (const step of pipeline.steps) {
      const found = new Set<string>();
      const report = (list: readonly Problem[]) =>
        problems.push(...placeStepProblems(pipeline.parsed, step.name, list));
      addStated(facts, step, { found, report });
      addInputs(facts, step.name, { found, report });
      addTests(facts, step, found);
      checkFinal(facts, step.name, { found, report });
      ofPipeline.set(step.name, [...found].sort());
    }
    addFinal(pipeline, ofPipeline);
    edges.set(pipeline.parsed.name, ofPipeline);
  }
  return { edges, problems };
}

interface Maker {
  readonly pipeline: string;
  readonly step: string;
}

function findMakers(pipelines: readonly CompiledPipeline[], problems: LocatedProblem[]): ReadonlyMap<string, Maker> {
  const makers = new Map<string, Maker>();
  for (const pipeline of pipelines) {
    for (const step of pipeline.steps) {
      const makes = pipeline.analyses.get(step.name)?.makes ?? [];
      const place = placeInStep(pipeline.parsed, step.name, [], true);
      if (makes.length > 0 && step.matrix !== undefined)
        problems.push({
          ...place,
          message: `step "${step.name}" has a matrix and makes "${makes[0]?.asset}": its combinations would overwrite each other`,
          hint: "Make one step for each, or leave makes out.",
        });
      if (makes.length > 0 && step.keys.for_each !== undefined)
        problems.push({
          ...place,
          message: `step "${step.name}" has for_each and makes "${makes[0]?.asset}": its items would overwrite each other`,
          hint: "Give outputs, and make one version in a step that follows.",
        });
      for (const { asset } of makes) {
        const other = makers.get(asset);
        if (other === undefined) makers.set(asset, { pipeline: pipeline.parsed.name, step: step.name });
        else
          problems.push({
            ...place,
            message: `"${asset}" is made twice: by step "${step.name}" here and by step "${other.step}" of pipeline "${other.pipeline}"`,
            hint: "An asset has one maker: rename one of the steps.",
          });
      }
    }
  }
  return makers;
}

interface PipelineFacts {
  readonly pipeline: CompiledPipeline;
  readonly makers: ReadonlyMap<string, Maker>;
  /** A step has mistakes, so that what it would make is not known. */
  readonly undone: boolean;
  /** What is tested, with the steps that test it. */
  readonly tests: ReadonlyMap<string, readonly string[]>;
}

interface Finding {
  readonly found: Set<string>;
  readonly report: (problems: readonly Problem[]) => void;
}

function addStated(
  { pipeline: { parsed } }: PipelineFacts,
  { stated }: CompiledStep,
  { found, report }: Finding,
): void {
  for (const { step, path } of stated) {
    if (parsed.stepNames.has(step)) found.add(step);
    // A step that an expression names was checked with the expression.
    else if (path[0] === "needs")
      report([
        {
          path,
          message: `there is no step "${step}" in this pipeline`,
          hint: nearestHint(step, parsed.stepNames, "Steps"),
        },
      ]);
  }
}

function addInputs({ pipeline, makers, undone }: PipelineFacts, name: string, { found, report }: Finding): void {
  for (const input of pipeline.analyses.get(name)?.inputs ?? []) {
    const maker = makers.get(input.asset);
    if (maker !== undefined) {
      // A step that reads what it makes reads its version before.
      if (maker.pipeline === pipeline.parsed.name && maker.step !== name) found.add(maker.step);
      continue;
    }
    // What a step with mistakes would have made is not known: its own mistakes are told first.
    if (undone && pipeline.parsed.stepNames.has(input.asset)) continue;
    const sibling = pipeline.parsed.origins.get(name)?.siblings.has(input.asset) === true;
    report([
      {
        path: input.path,
        isMissed: true,
        message: `no step makes "${input.asset}", which step "${name}" reads`,
        hint: sibling
          ? `A step of the same part is named \${{ part.steps.${input.asset} }}.`
          : nearestHint(input.asset, makers.keys(), "Assets"),
      },
    ]);
  }
}

function findTests(pipeline: CompiledPipeline): ReadonlyMap<string, readonly string[]> {
  const tests = new Map<string, string[]>();
  for (const { name, known, declaration } of pipeline.steps) {
    const subject = known?.kind.name === "test" ? declaration["test"] : undefined;
    if (typeof subject !== "string") continue;
    const of = tests.get(subject) ?? [];
    of.push(name);
    tests.set(subject, of);
  }
  return tests;
}

/** What is deployed waits for every test of it. */
function addTests({ tests }: PipelineFacts, { known, declaration }: CompiledStep, found: Set<string>): void {
  const subject = known?.kind.name === "deploy" ? declaration["deploy"] : undefined;
  if (typeof subject === "string") for (const test of tests.get(subject) ?? []) found.add(test);
}

/** What runs after all others cannot be waited for by one of them. */
function checkFinal({ pipeline: { parsed } }: PipelineFacts, name: string, { found, report }: Finding): void {
  if (parsed.finalSteps.has(name)) return;
  for (const need of found) {
    if (!parsed.finalSteps.has(need)) continue;
    found.delete(need);
    report([
      {
        path: ["needs"],
        message: `step "${name}" waits for "${need}", which stands in finally and runs after all others`,
        hint: "Put the step into finally too, or the other into steps.",
      },
    ]);
  }
}

/** The steps of `finally` wait for every end of the others. */
function addFinal({ parsed, steps }: CompiledPipeline, edges: Map<string, readonly string[]>): void {
  if (parsed.finalSteps.size === 0) return;
  const others = steps.filter(({ name }) => !parsed.finalSteps.has(name));
  const waitedFor = new Set(others.flatMap(({ name }) => edges.get(name) ?? []));
  const ends = others.filter(({ name }) => !waitedFor.has(name)).map(({ name }) => name);
  for (const name of parsed.finalSteps) edges.set(name, [...new Set([...(edges.get(name) ?? []), ...ends])].sort());
}

import type { LocatedProblem } from "#base";
import type { Problem } from "../step-kind.ts";
import type { CompiledPipeline } from "./load-project.ts";
import { placeProblems } from "./parse-pipeline.ts";
import { nearestHint } from "./schema-problems.ts";

/** For each pipeline, each step with the steps it depends on. */
export type Edges = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Finds who makes what and joins the steps: by what they read, by `needs`, by the facts they use, and each deploy behind its tests. */
export function inferEdges(pipelines: readonly CompiledPipeline[]): { readonly edges: Edges; readonly problems: readonly LocatedProblem[] } {
  const problems: LocatedProblem[] = [];
  const makers = findMakers(pipelines, problems);
  const edges = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const pipeline of pipelines) {
    const ofPipeline = new Map<string, readonly string[]>();
    for (const step of pipeline.steps) {
      const found = new Set<string>();
      const report = (list: readonly Problem[]) => problems.push(...placeProblems(pipeline.parsed.yaml, ["steps", step.name], list));
      addStated(pipeline, step.name, found, report);
      addInputs(pipeline, step.name, { makers, found, report });
      addTests(pipeline, step.name, found);
      ofPipeline.set(step.name, [...found].sort());
    }
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
      const place = pipeline.parsed.yaml.atKey(["steps", step.name]);
      if (makes.length > 0 && step.matrix !== undefined) problems.push({ ...place, message: `step "${step.name}" has a matrix and makes "${makes[0]?.asset}": its combinations would overwrite each other`, hint: "Make one step for each, or leave makes out." });
      for (const { asset } of makes) {
        const other = makers.get(asset);
        if (other === undefined) makers.set(asset, { pipeline: pipeline.parsed.name, step: step.name });
        else problems.push({ ...place, message: `"${asset}" is made twice: by step "${step.name}" here and by step "${other.step}" of pipeline "${other.pipeline}"`, hint: "An asset has one maker: rename one of the steps." });
      }
    }
  }
  return makers;
}

type Report = (problems: readonly Problem[]) => void;

function addStated(pipeline: CompiledPipeline, name: string, found: Set<string>, report: Report): void {
  const names = pipeline.steps.map((step) => step.name);
  for (const { step, path } of pipeline.steps.find((one) => one.name === name)?.stated ?? []) {
    if (names.includes(step)) found.add(step);
    // A step that an expression names was checked with the expression.
    else if (path[0] === "needs") report([{ path, message: `there is no step "${step}" in this pipeline`, hint: nearestHint(step, names, "Steps") }]);
  }
}

function addInputs(pipeline: CompiledPipeline, name: string, facts: { readonly makers: ReadonlyMap<string, Maker>; readonly found: Set<string>; readonly report: Report }): void {
  const undone = pipeline.steps.some((step) => step.parsed === undefined);
  for (const input of pipeline.analyses.get(name)?.inputs ?? []) {
    const maker = facts.makers.get(input.asset);
    if (maker !== undefined) {
      // A step that reads what it makes reads its version before.
      if (maker.pipeline === pipeline.parsed.name && maker.step !== name) facts.found.add(maker.step);
      continue;
    }
    // What a step with mistakes would have made is not known: its own mistakes are told first.
    if (undone && pipeline.steps.some((step) => step.name === input.asset)) continue;
    facts.report([{ path: input.path, message: `no step makes "${input.asset}", which step "${name}" reads`, hint: nearestHint(input.asset, facts.makers.keys(), "Assets") }]);
  }
}

/** What is deployed waits for every test of it. */
function addTests(pipeline: CompiledPipeline, name: string, found: Set<string>): void {
  const step = pipeline.steps.find((one) => one.name === name);
  if (step?.known?.kind.name !== "deploy") return;
  for (const other of pipeline.steps) {
    if (other.known?.kind.name === "test" && other.declaration["test"] === step.declaration["deploy"]) found.add(other.name);
  }
}

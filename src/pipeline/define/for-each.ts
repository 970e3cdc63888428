import type { Json } from "#base";
import type { Problem } from "../step-kind.ts";
import type { ForEachDefinition } from "./definition.ts";
import type { StepKeys } from "./keys.ts";

/** Names that an expression and a shell can read. */
const OUTPUT_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
const EXPRESSION = /^\s*\$\{\{[\s\S]*\}\}\s*$/;
const HOW = "Give a list, ${{ steps.x.outputs.y }}, { lines: ${{ steps.x.outputs.y }} }, or { files: GLOB }.";

/** What is wrong with the keys that run a step more than once, and with its outputs. */
export function forEachProblems(keys: StepKeys): readonly Problem[] {
  return [...itemsProblems(keys), ...limitProblems(keys), ...outputProblems(keys)];
}

function itemsProblems({ for_each: stated, matrix }: StepKeys): readonly Problem[] {
  if (stated === undefined) return [];
  const problems: Problem[] = [];
  if (matrix !== undefined)
    problems.push({
      path: ["for_each"],
      message: "the step has a matrix and for_each",
      hint: "Take one of them; items may be maps: ${{ item.name }}.",
    });
  if (Array.isArray(stated)) return problems;
  const sources = typeof stated === "string" ? { items: stated } : stated;
  const given = Object.entries(sources).filter(([, value]) => value !== undefined);
  if (given.length !== 1)
    problems.push({
      path: ["for_each"],
      message: `found ${given.length === 0 ? "nothing" : given.map(([key]) => key).join(" and ")}, expected one of items, lines, files`,
      hint: HOW,
    });
  const { items } = sources;
  if (typeof items === "string" && !EXPRESSION.test(items))
    problems.push({
      path: typeof stated === "string" ? ["for_each"] : ["for_each", "items"],
      message: `found the text ${JSON.stringify(items.slice(0, 60))}, expected a list or an expression that gives one`,
      hint: HOW,
    });
  return problems;
}

function limitProblems(keys: StepKeys): readonly Problem[] {
  const isMany = keys.for_each !== undefined || keys.matrix !== undefined;
  const alone = (["max_parallel", "fail_fast"] as const).filter((key) => keys[key] !== undefined && !isMany);
  const problems: Problem[] = alone.map((key) => ({
    path: [key],
    message: `${key} says how combinations or items run, and the step has neither`,
    hint: "Give it a matrix or for_each, or take this out.",
  }));
  if (keys.max_parallel !== undefined && keys.concurrency !== undefined)
    problems.push({
      path: ["max_parallel"],
      message: "the step has max_parallel and concurrency",
      hint: "Take max_parallel for a limit within a run, concurrency for one over all runs.",
    });
  return problems;
}

function outputProblems({ outputs }: StepKeys): readonly Problem[] {
  const names = outputs === undefined ? [] : typeof outputs === "string" ? [outputs] : outputs;
  return names.flatMap((name, index) =>
    OUTPUT_NAME.test(name)
      ? []
      : [
          {
            path: ["outputs", ...(typeof outputs === "string" ? [] : [index])],
            message: `${JSON.stringify(name)} cannot name an output`,
            hint: "Letters, digits, _ and -, beginning with a letter or _, at most 100.",
          },
        ],
  );
}

/** The stored form of `for_each`. */
export function toForEach(stated: NonNullable<StepKeys["for_each"]>): ForEachDefinition {
  if (typeof stated === "string" || Array.isArray(stated)) return { items: stated as Json };
  const { items, lines, files } = stated;
  return {
    ...(items === undefined ? {} : { items: items as Json }),
    ...(lines === undefined ? {} : { lines }),
    ...(files === undefined ? {} : { files: typeof files === "string" ? [files] : files }),
  };
}

/** A value that stands for the item while a definition is checked. */
export function sampleItem({ for_each: stated }: StepKeys): Readonly<Record<string, Json>> {
  if (stated === undefined) return {};
  const items = Array.isArray(stated) ? stated : typeof stated === "object" ? stated.items : undefined;
  return Array.isArray(items) ? { item: (items[0] ?? null) as Json } : {};
}

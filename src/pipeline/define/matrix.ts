import type { Json } from "#base";
import type { Problem } from "../step-kind.ts";
import type { StepKeys } from "./keys.ts";

const LARGEST = 10_000;

type Entry = Readonly<Record<string, Json>>;

/** Every combination of a matrix, `exclude` taken out and `include` added; undefined without a matrix. */
export function expandMatrix(matrix: StepKeys["matrix"], problems: Problem[]): readonly Entry[] | undefined {
  if (matrix === undefined) return undefined;
  const axes = Object.entries(matrix).filter(([key]) => key !== "include" && key !== "exclude") as [string, Json[]][];
  const size = axes.reduce((product, [, values]) => product * values.length, 1);
  if (size > LARGEST) {
    problems.push({
      path: ["matrix"],
      message: `the matrix has ${size} combinations, at most ${LARGEST} are allowed`,
      hint: "Split the step, or take values out.",
    });
    return undefined;
  }
  for (const [axis, values] of axes) {
    const wrong = values.findIndex((value) => typeof value === "object" && value !== null);
    if (wrong >= 0)
      problems.push({
        path: ["matrix", axis, wrong],
        message: "found a map, expected a single value",
        hint: "Only include and exclude hold maps.",
      });
  }
  let entries: Entry[] = axes.length === 0 ? [] : [{}];
  for (const [axis, values] of axes)
    entries = entries.flatMap((entry) => values.map((value) => ({ ...entry, [axis]: value })));
  const excluded = (matrix["exclude"] ?? []) as Entry[];
  const kept = entries.filter(
    (entry) => !excluded.some((one) => Object.entries(one).every(([key, value]) => entry[key] === value)),
  );
  const all = [...kept, ...((matrix["include"] ?? []) as Entry[])];
  if (all.length === 0)
    problems.push({
      path: ["matrix"],
      message: "the matrix has no combination",
      hint: "Give it at least one list of values.",
    });
  return all;
}

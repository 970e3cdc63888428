import type { FilePosition, LocatedProblem, YamlDocument } from "#base";
import type { Problem } from "../step-kind.ts";

/** Gives problems of a part of a file their place. */
export function placeProblems(
  yaml: YamlDocument,
  prefix: readonly (string | number)[],
  problems: readonly Problem[],
): readonly LocatedProblem[] {
  return problems.map((problem) => placeProblem(problem, (path, isKey) => placeIn(yaml, [...prefix, ...path], isKey)));
}

/** Gives a problem the place that its path has. */
export function placeProblem(
  { path, message, hint, at, isMissed }: Problem,
  placeOf: (path: Problem["path"], isKey: boolean) => FilePosition,
): LocatedProblem {
  return {
    ...(at ?? placeOf(path, message.startsWith("unknown key"))),
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(isMissed === undefined ? {} : { isMissed }),
  };
}

export function placeIn(yaml: YamlDocument, path: readonly (string | number)[], isKey: boolean): FilePosition {
  return isKey ? yaml.atKey(path) : yaml.at(path);
}

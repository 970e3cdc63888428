import type { Json } from "#base";
import type { Problem } from "../step-kind.ts";
import { type Expression, parseExpression } from "./expression.ts";
import { wholeExpression } from "./interpolate.ts";
import { isJsonMap } from "./json-map.ts";
import { type Part, valueProblems } from "./part-file.ts";
import type { Replacement } from "./rewrite-step.ts";
import { nearestHint } from "./schema-problems.ts";

/** Values of the inputs of a part; what is wrong with them is told at the use. */
export function inputsOf(given: Json | undefined, part: Part, problems: Problem[]): Readonly<Record<string, Json>> {
  const stated = isJsonMap(given) ? given : {};
  if (given !== undefined && stated !== given)
    problems.push({ path: ["with"], message: "expected a map of inputs", hint: "with: { NAME: VALUE }." });
  const names = Object.keys(part.inputs);
  for (const name of Object.keys(stated))
    if (!Object.hasOwn(part.inputs, name))
      problems.push({
        path: ["with", name],
        message: `${part.yaml.file} has no input "${name}"`,
        hint: nearestHint(name, names, "Its inputs"),
      });
  return Object.fromEntries(
    Object.entries(part.inputs).map(([name, input]) => {
      const value = Object.hasOwn(stated, name) ? stated[name] : undefined;
      if (value === undefined) {
        if (input.isRequired)
          problems.push({
            path: given === undefined ? ["uses"] : ["with"],
            message: `input "${name}" of ${part.yaml.file}:${part.yaml.at(["inputs", name]).line} is missing`,
            hint: `Give it: with: { ${name}: ${input.type === "any" ? "VALUE" : `a ${input.type}`} }.`,
          });
        return [name, input.default ?? null];
      }
      problems.push(...givenProblems(name, value, { input, part }));
      return [name, value];
    }),
  );
}

/** What an expression will be is known only in a run; it cannot be one of a list of values. */
function givenProblems(
  name: string,
  value: Json,
  { input, part }: { readonly input: Part["inputs"][string]; readonly part: Part },
): readonly Problem[] {
  const found =
    typeof value !== "string" || !value.includes("${{")
      ? valueProblems(name, input, value)
      : input.values === undefined
        ? []
        : [
            {
              path: [name],
              message: `input "${name}" takes one of a list of values, and an expression may give any`,
              hint: `Write one of ${input.values.map((one) => JSON.stringify(one)).join(", ")}.`,
            },
          ];
  const declared = `${part.yaml.file}:${part.yaml.at(["inputs", name]).line}`;
  return found.map((problem) => ({
    ...problem,
    path: ["with", ...problem.path],
    message: `${problem.message} (declared in ${declared})`,
  }));
}

/** What `inputs.NAME` stands for. */
export function replaceInput(
  [, name = "", ...members]: readonly string[],
  inputs: Readonly<Record<string, Json>>,
  tell: (message: string, hint: string) => void,
): Replacement | undefined {
  if (!Object.hasOwn(inputs, name)) {
    tell(`the part has no input "${name}"`, nearestHint(name, Object.keys(inputs), "Its inputs"));
    return undefined;
  }
  const value = inputs[name] ?? null;
  const expression = typeof value === "string" ? givenExpression(value) : undefined;
  if (expression === undefined) return toReplacement(memberOf(value, members));
  return members.length === 0 || expression.type !== "path"
    ? { expression }
    : { expression: { type: "path", path: [...expression.path, ...members] } };
}

function memberOf(value: Json, [name, ...names]: readonly string[]): Json {
  if (name === undefined) return value;
  return isJsonMap(value) && Object.hasOwn(value, name) ? memberOf(value[name] ?? null, names) : null;
}

/** A text with expressions in it, a list and a map are no part of an expression. */
function toReplacement(value: Json): Replacement {
  const isPlain = typeof value === "string" ? !value.includes("${{") : typeof value !== "object" || value === null;
  return isPlain ? { expression: { type: "literal", value } } : { value };
}

function givenExpression(text: string): Expression | undefined {
  const source = wholeExpression(text);
  try {
    return source === undefined ? undefined : parseExpression(source);
  } catch {
    // Told where the use is read.
    return undefined;
  }
}

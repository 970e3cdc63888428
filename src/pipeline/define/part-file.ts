import { z } from "zod";
import { type Json, type LocatedProblem, parseYaml, type YamlDocument } from "#base";
import type { Problem } from "../step-kind.ts";
import type { ProjectFiles } from "./project-files.ts";
import { placeProblems } from "./place-problems.ts";
import { explainIssues, type JsonSchema, toInputSchema } from "./schema-problems.ts";

/** Where the parts of a project are. */
export const PARTS_FOLDER = "pipelines/parts/";
export const INPUT_TYPES = ["string", "number", "boolean", "list", "map", "any"] as const;
export type InputType = (typeof INPUT_TYPES)[number];

/** What a part is given where it is used. */
export interface PartInput {
  readonly type: InputType;
  readonly isRequired: boolean;
  readonly default?: Json;
  readonly values?: readonly Json[];
}

/** A file of `pipelines/parts/`: one step, or several, with inputs. Expressions are still in place. */
export interface Part {
  readonly yaml: YamlDocument;
  readonly inputs: Readonly<Record<string, PartInput>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** By name; that of a part with a single step is empty. */
  readonly steps: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly isSingle: boolean;
  /** The step that takes the name under which the part is used. */
  readonly makes: string | undefined;
}

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
/** Whatever YAML holds. */
const json = z.custom<Json>(() => true);
const step = z.record(z.string(), json);
const inputKeys = z.strictObject({
  type: z.enum(INPUT_TYPES).optional().describe("Default: that of its default or its values, else any."),
  default: json.optional().describe("Taken where the use gives none."),
  required: z.boolean().optional().describe("Default: true where there is no default."),
  enum: z.array(scalar).min(1).optional().describe("The only values that it may have."),
  description: z.string().optional(),
});

/** Keys of a part. */
export const partKeys = z.strictObject({
  description: z.string().optional(),
  inputs: z
    .record(z.string(), z.union([scalar, z.array(json), inputKeys]))
    .optional()
    .describe("What a use gives with `with`: a default, or type, default, required, enum. Read as ${{ inputs.NAME }}."),
  outputs: z
    .record(z.string(), z.string())
    .optional()
    .describe("What steps beside the use read of it: NAME: ${{ steps.STEP.outputs.NAME }}."),
  makes: z.string().optional().describe("Its step that takes the name under which the part is used."),
  step: step.optional().describe("The one step of the part; it takes the name under which the part is used."),
  steps: z
    .record(z.string(), step)
    .optional()
    .describe("Several steps; each is called USE_STEP where the part is used as USE."),
});
type PartKeys = z.infer<typeof partKeys>;

const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
const NAME_HINT = "Letters, digits, _ and -, beginning with a letter or _, at most 100.";
let schema: JsonSchema | undefined;

/** Reads one file of `pipelines/parts/`; the part is undefined when its shape is wrong. */
function parsePart(
  file: string,
  text: string,
): { readonly part: Part | undefined; readonly problems: readonly LocatedProblem[] } {
  const { document: yaml, problems: unreadable } = parseYaml(text, file);
  if (unreadable.length > 0) return { part: undefined, problems: unreadable };
  const checked = partKeys.safeParse(yaml.value);
  if (!checked.success) {
    schema ??= toInputSchema(partKeys);
    return {
      part: undefined,
      problems: placeProblems(yaml, [], explainIssues(checked.error.issues, schema, yaml.value)),
    };
  }
  const keys = checked.data;
  const inputs = Object.fromEntries(Object.entries(keys.inputs ?? {}).map(([name, stated]) => [name, toInput(stated)]));
  const problems = [...shapeProblems(keys), ...Object.entries(keys.inputs ?? {}).flatMap(inputProblems)];
  if (problems.length > 0) return { part: undefined, problems: placeProblems(yaml, [], problems) };
  return {
    part: {
      yaml,
      inputs,
      outputs: keys.outputs ?? {},
      steps: keys.steps ?? { "": keys.step ?? {} },
      isSingle: keys.steps === undefined,
      makes: keys.makes,
    },
    problems: [],
  };
}

/** Reads every part of a project; one whose shape is wrong is known without its content. */
export async function readParts(files: ProjectFiles): Promise<{
  readonly parts: ReadonlyMap<string, Part | undefined>;
  readonly problems: readonly LocatedProblem[];
}> {
  const paths = [`${PARTS_FOLDER}**/*.yaml`, `${PARTS_FOLDER}**/*.yml`];
  const found = (await Promise.all(paths.map((pattern) => files.glob(pattern)))).flat();
  const read = await Promise.all(
    found.map(async (file) => ({ file, ...parsePart(file, (await files.readFile(file)) ?? "") })),
  );
  return {
    parts: new Map(read.map(({ file, part }) => [file, part])),
    problems: read.flatMap(({ problems }) => problems),
  };
}

/** Where a step stands in its part. */
export function placeInPart({ isSingle }: Part, name: string): readonly string[] {
  return isSingle ? ["step"] : ["steps", name];
}

function shapeProblems({ step: one, steps, makes, outputs }: PartKeys): readonly Problem[] {
  const problems: Problem[] = [];
  if ((one === undefined) === (steps === undefined))
    problems.push({
      path: one === undefined ? [] : ["step"],
      message: one === undefined ? "the part has neither step nor steps" : "the part has step and steps",
      hint: "Give it one of them: step for a single step, steps for several by name.",
    });
  if (one !== undefined) {
    if (makes !== undefined)
      problems.push({
        path: ["makes"],
        message: "the part has one step, which has the name of the use",
        hint: "Take makes out.",
      });
    if (outputs !== undefined)
      problems.push({
        path: ["outputs"],
        message: "the part has one step, whose outputs are its own",
        hint: "Take outputs out, or put them into the step.",
      });
  }
  const names = Object.keys(steps ?? {});
  if (steps !== undefined && names.length === 0)
    problems.push({ path: ["steps"], message: "the part has no step", hint: "Add one below steps." });
  for (const name of names)
    if (!NAME.test(name))
      problems.push({ path: ["steps", name], message: `"${name}" cannot name a step of a part`, hint: NAME_HINT });
  if (makes !== undefined && steps !== undefined && !names.includes(makes))
    problems.push({
      path: ["makes"],
      message: `the part has no step "${makes}"`,
      hint: `It has: ${names.join(", ")}.`,
    });
  return problems;
}

type Stated = NonNullable<PartKeys["inputs"]>[string];

function stateOf(stated: Stated): z.infer<typeof inputKeys> {
  if (typeof stated !== "object" || Array.isArray(stated)) return { default: stated };
  return stated ?? {};
}

function toInput(value: Stated): PartInput {
  const stated = stateOf(value);
  const sample = stated.default ?? stated.enum?.[0];
  return {
    type: stated.type ?? (sample === undefined || sample === null ? "any" : typeOf(sample)),
    isRequired: stated.required ?? stated.default === undefined,
    ...(stated.default === undefined ? {} : { default: stated.default }),
    ...(stated.enum === undefined ? {} : { values: stated.enum }),
  };
}

function inputProblems([name, value]: readonly [string, Stated]): readonly Problem[] {
  const path = ["inputs", name];
  if (!NAME.test(name)) return [{ path, message: `"${name}" cannot name an input`, hint: NAME_HINT }];
  const stated = stateOf(value);
  const input = toInput(value);
  const problems: Problem[] = [];
  if (stated.required === true && stated.default !== undefined)
    problems.push({
      path: [...path, "required"],
      message: `input "${name}" is required and has a default`,
      hint: "Take one of the two out.",
    });
  for (const one of input.values ?? [])
    if (!fits(input.type, one))
      problems.push({
        path: [...path, "enum"],
        message: `${JSON.stringify(one)} is a ${typeOf(one)}, and input "${name}" is a ${input.type}`,
      });
  if (stated.default !== undefined)
    problems.push(...valueProblems(name, input, stated.default).map((one) => ({ ...one, path })));
  return problems;
}

/** What is wrong with a value that an input is given. */
export function valueProblems(name: string, input: PartInput, value: Json): readonly Problem[] {
  if (!fits(input.type, value))
    return [
      {
        path: [name],
        message: `input "${name}" is a ${input.type}, found ${shown(value)}`,
        hint: `Give it a ${input.type}${input.type === "string" ? ": put the value in quotes" : ""}.`,
      },
    ];
  if (input.values === undefined || input.values.some((one) => one === value)) return [];
  return [
    {
      path: [name],
      message: `input "${name}" cannot be ${shown(value)}`,
      hint: `It takes ${input.values.map((one) => JSON.stringify(one)).join(", ")}.`,
    },
  ];
}

function fits(type: InputType, value: Json): boolean {
  return type === "any" || typeOf(value) === type;
}

/** In the words of `type`. */
function typeOf(value: Json): InputType {
  if (Array.isArray(value)) return "list";
  if (typeof value === "object") return value === null ? "any" : "map";
  if (typeof value === "number") return "number";
  return typeof value === "boolean" ? "boolean" : "string";
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

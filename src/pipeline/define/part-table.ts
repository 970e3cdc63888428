import { type FilePosition, isEsteiraError, type Json, type LocatedProblem } from "#base";
import { type Expression, parseExpression, replacePaths } from "./expression.ts";
import { wholeExpression } from "./interpolate.ts";
import { type Part, PARTS_FOLDER, placeInPart } from "./part-file.ts";
import { nearestHint } from "./schema-problems.ts";

/** What a name of a step stands for in the pipeline. */
export interface TableEntry {
  /** Its name in the pipeline: its steps have it, or begin with it. */
  readonly name: string;
  /** Names that its steps have in the pipeline. */
  readonly steps: readonly string[];
  /** The one of them that has the very name. */
  readonly own: string | undefined;
  /** Of a part with several steps: what each output reads, in names of the pipeline. */
  readonly outputs: ReadonlyMap<string, Expression>;
  /** Of a use whose part was found. */
  readonly part?: { readonly part: Part; readonly table: Table } | undefined;
  /** It uses something that cannot be put in. */
  readonly isBroken: boolean;
}
/** What each step of a pipeline, or of a part, stands for. */
export type Table = ReadonlyMap<string, TableEntry>;

/** Steps that stand side by side: those of a pipeline, or of a part. */
export interface Siblings {
  readonly steps: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  placeOf(step: string, path: readonly (string | number)[]): FilePosition;
}

export interface TableFacts {
  /** By project-relative path; undefined for a file whose mistakes are told already. */
  readonly parts: ReadonlyMap<string, Part | undefined>;
  readonly problems: LocatedProblem[];
  /** Steps of the pipeline so far: parts that use parts grow fast. */
  count: number;
}

/** More steps than this are not put into one pipeline. */
export const MOST_STEPS = 10_000;
const LONGEST_NAME = 100;

interface Opened {
  readonly file: string;
  readonly place: FilePosition;
}

/** Finds what every name stands for, through parts of parts. */
export function makeTable(
  siblings: Siblings,
  facts: TableFacts,
  { nameOf, opened }: { readonly nameOf: (step: string) => string; readonly opened: readonly Opened[] },
): Table {
  return new Map(
    Object.entries(siblings.steps).map(([name, step]) => {
      const final = nameOf(name);
      if (step["uses"] === undefined) {
        facts.count++;
        return [name, { name: final, steps: [final], own: final, outputs: new Map(), isBroken: false }];
      }
      return [name, openUse({ siblings, name, final, uses: step["uses"] }, facts, opened)];
    }),
  );
}

function openUse(
  use: { readonly siblings: Siblings; readonly name: string; readonly final: string; readonly uses: Json },
  facts: TableFacts,
  opened: readonly Opened[],
): TableEntry {
  const { siblings, name, final } = use;
  const broken: TableEntry = { name: final, steps: [final], own: final, outputs: new Map(), isBroken: true };
  const place = siblings.placeOf(name, ["uses"]);
  const refuse = (message: string, hint: string): TableEntry => {
    facts.problems.push({ ...place, message, hint });
    return broken;
  };
  const file = partFile(use.uses, facts);
  if (typeof file !== "string") return refuse(file.message, file.hint);
  const part = facts.parts.get(file);
  if (part === undefined) return broken;
  const first = opened.findIndex((one) => one.file === file);
  if (first !== -1) {
    const path = [...opened.slice(first), { file, place }].map(
      ({ file: one }, index, all) => `${one}${index + 1 < all.length ? `:${all[index + 1]?.place.line}` : ""}`,
    );
    return refuse(`these parts use each other: ${path.join(" → ")}`, "Take one of these uses out.");
  }
  if (facts.count > MOST_STEPS)
    return refuse(`the pipeline has more than ${MOST_STEPS} steps with this part`, "Split it into several pipelines.");
  const table = makeTable(siblingsOf(part), facts, {
    nameOf: (step) => (part.isSingle || step === part.makes ? final : `${final}_${step}`),
    opened: [...opened, { file, place }],
  });
  const steps = [...table.values()].flatMap((entry) => entry.steps);
  const long = steps.find((step) => step.length > LONGEST_NAME);
  if (long !== undefined)
    return refuse(`"${long}" is longer than ${LONGEST_NAME} characters`, "Give the use a shorter name.");
  return {
    name: final,
    steps,
    own: part.isSingle ? table.get("")?.own : part.makes === undefined ? undefined : table.get(part.makes)?.own,
    outputs: part.isSingle ? (table.get("")?.outputs ?? new Map()) : outputsOf(part, table, facts),
    part: { part, table },
    isBroken: [...table.values()].some(({ isBroken }) => isBroken),
  };
}

function siblingsOf(part: Part): Siblings {
  return { steps: part.steps, placeOf: (step, path) => part.yaml.at([...placeInPart(part, step), ...path]) };
}

function partFile(uses: Json, { parts }: TableFacts): string | { readonly message: string; readonly hint: string } {
  const known = [...parts.keys()].map((file) => `./${file}`);
  if (typeof uses === "string" && uses.startsWith("./") && parts.has(uses.slice(2))) return uses.slice(2);
  if (typeof uses === "string" && uses.startsWith(`./${PARTS_FOLDER}`))
    return { message: `there is no part "${uses}"`, hint: nearestHint(uses, known, "Parts") };
  return {
    message: `${JSON.stringify(uses)} is no part`,
    hint: `Write uses: ./${PARTS_FOLDER}NAME.yaml, a file of the project.`,
  };
}

/** What outputs of a part read, in names of the pipeline. */
function outputsOf(part: Part, table: Table, { problems }: TableFacts): ReadonlyMap<string, Expression> {
  const outputs = new Map<string, Expression>();
  for (const [name, text] of Object.entries(part.outputs)) {
    const parsed = parseOutput(text);
    if (parsed === undefined) {
      report(problems, part, name, "an output reads a step: ${{ steps.STEP.outputs.NAME }}");
      continue;
    }
    const read = (path: readonly string[]): Expression | undefined => {
      const found = path[0] === "steps" ? resolveStep(path, table) : undefined;
      if (found === undefined || "message" in found)
        report(problems, part, name, found?.message ?? `an output reads only steps, found ${path.join(".")}`);
      return found === undefined || "message" in found ? undefined : found.expression;
    };
    outputs.set(name, replacePaths(parsed, read));
  }
  return outputs;
}

function report(problems: LocatedProblem[], part: Part, name: string, message: string): void {
  const place = part.yaml.at(["outputs", name]);
  // A part that is used twice is wrong once.
  if (problems.some((one) => one.file === place.file && one.line === place.line && one.message === message)) return;
  problems.push({ ...place, message, hint: `Steps of the part: ${Object.keys(part.steps).join(", ")}.` });
}

function parseOutput(text: string): Expression | undefined {
  try {
    const source = wholeExpression(text);
    return source === undefined ? undefined : parseExpression(source);
  } catch (error) {
    if (isEsteiraError(error)) return undefined;
    throw error;
  }
}

/** What `steps.NAME.…` stands for; undefined where a pipeline itself says so too. */
export function resolveStep(
  path: readonly string[],
  table: Table,
): { readonly expression: Expression } | { readonly message: string; readonly hint: string } | undefined {
  const [, name = "", fact, output = ""] = path;
  const entry = table.get(name);
  if (entry === undefined)
    return { message: `there is no step "${name}"`, hint: nearestHint(name, table.keys(), "Steps") };
  const given = fact === "outputs" ? entry.outputs.get(output) : undefined;
  if (given !== undefined) return { expression: given };
  if (entry.own !== undefined) return { expression: { type: "path", path: ["steps", entry.own, ...path.slice(2)] } };
  if (fact === "outputs")
    return {
      message: `the part that "${name}" uses has no output "${output}"`,
      hint: nearestHint(output, entry.outputs.keys(), "Its outputs"),
    };
  return {
    message: `"${name}" uses a part of ${entry.steps.length} steps, which have no ${fact ?? "facts"} together`,
    hint: `Read one of its steps: ${entry.steps.join(", ")}; or one of its outputs.`,
  };
}

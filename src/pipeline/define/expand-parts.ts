import type { Json, LocatedProblem } from "#base";
import type { Problem } from "../step-kind.ts";
import type { Expression } from "./expression.ts";
import { wholeExpression } from "./interpolate.ts";
import { isJsonList, isJsonMap, type JsonMap } from "./json-map.ts";
import { STEP_KEYS } from "./keys.ts";
import { type ParsedPipeline, placeInStep } from "./parse-pipeline.ts";
import { type Part, placeInPart } from "./part-file.ts";
import { inputsOf, replaceInput } from "./part-inputs.ts";
import { makeTable, resolveStep, type Siblings, type Table, type TableEntry } from "./part-table.ts";
import { placeIn, placeProblem } from "./place-problems.ts";
import { type Replacement, rewriteStep } from "./rewrite-step.ts";
import { nearestHint } from "./schema-problems.ts";
import { describeUses, type PartUse, type StepOrigin } from "./step-origin.ts";

type Step = JsonMap;
type Path = readonly (string | number)[];

const SAMPLE: Replacement = { expression: { type: "literal", value: "sample" } };
/** Keys that a use of several steps may have. */
const USE_KEYS: readonly string[] = ["uses", "with", "needs", "when", "description"];

/**
 * Puts the steps of parts into the place of what uses them: from here on a pipeline has only steps. Names, inputs and
 * what steps read of each other are those of the pipeline then.
 */
export function expandParts(
  pipeline: ParsedPipeline,
  parts: ReadonlyMap<string, Part | undefined>,
): { readonly pipeline: ParsedPipeline; readonly problems: readonly LocatedProblem[] } {
  if (Object.values(pipeline.steps).every((step) => step["uses"] === undefined)) return { pipeline, problems: [] };
  const problems: LocatedProblem[] = [];
  const siblings: Siblings = {
    steps: pipeline.steps,
    placeOf: (step, path) => placeInStep(pipeline, step, path, false),
  };
  const table = makeTable(siblings, { parts, problems, count: 0 }, { nameOf: (step) => step, opened: [] });
  const made: Made = { steps: new Map(), origins: new Map(), finalSteps: new Set(), problems };
  for (const [name, step] of Object.entries(pipeline.steps)) {
    const isFinal = pipeline.finalSteps.has(name);
    const context: Context = { table, inputs: undefined, name: undefined, uses: [], isFinal, part: undefined };
    const placeOf = (path: Path, isKey: boolean) => placeInStep(pipeline, name, path, isKey);
    emit({ name, step, placeOf }, context, made);
  }
  return {
    pipeline: {
      ...pipeline,
      steps: Object.fromEntries(made.steps),
      stepNames: new Set(made.steps.keys()),
      finalSteps: made.finalSteps,
      origins: made.origins,
    },
    problems,
  };
}

interface Made {
  readonly steps: Map<string, Step>;
  readonly origins: Map<string, StepOrigin>;
  readonly finalSteps: Set<string>;
  readonly problems: LocatedProblem[];
}

/** Around steps that stand side by side. */
interface Context {
  readonly table: Table;
  /** Of the part that they stand in; undefined in a pipeline. */
  readonly inputs: Readonly<Record<string, Json>> | undefined;
  /** The name under which that part is used. */
  readonly name: string | undefined;
  readonly part: Part | undefined;
  readonly uses: readonly PartUse[];
  readonly isFinal: boolean;
  /** What the uses around it say of every step, from the outermost to the innermost. */
  readonly added?: readonly Added[];
}

interface Added {
  readonly needs: readonly string[];
  readonly when: string | undefined;
  /** Of a part with one step: keys that the use sets in it, and where they stand. */
  readonly keys: Step;
  readonly placeOf: (path: Path, isKey: boolean) => ReturnType<StepOrigin["placeOf"]>;
}

interface Written {
  readonly name: string;
  readonly step: Step;
  readonly placeOf: StepOrigin["placeOf"];
}

function emit(written: Written, context: Context, made: Made): void {
  const problems: Problem[] = [];
  const rewritten = rewriteStep(written.step, {
    replace: (path, tell) => {
      const known = problems.length;
      const found = replacePath(path, context, tell);
      // What is told here is not told again where the step is read.
      return problems.length > known ? SAMPLE : found;
    },
    problems,
  });
  const step: Step = { ...rewritten, ...rewriteNeeds(rewritten, context, problems) };
  const entry = context.table.get(written.name);
  if (entry === undefined) return;
  if (step["uses"] === undefined) put(step, { written, entry, context, made });
  else use(step, { written, entry, context, made, problems });
  report(problems, { written, context, made });
}

interface Emitting {
  readonly written: Written;
  readonly entry: TableEntry;
  readonly context: Context;
  readonly made: Made;
}

function report(problems: readonly Problem[], { written, context, made }: Omit<Emitting, "entry">): void {
  const suffix = context.uses.length === 0 ? "" : ` (${describeUses(context.uses)})`;
  for (const problem of problems) {
    const placed = placeProblem(problem, written.placeOf);
    made.problems.push({ ...placed, message: `${placed.message}${suffix}` });
  }
}

/** A step itself, with what the uses around it add. */
function put(step: Step, { written, entry, context, made }: Emitting): void {
  const [final = ""] = entry.steps;
  const added = context.added ?? [];
  const needs = [...new Set([...added.flatMap((one) => one.needs), ...needsOf(step)])];
  const conditions = [...added.flatMap(({ when }) => when ?? []), ...conditionsOf(step)];
  const whole = added.toReversed().reduce((inner, { keys }) => overlay(inner, keys), step);
  if (made.steps.has(final)) {
    const other = made.origins.get(final);
    made.problems.push({
      ...written.placeOf([], true),
      message: `two steps would be called "${final}"${context.uses.length === 0 ? "" : ` (${describeUses(context.uses)})`}`,
      hint: `Rename one; the other ${other === undefined ? "stands in the pipeline itself" : `comes from ${other.part}`}.`,
    });
    return;
  }
  made.steps.set(final, {
    ...whole,
    ...(added.length === 0 || needs.length === 0 ? {} : { needs }),
    ...(added.length === 0 || conditions.length === 0 ? {} : { when: joined(conditions) }),
  });
  if (context.isFinal) made.finalSteps.add(final);
  if (context.part === undefined) return;
  made.origins.set(final, originOf(written, context, context.part));
}

function originOf({ name, placeOf }: Written, { uses, added = [] }: Context, part: Part): StepOrigin {
  return {
    part: part.yaml.file,
    line: placeOf([], true).line,
    step: part.isSingle ? undefined : name,
    uses,
    siblings: new Set(Object.keys(part.steps)),
    isBroken: false,
    placeOf: (path, isKey) => {
      const stated = added.find(({ keys }) => path[0] !== undefined && Object.hasOwn(keys, path[0]));
      return (stated?.placeOf ?? placeOf)(path, isKey);
    },
  };
}

/** The steps of a part in the place of what uses it. */
function use(
  step: Step,
  { written, entry, context, made, problems }: Emitting & { readonly problems: Problem[] },
): void {
  const opened = entry.part;
  if (opened === undefined || entry.isBroken) return putBroken({ written, entry, context, made });
  const { part, table } = opened;
  const at = written.placeOf(["uses"], true);
  const others = Object.keys(step).filter((key) => !USE_KEYS.includes(key) || (part.isSingle && key === "description"));
  const refused = part.isSingle ? others.filter((key) => !STEP_KEYS.includes(key)) : others;
  problems.push(...refused.map((key) => refuseKey(key, part)));
  const inputs = inputsOf(step["with"], part, problems);
  const keys = part.isSingle ? Object.fromEntries(others.map((key) => [key, step[key] ?? null])) : {};
  const added: Added = { needs: needsOf(step), when: joinedOf(step), keys, placeOf: written.placeOf };
  for (const [name, inner] of Object.entries(part.steps)) {
    const place = placeInPart(part, name);
    emit(
      { name, step: inner, placeOf: (path, isKey) => placeIn(part.yaml, [...place, ...path], isKey) },
      {
        table,
        inputs,
        part,
        name: entry.name,
        uses: [{ ...at, step: written.name }, ...context.uses],
        isFinal: context.isFinal,
        added: [...(context.added ?? []), added],
      },
      made,
    );
  }
}

/** Stands where a part could not be put in, so that what reads it is not called wrong too. */
function putBroken({ written, entry, context, made }: Emitting): void {
  for (const final of entry.steps) {
    made.steps.set(final, {});
    if (context.isFinal) made.finalSteps.add(final);
    made.origins.set(final, {
      part: "",
      line: 1,
      step: undefined,
      uses: context.uses,
      siblings: new Set(),
      isBroken: true,
      placeOf: written.placeOf,
    });
  }
}

function refuseKey(key: string, part: Part): Problem {
  const valid = part.isSingle ? [...USE_KEYS, ...STEP_KEYS] : USE_KEYS;
  return {
    path: [key],
    message: `unknown key "${key}" beside uses`,
    hint:
      !part.isSingle && STEP_KEYS.includes(key)
        ? "The part has several steps: make it an input, or set it in the part."
        : nearestHint(key, new Set(valid), "Known keys"),
  };
}

/** What a path in an expression of a step stands for. */
function replacePath(
  path: readonly string[],
  { table, inputs, name, part }: Context,
  tell: (message: string, hint: string) => void,
): Replacement | undefined {
  const [root] = path;
  if (root === "steps") return replaceStep(path, table, { tell, isPart: part !== undefined });
  if (part === undefined || inputs === undefined) return undefined;
  if (root === "inputs") return replaceInput(path, inputs, tell);
  if (root === "part") return replaceName(path, { table, name }, tell);
  if (root === "params")
    tell("a part does not see the params of its pipeline", `Make it an input, and give it: with: { … }.`);
  return undefined;
}

function replaceStep(
  path: readonly string[],
  table: Table,
  { tell, isPart }: { readonly tell: (message: string, hint: string) => void; readonly isPart: boolean },
): Replacement | undefined {
  // What a pipeline names and there is not, is told where its steps are read.
  if (path[1] === undefined || (!isPart && !table.has(path[1]))) return undefined;
  const found = resolveStep(path, table);
  if (found === undefined || "expression" in found) return sameAs(path, found?.expression) ? undefined : found;
  tell(found.message, found.hint);
  return undefined;
}

function sameAs(path: readonly string[], expression: Expression | undefined): boolean {
  return expression?.type === "path" && expression.path.join(".") === path.join(".");
}

/** `part.name` and `part.steps.NAME`: names that the pipeline gives. */
function replaceName(
  [, what, step = ""]: readonly string[],
  { table, name }: Pick<Context, "table" | "name">,
  tell: (message: string, hint: string) => void,
): Replacement | undefined {
  if (what === "name") return { expression: { type: "literal", value: name ?? "" } };
  const own = what === "steps" ? table.get(step)?.own : undefined;
  if (own !== undefined) return { expression: { type: "literal", value: own } };
  if (what === "steps")
    tell(
      `there is no step "${step}" in the part, or it uses a part without makes`,
      `Steps: ${[...table.keys()].join(", ")}.`,
    );
  else tell(`a part has no "${what ?? ""}"`, "It has part.name and part.steps.NAME.");
  return undefined;
}

function rewriteNeeds(step: Step, { table, part }: Context, problems: Problem[]): { readonly needs?: Json } {
  const stated = step["needs"];
  const list = isJsonList(stated) ? stated : typeof stated === "string" ? [stated] : undefined;
  if (list === undefined) return {};
  let isChanged = false;
  const needs = list.flatMap((need, index): readonly Json[] => {
    const entry = typeof need === "string" ? table.get(need) : undefined;
    if (entry === undefined) {
      if (part !== undefined)
        problems.push({
          path: ["needs", ...(Array.isArray(stated) ? [index] : [])],
          message: `there is no step ${JSON.stringify(need)} in this part`,
          hint: nearestHint(typeof need === "string" ? need : "", table.keys(), "Steps"),
        });
      return part === undefined ? [need] : [];
    }
    isChanged ||= entry.steps.length !== 1 || entry.steps[0] !== need;
    return entry.steps;
  });
  return isChanged || part !== undefined ? { needs } : {};
}

function needsOf({ needs }: Step): readonly string[] {
  return typeof needs === "string" ? [needs] : Array.isArray(needs) ? needs.map(String) : [];
}

function conditionsOf({ when }: Step): readonly string[] {
  return typeof when === "string" ? [wholeExpression(when) ?? when] : [];
}

function joinedOf(step: Step): string | undefined {
  const conditions = conditionsOf(step);
  return conditions.length === 0 ? undefined : joined(conditions);
}

function joined(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? "") : conditions.map((one) => `(${one.trim()})`).join(" && ");
}

/** What a use says of the only step of its part; maps of names are put together. */
function overlay(step: Step, keys: Step): Step {
  const merged = ["env", "params"].flatMap((key) => {
    const [own, stated] = [step[key], keys[key]];
    return isJsonMap(own) && isJsonMap(stated) ? [[key, { ...own, ...stated }] as const] : [];
  });
  return { ...step, ...keys, ...Object.fromEntries(merged) };
}

import { isEsteiraError, type Json, nearestName } from "#base";
import type { AnalysisContext, Problem, StepAnalysis } from "../step-kind.ts";
import type { ConcurrencyDefinition, RetryDefinition, StepDefinition } from "./definition.ts";
import type { ProcessLimits } from "../process.ts";
import { deadlineProblems, toDeadline } from "./deadlines.ts";
import { toMilliseconds } from "./duration.ts";
import { callsOf, parseExpression, pathsOf, type Scope } from "./expression.ts";
import {
  findExpressions,
  type FoundExpression,
  interpolate,
  isShellSafe,
  parseCondition,
  stepsReadBy,
  toText,
} from "./interpolate.ts";
import { STEP_KEYS, type StepKeys, stepKeys } from "./keys.ts";
import { expandMatrix } from "./matrix.ts";
import { forEachProblems, sampleItem, toForEach } from "./for-each.ts";
import { partitionByProblems, toPartitionColumns } from "./partitions.ts";
import { type KnownExecutor, placementProblems, toPlacement } from "./placement.ts";
import { partitionScope, samplePartition } from "../plan/partition.ts";
import { neverHolds, unknownStatus } from "./own-condition.ts";
import type { ParsedPipeline } from "./parse-pipeline.ts";
import { explainIssues, type JsonSchema, nearestHint, toInputSchema } from "./schema-problems.ts";
import type { StepOrigin } from "./step-origin.ts";
import { declarationOf, kindsOfStep, type KnownKind, type KnownKinds } from "./step-kinds.ts";

/** A step whose keys were read and whose kind has looked at it. Problems have paths below the step. */
export interface CompiledStep {
  readonly name: string;
  readonly known: KnownKind | undefined;
  readonly keys: StepKeys;
  readonly declaration: Readonly<Record<string, Json>>;
  /**
   * The declaration with sample values in place of expressions, as the kind's schema read it; undefined when it is
   * wrong.
   */
  readonly parsed: unknown;
  readonly matrix: readonly Readonly<Record<string, Json>>[] | undefined;
  /** Steps stated in `needs` and those whose facts are read. */
  readonly stated: readonly { readonly step: string; readonly path: readonly (string | number)[] }[];
  readonly problems: readonly Problem[];
}

let commonSchema: JsonSchema | undefined;

/** Reads a step's keys, before anything is known of the other steps. */
export function compileStep(
  name: string,
  step: Readonly<Record<string, Json>>,
  pipeline: ParsedPipeline,
  { kinds, executors }: { readonly kinds: KnownKinds; readonly executors: readonly KnownExecutor[] | undefined },
): CompiledStep {
  const problems: Problem[] = [];
  const found = kindsOfStep(kinds, step);
  if (found.length !== 1) problems.push(kindProblem(step, found, kinds));
  const known = found[0];
  const common = Object.fromEntries(Object.entries(step).filter(([key]) => STEP_KEYS.includes(key)));
  const checked = stepKeys.safeParse(common);
  if (!checked.success) {
    commonSchema ??= toInputSchema(stepKeys);
    problems.push(...explainIssues(checked.error.issues, commonSchema, common));
  }
  const keys: StepKeys = checked.data ?? {};
  const declaration = known === undefined ? {} : declarationOf(known, step);
  const matrix = expandMatrix(keys.matrix, problems);
  problems.push(
    ...forEachProblems(keys),
    ...deadlineProblems(keys.deadline, "step"),
    ...partitionByProblems(keys.partition_by, pipeline.partitions),
    ...partitionWriteProblems(keys, known, pipeline, step),
    ...placementProblems(keys, known, executors),
  );
  const expressions = findExpressions({ ...step, when: "" });
  const stated = [
    ...statedNeeds(keys),
    ...expressionNeeds(expressions, problems),
    ...conditionNeeds(keys, problems, pipeline.finalSteps.has(name)),
  ];
  checkReferences(
    [...expressions, ...(keys.when === undefined ? [] : [{ path: ["when"], source: stripBraces(keys.when) }])],
    { pipeline, matrix, kinds, hasItem: keys.for_each !== undefined },
    problems,
  );
  if (known !== undefined) problems.push(...unsafeTexts(expressions, known));
  // Kinds see the step only once its expressions are right, and then with sample values in their place.
  const parsed =
    known === undefined || problems.some((problem) => problem.message.includes("${{"))
      ? undefined
      : parseDeclaration(known, declaration, { ...sampleScope(pipeline, matrix?.[0]), ...sampleItem(keys) }, problems);
  return { name, known, keys, declaration, parsed, matrix, stated, problems };
}

/** A text that stands in a shell line as it is known already; a part was given it. */
function unsafeTexts(expressions: readonly FoundExpression[], { kind }: KnownKind): readonly Problem[] {
  return expressions.flatMap(({ path, source }) => {
    if (kind.shellKeys?.includes(String(path[0])) !== true) return [];
    const value = textOf(source);
    return value === undefined || isShellSafe(value)
      ? []
      : [
          {
            path,
            message: `the text ${JSON.stringify(value)} stands in a shell line, and a shell would interpret it`,
            hint: 'Pass it through env: { NAME: "${{ … }}" } and write "$NAME" in the command.',
          },
        ];
  });
}

function textOf(source: string): string | undefined {
  try {
    const expression = parseExpression(source);
    return expression.type === "literal" ? toText(expression.value) : undefined;
  } catch {
    return undefined;
  }
}

/** What would replace the rows of all partitions with those of one is a mistake, however it is written. */
function partitionWriteProblems(
  { partition_by: by }: StepKeys,
  known: KnownKind | undefined,
  { partitions }: ParsedPipeline,
  step: Readonly<Record<string, Json>>,
): readonly Problem[] {
  if (partitions === undefined || known === undefined) return [];
  const { kind } = known;
  const { name } = kind;
  if (by !== undefined && kind.writesPartitions === undefined)
    return [
      {
        path: ["partition_by"],
        message: `a ${name} step does not write single partitions`,
        hint: "sql, python and notebook steps do.",
      },
    ];
  if (by !== undefined) {
    const other = ["write", "incremental"].find((key) => step[key] !== undefined);
    return other === undefined
      ? []
      : [
          {
            path: [other],
            message: `${other} and partition_by both say how new rows meet those that are there`,
            hint: `Leave ${other} out: a run replaces the rows of its partition.`,
          },
        ];
  }
  if (kind.writesPartitions?.(declarationOf(known, step)) !== true) return [];
  return [
    {
      path: [step["write"] === undefined ? name : "write"],
      message: "each partition would replace the rows of all others: the step makes its dataset whole",
      hint: "Say which column tells the partitions apart: partition_by: COLUMN.",
    },
  ];
}

function kindProblem(step: Readonly<Record<string, Json>>, found: readonly KnownKind[], kinds: KnownKinds): Problem {
  const valid = [...kinds.keys()];
  if (found.length > 1)
    return {
      path: [found[1]?.kind.name ?? ""],
      message: `the step is of ${found.length} kinds at once: ${found.map(({ kind }) => kind.name).join(", ")}`,
      hint: "Make one step of each.",
    };
  const own = Object.keys(step).filter((key) => !STEP_KEYS.includes(key));
  const near = own.map((key) => ({ key, name: nearestName(key, valid) })).find(({ name }) => name !== undefined);
  if (near?.name !== undefined)
    return { path: [near.key], message: `unknown key "${near.key}"`, hint: `Did you mean "${near.name}"?` };
  return {
    path: own[0] === undefined ? [] : [own[0]],
    message: "the step says nothing of what it does",
    hint: `Give it one of: ${valid.join(", ")}.`,
  };
}

function parseDeclaration(
  known: KnownKind,
  declaration: Readonly<Record<string, Json>>,
  scope: Scope,
  problems: Problem[],
): unknown {
  const sample = interpolate(declaration, { ...scope, ...sampleFacts(declaration, scope) });
  const checked = known.kind.schema.safeParse(sample);
  if (checked.success) return checked.data;
  const schema: JsonSchema = {
    ...known.jsonSchema,
    properties: { ...known.jsonSchema.properties, ...commonProperties() },
  };
  problems.push(...explainIssues(checked.error.issues, schema, sample));
  return undefined;
}

/**
 * What only a run knows, `trigger.body.shop` or `steps.build.status`: a text at each place that the declaration reads.
 */
function sampleFacts(
  declaration: Readonly<Record<string, Json>>,
  scope: Scope,
): Readonly<Record<"trigger" | "steps" | "item", Json>> {
  const facts: Record<"trigger" | "steps" | "item", Json> = {
    trigger: scope["trigger"] ?? null,
    steps: scope["steps"] ?? null,
    item: scope["item"] ?? null,
  };
  for (const { source } of findExpressions(declaration)) {
    for (const [root, ...names] of readPaths(source))
      if (root === "trigger" || root === "steps" || root === "item") facts[root] = withText(facts[root], names);
  }
  return facts;
}

function withText(value: Json | undefined, [name, ...names]: readonly string[]): Json {
  if (name === undefined) return value ?? SAMPLES.any;
  if (Array.isArray(value)) return value as Json;
  const members =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, Json>>)
      : {};
  return { ...members, [name]: withText(members[name], names) };
}

function commonProperties(): Readonly<Record<string, JsonSchema>> {
  commonSchema ??= toInputSchema(stepKeys);
  return commonSchema.properties ?? {};
}

function statedNeeds(keys: StepKeys): CompiledStep["stated"] {
  if (keys.needs === undefined) return [];
  return typeof keys.needs === "string"
    ? [{ step: keys.needs, path: ["needs"] }]
    : keys.needs.map((step, index) => ({ step, path: ["needs", index] }));
}

function expressionNeeds(expressions: readonly FoundExpression[], problems: Problem[]): CompiledStep["stated"] {
  return expressions.flatMap(({ path, source }) => {
    try {
      const expression = parseExpression(source);
      const [call] = callsOf(expression);
      if (call !== undefined)
        problems.push({
          path,
          message: `\${{ ${source.trim()} }}: ${call.name}() can only be asked in when`,
          hint: `Give the step a condition: when: ${call.name}().`,
        });
      return stepsReadBy(expression).map((step) => ({ step, path }));
    } catch (error) {
      if (!isEsteiraError(error)) throw error;
      problems.push({ path, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) });
      return [];
    }
  });
}

function conditionNeeds(keys: StepKeys, problems: Problem[], isFinal: boolean): CompiledStep["stated"] {
  if (keys.when === undefined) return [];
  try {
    const condition = parseCondition(keys.when);
    const problem = unknownStatus(condition) ?? neverHolds(condition, isFinal);
    if (problem !== undefined) problems.push(problem);
    return stepsReadBy(condition).map((step) => ({ step, path: ["when"] }));
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    problems.push({
      path: ["when"],
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
    return [];
  }
}

const ROOTS: readonly string[] = ["params", "matrix", "item", "partition", "steps", "trigger", "run", "project"];

function checkReferences(
  expressions: readonly FoundExpression[],
  known: {
    readonly pipeline: ParsedPipeline;
    readonly matrix: CompiledStep["matrix"];
    readonly kinds: KnownKinds;
    readonly hasItem: boolean;
  },
  problems: Problem[],
): void {
  for (const { path, source } of expressions) {
    for (const read of readPaths(source)) {
      const [root = "", name] = read;
      const names: Readonly<Record<string, ReadonlySet<string>>> = {
        params: new Set(Object.keys(known.pipeline.params)),
        matrix: new Set(Object.keys(known.matrix?.[0] ?? {})),
        steps: known.pipeline.stepNames,
      };
      const problem =
        referenceProblem(root, name, names[root]) ??
        itemProblem(root, path, known.hasItem) ??
        partitionProblem(read, known.pipeline) ??
        factProblem(read, known);
      if (problem !== undefined)
        problems.push({ path, message: `\${{ ${source.trim()} }}: ${problem.message}`, hint: problem.hint });
    }
  }
}

/** `item` is there where the step has one, and not while its items are listed. */
function itemProblem(root: string, path: Problem["path"], hasItem: boolean): Told | undefined {
  if (root !== "item") return undefined;
  if (!hasItem) return { message: "the step has no items", hint: "Give it for_each, or use matrix.KEY of its matrix." };
  return path[0] === "for_each"
    ? { message: "an item is known only when the items were listed", hint: "Name what lists them: steps.x.outputs.y." }
    : undefined;
}

const PARTITION_FACTS: readonly string[] = ["name", "key", "start", "end"];

function partitionProblem([root, fact]: readonly string[], { partitions }: ParsedPipeline): Told | undefined {
  if (root !== "partition") return undefined;
  if (partitions === undefined)
    return {
      message: "the pipeline has no partitions",
      hint: "Give it some: partitions: { every: day, start: 2026-01-01 }.",
    };
  const facts = partitions.time === undefined ? ["name", "key"] : PARTITION_FACTS;
  if (fact !== undefined && facts.includes(fact)) return undefined;
  return fact !== undefined && PARTITION_FACTS.includes(fact)
    ? { message: `a partition by key has no "${fact}"`, hint: "Only partitions by time begin and end." }
    : { message: `a partition has no "${fact ?? ""}"`, hint: nearestHint(fact ?? "", facts, "It has") };
}

interface Told {
  readonly message: string;
  readonly hint: string;
}

const FACTS: readonly string[] = ["status", "facts", "outputs", "items"];

/** What is read of another step: one of the facts there are, and an output that it can give. */
function factProblem(
  [root, name, fact, output]: readonly string[],
  { pipeline, kinds }: { readonly pipeline: ParsedPipeline; readonly kinds: KnownKinds },
): Told | undefined {
  if (root !== "steps" || name === undefined || fact === undefined) return undefined;
  if (!FACTS.includes(fact)) return { message: `a step has no "${fact}"`, hint: nearestHint(fact, FACTS, "It has") };
  const step = pipeline.steps[name];
  if (fact !== "outputs" || step === undefined) return undefined;
  const [known, ...others] = kindsOfStep(kinds, step);
  if (known !== undefined && others.length === 0 && known.kind.givesOutputs !== true)
    return {
      message: `step "${name}" gives no outputs: it is a ${known.kind.name} step`,
      hint: `Steps of these kinds give some: ${[...kinds.values()].flatMap(({ kind }) => (kind.givesOutputs === true ? kind.name : [])).join(", ")}.`,
    };
  const declared = step["outputs"];
  const names = typeof declared === "string" ? [declared] : Array.isArray(declared) ? declared.map(String) : undefined;
  return output === undefined || names === undefined || names.includes(output)
    ? undefined
    : { message: `step "${name}" has no output "${output}"`, hint: nearestHint(output, names, "Its outputs") };
}

const NOUNS: Readonly<Record<string, string>> = { params: "param", matrix: "matrix key", steps: "step" };

function referenceProblem(
  root: string,
  name: string | undefined,
  valid: ReadonlySet<string> | undefined,
): { readonly message: string; readonly hint: string } | undefined {
  if (!ROOTS.includes(root)) return { message: `unknown name "${root}"`, hint: nearestHint(root, ROOTS, "Known") };
  if (valid === undefined) return undefined;
  if (name === undefined)
    return { message: `"${root}" needs a name behind it`, hint: `For example ${root}.${[...valid][0] ?? "x"}.` };
  return valid.has(name)
    ? undefined
    : { message: `there is no ${NOUNS[root] ?? root} "${name}"`, hint: nearestHint(name, valid, "Known") };
}

function readPaths(source: string): readonly (readonly string[])[] {
  try {
    return pathsOf(parseExpression(source));
  } catch {
    // Told already where the expression was read.
    return [];
  }
}

function stripBraces(condition: string): string {
  return condition.replace(/^\s*\$\{\{/, "").replace(/\}\}\s*$/, "");
}

const SAMPLES = { string: "sample", number: 1, boolean: true, any: "sample" } as const;

/** Values that stand for those of a real run while a definition is checked. */
export function sampleScope(
  pipeline: Pick<ParsedPipeline, "params" | "name" | "partitions">,
  matrix: Readonly<Record<string, Json>> | undefined,
): Scope {
  const params = Object.fromEntries(
    Object.entries(pipeline.params).map(([name, param]) => [
      name,
      param.default ?? param.choices?.[0] ?? SAMPLES[param.type],
    ]),
  );
  return {
    params,
    matrix: matrix ?? {},
    ...(pipeline.partitions === undefined ? {} : { partition: partitionScope(samplePartition(pipeline.partitions)) }),
    steps: {},
    trigger: { kind: "manual", subject: "sample" },
    run: { id: "sample" },
    project: "sample",
  };
}

/** Lets a step's kind look at it: inputs, outputs, files, problems. */
export async function analyseStep(step: CompiledStep, context: AnalysisContext): Promise<StepAnalysis | undefined> {
  if (step.known === undefined || step.parsed === undefined) return undefined;
  return step.known.kind.analyse(step.parsed, context);
}

function secretsOf(declared: NonNullable<StepKeys["secrets"]>): Pick<StepDefinition, "secrets" | "secretFiles"> {
  const secretFiles = declared.flatMap((one) => (typeof one === "string" ? [] : [one.file]));
  const secrets = declared.map((one) => (typeof one === "string" ? one : one.file));
  return { secrets, ...(secretFiles.length === 0 ? {} : { secretFiles }) };
}

/** The stored form of a compiled step. */
export function toStepDefinition(
  step: CompiledStep & { readonly known: KnownKind },
  analysis: StepAnalysis,
  facts: {
    readonly needs: readonly string[];
    readonly isFinal: boolean;
    readonly partitions: ParsedPipeline["partitions"];
    readonly executor: string | undefined;
    readonly executors: readonly KnownExecutor[] | undefined;
    readonly origin: StepOrigin | undefined;
  },
): StepDefinition {
  const { keys, known } = step;
  return {
    name: step.name,
    kind: known.kind.name,
    load: known.kind.load,
    declaration: step.declaration,
    needs: facts.needs,
    inputs: analysis.inputs.map(({ asset, role, optional }) => ({
      asset,
      role,
      ...(optional === undefined ? {} : { optional }),
    })),
    makes: analysis.makes,
    params: (keys.params ?? {}) as Record<string, Json>,
    env: Object.fromEntries(Object.entries(keys.env ?? {}).map(([name, value]) => [name, String(value)])),
    ...secretsOf(keys.secrets ?? []),
    cache: keys.cache ?? true,
    ...(keys.isolation === undefined ? {} : { isolation: keys.isolation }),
    ...(keys.network === undefined ? {} : { network: keys.network === "platform" ? [] : keys.network }),
    ...(keys.limits === undefined ? {} : { limits: toLimits(keys.limits) }),
    ...toPlacement(keys, known, facts),
    ...(keys.when === undefined ? {} : { when: keys.when }),
    ...(facts.isFinal ? { finally: true as const } : {}),
    ...(keys.retry === undefined ? {} : { retry: toRetry(keys.retry) }),
    ...endsOf(keys),
    ...(step.matrix === undefined ? {} : { matrix: step.matrix }),
    ...repeatsOf(keys),
    ...(keys.concurrency === undefined ? {} : { concurrency: toConcurrency(keys.concurrency, step.name) }),
    ...turnOf(keys),
    ...partitionByOf(keys, facts.partitions),
    ...describedBy(keys, facts.origin),
  };
}

function describedBy(
  { description }: StepKeys,
  origin: StepOrigin | undefined,
): Pick<StepDefinition, "description" | "from"> {
  return {
    ...(description === undefined ? {} : { description }),
    ...(origin === undefined ? {} : { from: toOrigin(origin) }),
  };
}

function toOrigin({ part, line, step, uses }: StepOrigin): NonNullable<StepDefinition["from"]> {
  return {
    part,
    line,
    ...(step === undefined ? {} : { step }),
    uses: uses.map((use) => ({ file: use.file, line: use.line, step: use.step })),
  };
}

/** How long it may take, and by when it is expected. */
function endsOf({ timeout, deadline }: StepKeys): Pick<StepDefinition, "timeoutMs" | "deadlineMs"> {
  const expected = deadline === undefined ? undefined : toDeadline(deadline);
  return {
    ...(timeout === undefined ? {} : { timeoutMs: toMilliseconds(timeout) }),
    ...(expected === undefined || !("withinMs" in expected) ? {} : { deadlineMs: expected.withinMs }),
  };
}

function partitionByOf(
  { partition_by: by }: StepKeys,
  partitions: ParsedPipeline["partitions"],
): Pick<StepDefinition, "partitionBy"> {
  return by === undefined || partitions === undefined ? {} : { partitionBy: toPartitionColumns(by, partitions) };
}

/** How often a step runs, and what each of its step runs gives. */
function repeatsOf(keys: StepKeys): Pick<StepDefinition, "forEach" | "maxParallel" | "failFast" | "outputs"> {
  return {
    ...(keys.for_each === undefined ? {} : { forEach: toForEach(keys.for_each) }),
    ...(keys.max_parallel === undefined ? {} : { maxParallel: keys.max_parallel }),
    ...(keys.fail_fast === true ? { failFast: true as const } : {}),
    ...(keys.outputs === undefined
      ? {}
      : { outputs: typeof keys.outputs === "string" ? [keys.outputs] : keys.outputs }),
  };
}

/** When it begins among others. */
function turnOf({ pool, slots = 1, priority }: StepKeys): Pick<StepDefinition, "pool" | "priority"> {
  return {
    ...(pool === undefined ? {} : { pool: { name: pool, slots } }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function toLimits({ memory, processes, files }: NonNullable<StepKeys["limits"]>): ProcessLimits {
  const bytes = memory === undefined ? undefined : parseFloat(memory) * 1024 ** (memory.endsWith("GiB") ? 3 : 2);
  return {
    ...(bytes === undefined ? {} : { memoryBytes: Math.floor(bytes) }),
    ...(processes === undefined ? {} : { processes }),
    ...(files === undefined ? {} : { files }),
  };
}

function toRetry(retry: NonNullable<StepKeys["retry"]>): RetryDefinition {
  const stated = typeof retry === "number" ? { times: retry } : retry;
  const delay = stated.delay ?? "1s";
  return {
    times: stated.times,
    delaysMs: (Array.isArray(delay) ? delay : [delay]).map(toMilliseconds),
    backoff: stated.backoff ?? 1,
    jitter: stated.jitter ?? 0,
    on: stated.on === undefined ? [] : typeof stated.on === "string" ? [stated.on] : stated.on,
  };
}

export function toConcurrency(
  stated: NonNullable<StepKeys["concurrency"]>,
  defaultGroup: string,
): ConcurrencyDefinition {
  return typeof stated === "number"
    ? { group: defaultGroup, limit: stated }
    : { group: stated.group ?? defaultGroup, limit: stated.limit };
}

import { z } from "zod";
import { type LocatedProblem, nearestName, type ReadYaml, readYaml } from "#base";
import type { Column } from "../../analytics/analytics.ts";
import { parseMoment } from "../intervals.ts";

const cell = z.json();
const row = z.record(z.string(), cell);
const rows = z.array(row).max(10_000);
const moment = z.string().refine((text) => parseMoment(text) !== undefined, "expected a date such as 2024-01-31");

const givenRows = z
  .union([
    rows,
    z.strictObject({
      columns: z
        .record(z.string(), z.string())
        .optional()
        .describe("Column → DuckDB type; default: as in the dataset, or what the values look like."),
      rows,
    }),
  ])
  .describe("Rows of a dataset: a list of COLUMN: VALUE. A column that a row leaves out is null there.");

const unitTest = z.strictObject({
  name: z.string().min(1).describe("A sentence about the behaviour."),
  given: z.record(z.string(), givenRows).describe("Rows of each dataset that the query reads; [] is none."),
  existing: rows.optional().describe("Rows that the model has already, where new ones are added or merged."),
  interval: z
    .strictObject({ from: moment, to: moment })
    .optional()
    .describe("The span that is filled, its end excluded; of a model that is incremental by time."),
  params: z.record(z.string(), cell).optional().describe("Params of the script; of a Python model."),
  expect: rows.describe("All rows of the result, of each the same columns; the others are not compared."),
  ordered: z.boolean().optional().describe("True: the rows come in this order; default: in any."),
  tolerance: z
    .number()
    .min(0)
    .optional()
    .describe("How far floating point numbers may be apart, relative to the larger one (at least 1); default 1e-9."),
});

const document = z.strictObject({ tests: z.array(unitTest).min(1) }).describe("Unit tests of one model.");

/** One unit test of a model: given these rows, its query or script gives those. */
export type UnitTest = z.infer<typeof unitTest>;
export type TestRows = UnitTest["expect"];

/** What a model is, as far as its tests must fit to it. */
export interface TestedModel {
  /** What computes it, for messages; a script may be given params. */
  readonly what: "query" | "script";
  /** Names of the datasets that it reads. */
  readonly reads: readonly string[];
  /** Columns of those that have a version. */
  readonly columns: ReadonlyMap<string, readonly Column[]>;
  /** It fills intervals. */
  readonly isByTime: boolean;
  /** Rows that are there stay, or may. */
  readonly keepsRows: boolean;
}

export function rowsOf(given: UnitTest["given"][string]): TestRows {
  return Array.isArray(given) ? given : given.rows;
}

export function typesOf(given: UnitTest["given"][string]): Readonly<Record<string, string>> {
  return Array.isArray(given) ? {} : (given.columns ?? {});
}

/** Reads a file of unit tests. Every mistake has its place; Pure. */
export function readUnitTests(text: string, file: string): ReadYaml<{ readonly tests: readonly UnitTest[] }> {
  return readYaml(text, file, document);
}

/** What of the tests cannot be about this model. */
export function* unitTestProblems(
  { value, document: yaml }: ReturnType<typeof readUnitTests>,
  model: TestedModel,
): Generator<LocatedProblem> {
  const names = new Set<string>();
  for (const [index, test] of (value?.tests ?? []).entries()) {
    const at = (...path: (string | number)[]): LocatedProblem => ({
      ...yaml.at(["tests", index, ...path]),
      message: "",
    });
    if (names.has(test.name)) yield { ...at("name"), message: `Another test is called ${JSON.stringify(test.name)}` };
    names.add(test.name);
    yield* givenProblems(test, model, at);
    yield* expectedProblems(test, at);
    if (test.params !== undefined && model.what === "query")
      yield { ...at("params"), message: "A query has no params; they are for Python models" };
    if (test.interval !== undefined && !model.isByTime)
      yield { ...at("interval"), message: "The model is not incremental by time: it fills no interval" };
    if (test.existing !== undefined && !model.keepsRows)
      yield { ...at("existing"), message: "The model is made anew each time: no row that exists stays" };
  }
}

type PlaceOf = (...path: (string | number)[]) => LocatedProblem;

function* givenProblems(
  { given }: UnitTest,
  { what, reads, columns }: TestedModel,
  at: PlaceOf,
): Generator<LocatedProblem> {
  for (const name of reads.filter((read) => given[read] === undefined))
    yield {
      ...at("given"),
      message: `The ${what} reads ${name}, and no rows of it are given`,
      hint: `Write "${name}: []" for none.`,
    };
  for (const [name, some] of Object.entries(given)) {
    if (!reads.includes(name)) {
      const near = nearestName(name, reads);
      yield {
        ...at("given", name),
        message: `The ${what} does not read ${name}; it reads ${reads.join(", ") || "nothing"}`,
        ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
      };
      continue;
    }
    yield* columnProblems(name, some, { known: columns.get(name), at });
  }
}

function* columnProblems(
  dataset: string,
  given: UnitTest["given"][string],
  { known, at }: { readonly known: readonly Column[] | undefined; readonly at: PlaceOf },
): Generator<LocatedProblem> {
  const types = Object.keys(typesOf(given));
  const has = [...(known ?? []).map(({ name }) => name), ...types];
  for (const [index, values] of rowsOf(given).entries())
    for (const [column, value] of Object.entries(values)) {
      const place = Array.isArray(given)
        ? at("given", dataset, index, column)
        : at("given", dataset, "rows", index, column);
      yield* numberProblems(value, place);
      if (known === undefined || has.some((name) => name.toLowerCase() === column.toLowerCase())) continue;
      const near = nearestName(column, has);
      yield {
        ...place,
        message: `${dataset} has no column "${column}"`,
        hint: near === undefined ? `It has ${has.slice(0, 20).join(", ")}.` : `Did you mean "${near}"?`,
      };
    }
}

function* expectedProblems({ expect, existing = [] }: UnitTest, at: PlaceOf): Generator<LocatedProblem> {
  const [first = {}] = expect;
  const names = Object.keys(first);
  for (const [index, values] of expect.entries()) {
    for (const [column, value] of Object.entries(values)) yield* numberProblems(value, at("expect", index, column));
    const missing = names.find((name) => !Object.hasOwn(values, name));
    const more = Object.keys(values).find((name) => !names.includes(name));
    if (missing !== undefined || more !== undefined)
      yield {
        ...at("expect", index),
        message: `Row ${index + 1} ${missing === undefined ? `names ${more}, which the first does not` : `leaves out ${missing}`}`,
        hint: "Every expected row names the same columns; write null for no value.",
      };
  }
  for (const [index, values] of existing.entries())
    for (const [column, value] of Object.entries(values)) yield* numberProblems(value, at("existing", index, column));
}

/** YAML's numbers are read as JavaScript's. */
function* numberProblems(value: unknown, place: LocatedProblem): Generator<LocatedProblem> {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value))
    yield { ...place, message: `${value} may have lost digits`, hint: "Write so large a number between quotes." };
}

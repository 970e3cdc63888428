import { quoteName } from "../analytics/sql-text.ts";
import { normaliseColumnName } from "../column-name.ts";
import type { Contract, ContractTable } from "./contract.ts";
import type { DatasetRule } from "./rules.ts";

type ServiceLevel = NonNullable<Contract["slaProperties"]>[number];

/** How old the newest row may be: the levels that rows themselves can show. */
const JUDGED: ReadonlySet<string> = new Set(["freshness", "latency"]);
/** Levels that speak of rows, and that rows cannot show: who reads the contract should not think them kept. */
const PROMISED: ReadonlySet<string> = new Set(["retention", "frequency"]);

const UNITS: readonly (readonly [unit: string, names: readonly string[]])[] = [
  ["year", ["y", "yr", "year", "years"]],
  ["month", ["mo", "month", "months"]],
  ["week", ["w", "week", "weeks"]],
  ["day", ["d", "day", "days"]],
  ["hour", ["h", "hr", "hour", "hours"]],
  ["minute", ["m", "min", "minute", "minutes"]],
  ["second", ["s", "sec", "second", "seconds"]],
];
const SEVERITIES: readonly unknown[] = ["info", "warning", "error"];

/** What is wrong with a service level; `path` leads on from `slaProperties`. */
interface ServiceLevelProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint?: string;
}

export function* serviceLevelProblems(contract: Contract): Generator<ServiceLevelProblem> {
  for (const [index, level] of (contract.slaProperties ?? []).entries())
    if (JUDGED.has(level.property)) yield* levelProblems(level, index, contract);
}

function* levelProblems(level: ServiceLevel, index: number, contract: Contract): Generator<ServiceLevelProblem> {
  const { property, value, unit, severity } = level;
  if (!(Number(value) >= 0) || String(value).trim() === "")
    yield {
      path: [index, "value"],
      message: `${property} is ${JSON.stringify(value)}; expected a number of ${unit ?? "days"}`,
    };
  if (unitOf(unit) === undefined)
    yield {
      path: [index, "unit"],
      message: `There is no unit "${unit}"`,
      hint: `Units are ${UNITS.map(([name]) => `${name}s`).join(", ")}.`,
    };
  if (severity !== undefined && !SEVERITIES.includes(severity))
    yield {
      path: [index, "severity"],
      message: `The severity is ${JSON.stringify(severity)}; it is one of ${SEVERITIES.join(", ")}`,
    };
  const elements = elementsOf(level, contract);
  if (elements.length === 0)
    yield {
      path: [index],
      message: `${property} needs an element: the column whose newest time says how old the rows are`,
      hint: `element: ${contract.schema[0]?.name}.COLUMN`,
    };
  for (const { object, column } of elements) {
    const table = contract.schema.find(({ name, physicalName }) => name === object || physicalName === object);
    if (table === undefined)
      yield {
        path: [index, "element"],
        message: `The contract has no object "${object}"; it has ${contract.schema.map(({ name }) => name).join(", ")}`,
        hint: "An element is OBJECT.PROPERTY.",
      };
    else yield* elementProblems(table, column, [index, "element"]);
  }
}

function* elementProblems(
  { name, properties }: ContractTable,
  column: string,
  path: ServiceLevelProblem["path"],
): Generator<ServiceLevelProblem> {
  const found = properties.find((property) => property.name === column);
  if (found === undefined)
    yield {
      path,
      message: `${name} has no property "${column}"; it has ${properties.map((property) => property.name).join(", ")}`,
    };
  else if (found.logicalType !== undefined && found.logicalType !== "date" && found.logicalType !== "timestamp")
    yield {
      path,
      message: `"${column}" is of type ${found.logicalType}; the age of rows is told by a date or a timestamp`,
    };
}

function unitOf(unit: string | undefined): string | undefined {
  const written = (unit ?? "d").toLowerCase();
  return UNITS.find(([, names]) => names.includes(written))?.[0];
}

/** A level may be of several elements, written with commas; without any it is of `slaDefaultElement`. */
function elementsOf(
  { element }: ServiceLevel,
  { slaDefaultElement, schema }: Contract,
): readonly { readonly object: string; readonly column: string }[] {
  return (element ?? slaDefaultElement ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map((text) => {
      const dot = text.indexOf(".");
      // Of a contract with one object, the column says all.
      return dot < 0 && schema.length === 1
        ? { object: schema[0]?.name ?? "", column: text }
        : { object: text.slice(0, Math.max(dot, 0)), column: text.slice(dot + 1) };
    });
}

/** A late source is worth a warning, as its rows are as good as they were; `severity: error` says that they are not. */
export function* serviceLevelRules(contract: Contract, table: ContractTable): Generator<DatasetRule> {
  for (const level of contract.slaProperties ?? []) {
    const { property, value, severity } = level;
    const unit = unitOf(level.unit);
    if (!JUDGED.has(property) || unit === undefined) continue;
    for (const { object, column: written } of elementsOf(level, contract)) {
      if (object !== table.name && object !== table.physicalName) continue;
      const column = normaliseColumnName(written, 0);
      yield {
        id: level.id ?? `${property}:${column}`,
        severity: severity === "error" ? "error" : "warning",
        expectation: `the newest ${column} must be at most ${String(value)} ${Number(value) === 1 ? unit : `${unit}s`} old`,
        measure: (relation) =>
          `select round(epoch(now() - max(${quoteName(column)})::TIMESTAMPTZ) / epoch(INTERVAL 1 ${unit}), 3) as value from ${relation}`,
        holds: `value <= ${Number(value)}`,
      };
    }
  }
}

/** What a contract promises of a table and nothing here checks. */
export function promisedLevels(contract: Contract, table: ContractTable): readonly string[] {
  return (contract.slaProperties ?? []).flatMap((level) =>
    PROMISED.has(level.property) &&
    elementsOf(level, contract).some(({ object }) => object === table.name || object === table.physicalName)
      ? [`${level.property} (slaProperties)`]
      : [],
  );
}

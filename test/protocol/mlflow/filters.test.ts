import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import {
  type Condition,
  type OrderKey,
  parseExperimentFilter,
  parseExperimentOrder,
  parseLoggedModelFilter,
  parseLoggedModelOrderField,
  parseModelVersionFilter,
  parseModelVersionOrder,
  parseRegisteredModelFilter,
  parseRegisteredModelOrder,
  parseRunFilter,
  parseRunOrder,
} from "#tracking";

const filterParsers: Readonly<Record<string, (filter: string) => readonly Condition[]>> = {
  "runs filter": parseRunFilter,
  "experiments filter": parseExperimentFilter,
  "registered-models filter": parseRegisteredModelFilter,
  "model-versions filter": parseModelVersionFilter,
  "logged-models filter": parseLoggedModelFilter,
};
const orderParsers: Readonly<Record<string, (entry: string) => OrderKey>> = {
  "runs order_by": parseRunOrder,
  "experiments order_by": parseExperimentOrder,
  "registered-models order_by": parseRegisteredModelOrder,
  "model-versions order_by": parseModelVersionOrder,
  "logged-models order_by": (entry) => ({ ...parseLoggedModelOrderField(entry), ascending: true }),
};

/** Inputs for which esteira answers differently on purpose (docs: mlflow compatibility). */
const deliberate: Readonly<Record<string, string>> = {
  "runs filter\trun_id IN ('A','b')": 'attribute "run_id" IN ("A", "b")',
  'logged-models filter\tname = "a"': 'attributes "name" = "a"',
  'logged-models filter\tmetrics."acc x" > 0.5': 'metrics "acc x" > 0.5',
  "registered-models filter\ttags.k IS NULL": "rejected",
  "model-versions filter\ttags.k IS NULL": "rejected",
  "logged-models filter\tbogus = 'x'": "rejected",
  "logged-models filter\tmetrics.acc > 'x'": "rejected",
};

function printed(value: Condition["value"]): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return ` (${value.map((item) => JSON.stringify(item)).join(", ")})`;
  return ` ${typeof value === "number" ? value : JSON.stringify(value)}`;
}

/** Columns of ours that MLflow's parser names differently: it translates them later. */
function sameColumn(text: string): string {
  return text
    .replace(/"(created|Created)"/g, '"start_time"')
    .replace(/"[Rr]un [Nn]ame"/g, '"run_name"')
    .replace(/^"(name|timestamp|last_updated_timestamp)"/, 'attribute "$1"')
    .replace(/"timestamp"/, '"last_updated_timestamp"')
    .replace(/(?<= )-?[\d.]+(e[-+]?\d+)?(?=;|$)/gi, (number) => String(Number(number)))
    .replace(/" (in|like|not in|is not null)/g, (word) => word.toUpperCase());
}

function outcome(call: string, input: string): string {
  try {
    const order = orderParsers[call];
    if (order !== undefined) {
      const { entity, key, ascending } = order(input);
      return `${entity} "${key}" ${ascending ? "ASC" : "DESC"}`;
    }
    const conditions = filterParsers[call]?.(input) ?? [];
    return (
      conditions
        .map(({ entity, key, comparator, value }) => `${entity} "${key}" ${comparator}${printed(value)}`)
        .join("; ") || "(no condition)"
    );
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    assert.equal(error.status, 400);
    return `400 INVALID_PARAMETER_VALUE: ${error.message}`;
  }
}

describe("MLflow's filters and orders", () => {
  const lines = readFileSync(new URL("./filters.tsv", import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
    .slice(1);
  for (const line of lines) {
    const [call = "", quoted = "", verdict = "", expected = ""] = line.split("\t");
    const input = JSON.parse(quoted) as string;
    it(`${call} ${quoted}: ${verdict}`, () => {
      const answer = outcome(call, input);
      const other = deliberate[`${call}\t${input}`];
      if (other === "rejected") assert.match(answer, /^400 /);
      else if (other !== undefined) assert.equal(answer, other);
      else if (expected === "") assert.doesNotMatch(answer, /^400 /);
      // The table squeezes white space.
      else assert.equal(sameColumn(answer).replace(/\s+/g, " "), sameColumn(expected).replace(/\s+/g, " "));
    });
  }
});

// No list of an answer is cut without saying so: it pages on, stands beside its count, says that it was cut, or is
// whole by what it is. A list that is new must be put into one of these.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiSchemas } from "../../src/api/api-schemas.ts";

/** Lists that hold all there is, and those that are the newest few of a list which has a route of its own. */
const WHOLE: Readonly<Record<string, readonly string[]>> = {
  "a closed set of the program": ["capabilities", "stations", "stations[].counts", "code", "identity.roles"],
  "all that differs between two recipes": ["changes"],
  "all that differs between two releases, and those compared": [
    "from",
    "to",
    "differences",
    "differences[].before",
    "differences[].after",
    "inside.metrics",
    "inside.recipe",
    "settings",
  ],
  "what is live in one environment": ["stays"],
  "what became of the rules of one environment": ["lowered", "history", "history[].approvedBy"],
  "what a file of the project declares": [
    "loads",
    "pools",
    "pipelines",
    "pipelines[].schedules",
    "pipelines[].sensors",
    "triggers",
    "triggers[].nextAtMs",
    "steps",
    "steps[].makes",
    "steps[].from.uses",
    "steps[].reads",
    "edges",
    "externalAssets",
    "params",
    "problems",
    "entities",
    "features",
    "monitors",
    "consumedBy",
    "contract.rules",
    "tiles",
    "downstream",
    "items[].live",
    "items[].unisolated",
  ],
  "how a policy stands, and its newest decisions; the audit log has all": [
    "pipelines[].reasons",
    "pipelines[].reasons[].since",
    "pipelines[].waiting",
    "pipelines[].decisions",
    "pipelines[].decisions[].causes",
    "pipelines[].decisions[].reasons",
    "pipelines[].decisions[].reasons[].since",
    "pipelines[].decisions[].models",
  ],
  "one of each pipeline": ["failedRuns"],
  "what one step run did": ["why", "attempts", "inputs", "made"],
  "what one version is": [
    "checks",
    "columns",
    "columns[].from",
    "profile",
    "profile[].quantiles",
    "profile[].histogram.edges",
    "profile[].histogram.counts",
    "profile[].values",
    "profile[].topValues",
    "quarantine.byRule",
    "treated",
    "outputs",
    "trainingData",
    "testData",
    "testVerdict.rules",
    "testVerdict.segments",
    "files",
    "aliases",
    "servedAt",
    "cells",
    "cells[].tags",
    "cells[].outputs",
    "approvals",
    "pendingApprovals",
    "deployments",
  ],
  "what one window, alert, release, trial or row has": [
    "modelVersions",
    "scores",
    "shape.bins",
    "shape.reference",
    "shape.current",
    "objectives",
    "objectives[].burns",
    "tests",
    "notices",
    "explanation.columns",
    "explanation.segments",
    "explanation.causes",
    "explanation.causes[].columns",
    "explanation.causes[].schema",
    "explanation.advice",
    "performance",
    "drift",
    "triggered",
    "items[].items",
    "live[].items",
    "releases[].items",
    "replacedItems",
    "before.items",
    "arms",
    "arms[].failures",
    "checks",
    "steps",
    "rows[]",
    "rules",
    "periods",
  ],
  "the first of those whose places are all counted in `used`": ["waitsFor.holders", "pools[].holders"],
  "the first of those that `leftOut` counts": ["filled"],
  "those of the alerts that are shown": ["retrainings"],
  "the main way back, one of each kind": ["chain"],
  "the newest few, with the way to all": ["runs", "releases", "recentRuns"],
};

const isWhole = (path: string): boolean =>
  Object.values(WHOLE)
    .flat()
    .some((known) => path === known || path.endsWith(`.${known}`));

interface Schema {
  readonly def: {
    readonly type: string;
    readonly innerType?: Schema;
    readonly element?: Schema;
    readonly options?: readonly Schema[];
    readonly valueType?: Schema;
  };
  readonly shape?: Readonly<Record<string, Schema>>;
}

interface FoundList {
  readonly path: string;
  readonly name: string;
  /** Names beside it. */
  readonly beside: readonly string[];
}

function* listsOf(schema: Schema, path: string, beside: readonly string[]): Generator<FoundList> {
  const { def, shape } = schema;
  if (def.innerType !== undefined) yield* listsOf(def.innerType, path, beside);
  if (def.element !== undefined) {
    yield { path, name: path.split(".").at(-1) ?? "", beside };
    yield* listsOf(def.element, `${path}[]`, beside);
  }
  for (const option of def.options ?? []) yield* listsOf(option, path, beside);
  if (def.valueType !== undefined) yield* listsOf(def.valueType, `${path}{}`, beside);
  for (const [name, field] of Object.entries(shape ?? {}))
    yield* listsOf(field, path === "" ? name : `${path}.${name}`, Object.keys(shape ?? {}));
}

/** `openAlerts` beside `openAlertCount`, `items` beside `next` or `more`, `nodes` beside `truncated`. */
function saysHowMany({ path, name, beside }: FoundList): boolean {
  if (path === "items" && (beside.includes("next") || beside.includes("more"))) return true;
  if (beside.includes("truncated") || (name === "rows" && beside.includes("rowCount"))) return true;
  return beside.includes(`${name.replace(/s$/, "")}Count`) || (name === "versions" && beside.includes("latestVersion"));
}

test("every list of an answer is whole, or says that it is not", () => {
  const cut: string[] = [];
  for (const [route, { response }] of Object.entries(apiSchemas)) {
    for (const list of listsOf(response as unknown as Schema, "", []))
      if (!saysHowMany(list) && !isWhole(list.path)) cut.push(`${route}: ${list.path}`);
  }
  assert.deepEqual(cut, []);
});

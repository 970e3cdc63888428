// The form that asks an endpoint: what is typed becomes a row, or a word about what is wrong.
import assert from "node:assert/strict";
import { it } from "node:test";
import { readTriedRow, toField, type TriedColumn } from "../../web/models/tried-row.ts";

const column = (name: string, facts: Partial<TriedColumn> = {}): TriedColumn => ({
  name,
  type: "number",
  isRequired: true,
  isNullable: false,
  ...facts,
});

it("what is typed becomes a row of the columns' types", () => {
  const columns = [
    column("distance"),
    column("hour", { type: "integer" }),
    column("origin", { type: "string" }),
    column("late", { type: "boolean" }),
  ];
  assert.deepEqual(readTriedRow(columns, { distance: " 10.5 ", hour: "7", origin: " GRU", late: "true" }), {
    features: { distance: 10.5, hour: 7, origin: " GRU", late: true },
    problems: [],
  });
});

it("what is empty is left out, null, an empty text, or asked for", () => {
  const columns = [
    column("read", { isRequired: false }),
    column("maybe", { isNullable: true }),
    column("text", { type: "string" }),
    column("needed"),
  ];
  assert.deepEqual(readTriedRow(columns, {}), {
    features: { maybe: null, text: "" },
    problems: [{ column: "needed", kind: "required", found: "" }],
  });
});

it("what is no number, or no whole one that JSON keeps, is named", () => {
  const columns = [column("distance"), column("hour", { type: "integer" }), column("id", { type: "integer" })];
  assert.deepEqual(readTriedRow(columns, { distance: "far", hour: "1.5", id: "9007199254740993" }), {
    features: {},
    problems: [
      { column: "distance", kind: "number", found: "far" },
      { column: "hour", kind: "whole", found: "1.5" },
      { column: "id", kind: "whole", found: "9007199254740993" },
    ],
  });
  assert.deepEqual(["a", 1.5, true, null, undefined].map(toField), ["a", "1.5", "true", "", ""]);
});

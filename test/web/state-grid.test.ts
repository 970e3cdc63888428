import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GRID_LETTERS as LETTERS_OF_API, type StateGrid } from "#api";
import {
  CELL,
  cellAt,
  cellsOf,
  countStates,
  GRID_LETTERS,
  type GridCell,
  GUTTER,
  idAt,
  layOut,
  type Move,
  moveCell,
  stateAt,
  toSections,
} from "../../web/models/state-grid.ts";

const ID = "01M8JFJJ5B150WGTDW8XEXXKK";
const items: StateGrid = {
  steps: [
    { step: "before", states: "s", ids: `${ID}0` },
    { step: "work", states: "ssfrwqpkxc", ids: Array.from({ length: 10 }, (_, at) => `${ID}${at}`).join("") },
    { step: "last", states: "sf", ids: "" },
  ],
  columns: [],
  pipelineRuns: "",
};
const days: StateGrid = {
  steps: [
    { step: "load", states: "ssf-", ids: "" },
    { step: "publish", states: "sfk-", ids: "" },
  ],
  columns: ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"],
  pipelineRuns: `${ID}0${ID}1${ID}2${" ".repeat(26)}`,
};

describe("a grid of states", () => {
  it("has a section for each step with several step runs, and one for all steps of partitions", () => {
    assert.deepEqual(
      toSections(items).map(({ rows, columns }) => [rows.map(({ step }) => step).join(), columns]),
      [
        ["work", 10],
        ["last", 2],
      ],
    );
    assert.deepEqual(
      toSections(days).map(({ rows, columns }) => [rows.map(({ step }) => step).join(), columns]),
      [["load,publish", 4]],
    );
    assert.deepEqual(toSections({ steps: [], columns: [], pipelineRuns: "" }), []);
  });

  it("goes on below where its columns do not fit, and finds the cell at a place", () => {
    const sections = toSections(items);
    const layout = layOut(sections, GUTTER + 5 * CELL);
    assert.equal(layout.perBand, 4);
    assert.deepEqual(
      layout.bands.map(({ section, from, to }) => [section, from, to]),
      [
        [0, 0, 4],
        [0, 4, 8],
        [0, 8, 10],
        [1, 0, 2],
      ],
    );
    for (const band of layout.bands) {
      const place = { x: GUTTER + CELL + 1, y: band.top + 1 };
      assert.deepEqual(cellAt(sections, layout, place), { section: band.section, row: 0, column: band.from + 1 });
    }
    assert.equal(cellAt(sections, layout, { x: 3, y: layout.bands[0]?.top ?? 0 }), undefined);
    assert.equal(cellAt(sections, layout, { x: GUTTER + 3 * CELL, y: (layout.bands[2]?.top ?? 0) + 1 }), undefined);
    assert.equal(cellAt(sections, layout, { x: GUTTER + 1, y: layout.height + 100 }), undefined);
    assert.ok(layOut(sections, 0).perBand >= 1, "a page without width");
  });

  it("has the letters of the API", () => assert.deepEqual(GRID_LETTERS, LETTERS_OF_API));

  it("counts and finds states, and reads ids", () => {
    const sections = toSections(items);
    assert.deepEqual([...countStates(sections.flatMap(({ rows }) => rows))].slice(0, 3), [
      ["failed", 2],
      ["running", 1],
      ["waiting", 1],
    ]);
    assert.deepEqual(cellsOf(sections, "failed"), [
      { section: 0, row: 0, column: 2 },
      { section: 1, row: 0, column: 1 },
    ]);
    assert.equal(stateAt(sections, { section: 0, row: 0, column: 9 }), "cached");
    assert.equal(stateAt(sections, { section: 7, row: 0, column: 0 }), "missing");
    assert.equal(idAt(items.steps[1]?.ids ?? "", 3), `${ID}3`);
    assert.equal(idAt(days.pipelineRuns, 3), undefined);
  });

  it("is walked by keys, with a state from one of it to the next, and never left", () => {
    const sections = toSections(items);
    const walk = (from: GridCell, ...keys: Move[]): readonly number[] => {
      const { section, row, column } = keys.reduce((at, key) => moveCell(sections, 4, at, { key }), from);
      return [section, row, column];
    };
    const start: GridCell = { section: 0, row: 0, column: 0 };
    assert.deepEqual(walk(start, "ArrowLeft"), [0, 0, 0]);
    assert.deepEqual(walk(start, "ArrowRight", "ArrowDown"), [0, 0, 5]);
    assert.deepEqual(walk(start, "End", "ArrowRight"), [0, 0, 9]);
    assert.deepEqual(walk(start, "End", "ArrowDown"), [1, 0, 1]);
    assert.deepEqual(walk(start, "End", "ArrowDown", "ArrowDown", "ArrowUp"), [0, 0, 1]);
    assert.deepEqual(walk(start, "PageDown", "Home", "PageUp", "ArrowUp"), [0, 0, 0]);
    const next = moveCell(sections, 4, start, { key: "ArrowRight", state: "failed" });
    assert.equal(next.column, 2);
    assert.equal(moveCell(sections, 4, next, { key: "ArrowRight", state: "failed" }).column, 2, "there is no other");
    const byDay = toSections(days);
    const below = moveCell(byDay, 2, { section: 0, row: 1, column: 0 }, { key: "ArrowDown" });
    assert.deepEqual(below, { section: 0, row: 0, column: 2 });
    assert.deepEqual(moveCell(byDay, 2, below, { key: "ArrowUp" }), { section: 0, row: 1, column: 0 });
  });
});

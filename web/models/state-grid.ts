import type { GridState, StateGrid } from "#api";

const GRID_ID_LENGTH = 26;

/** The letter of each state, as the API writes it. */
export const GRID_LETTERS: Readonly<Record<GridState, string>> = {
  succeeded: "s",
  cached: "c",
  failed: "f",
  running: "r",
  waiting: "w",
  queued: "q",
  pending: "p",
  skipped: "k",
  cancelled: "x",
  missing: "-",
};

/** The states in the order in which they are counted and chosen: what needs looking at first. */
export const GRID_STATES: readonly GridState[] = [
  "failed",
  "running",
  "waiting",
  "queued",
  "pending",
  "succeeded",
  "cached",
  "skipped",
  "cancelled",
  "missing",
];

const STATES: ReadonlyMap<string, GridState> = new Map(GRID_STATES.map((state) => [GRID_LETTERS[state], state]));

/** Steps whose cells stand below each other: of partitions all of them, of items each step for itself. */
export interface GridSection {
  readonly rows: readonly { readonly step: string; readonly states: string }[];
  readonly columns: number;
}

/** One cell: which section, which row of it, which column. */
export interface GridCell {
  readonly section: number;
  readonly row: number;
  readonly column: number;
}

/** Rows of cells that fit beside each other; what does not, goes on below. */
export interface GridBand {
  readonly section: number;
  /** First column, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** Of its first row of cells, in pixels. */
  readonly top: number;
}

export interface GridLayout {
  readonly bands: readonly GridBand[];
  readonly perBand: number;
  readonly height: number;
}

export const CELL = 12;
/** Left of the cells: what they are of. */
export const GUTTER = 150;
const BAND_GAP = 8;
const SECTION_GAP = 12;

/** Of a pipeline run: the steps with more than one step run. */
export function toSections(grid: StateGrid): readonly GridSection[] {
  if (grid.columns.length > 0) return [{ rows: grid.steps, columns: grid.columns.length }];
  return grid.steps
    .filter(({ states }) => states.length > 1)
    .map((row) => ({ rows: [row], columns: row.states.length }));
}

export function layOut(sections: readonly GridSection[], width: number): GridLayout {
  const perBand = Math.max(1, Math.floor((width - GUTTER - CELL) / CELL));
  const bands: GridBand[] = [];
  let top = SECTION_GAP;
  for (const [section, { rows, columns }] of sections.entries()) {
    for (let from = 0; from < columns; from += perBand) {
      bands.push({ section, from, to: Math.min(columns, from + perBand), top });
      top += rows.length * CELL + (rows.length > 1 ? BAND_GAP : 0);
    }
    top += SECTION_GAP;
  }
  return { bands, perBand, height: top };
}

/** The cell at a place, in pixels of the whole grid; undefined where there is none. */
export function cellAt(
  sections: readonly GridSection[],
  { bands }: GridLayout,
  place: { readonly x: number; readonly y: number },
): GridCell | undefined {
  const column = Math.floor((place.x - GUTTER) / CELL);
  const band = bands.findLast(({ top }) => top <= place.y);
  if (band === undefined || column < 0 || band.from + column >= band.to) return undefined;
  const row = Math.floor((place.y - band.top) / CELL);
  if (row >= (sections[band.section]?.rows.length ?? 0)) return undefined;
  return { section: band.section, row, column: band.from + column };
}

export function stateAt(sections: readonly GridSection[], { section, row, column }: GridCell): GridState {
  return STATES.get(sections[section]?.rows[row]?.states[column] ?? "-") ?? "missing";
}

/** How many cells are in each state, of a row or of all. */
export function countStates(rows: readonly { readonly states: string }[]): ReadonlyMap<GridState, number> {
  const letters = new Map<string, number>();
  for (const { states } of rows) for (const letter of states) letters.set(letter, (letters.get(letter) ?? 0) + 1);
  return new Map(
    GRID_STATES.flatMap((state) => {
      const count = letters.get(GRID_LETTERS[state]) ?? 0;
      return count === 0 ? [] : [[state, count] as const];
    }),
  );
}

/** Every cell of a state. */
export function cellsOf(sections: readonly GridSection[], state: GridState): readonly GridCell[] {
  const letter = GRID_LETTERS[state];
  const found: GridCell[] = [];
  for (const [section, { rows }] of sections.entries())
    for (const [row, { states }] of rows.entries())
      for (let column = states.indexOf(letter); column !== -1; column = states.indexOf(letter, column + 1))
        found.push({ section, row, column });
  return found;
}

export const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"] as const;
export type Move = (typeof MOVES)[number];

const BANDS_PER_PAGE = 8;

/** Where a key leads; with a state, sideways to the next cell of it. */
export function moveCell(
  sections: readonly GridSection[],
  perBand: number,
  from: GridCell,
  { key, state }: { readonly key: Move; readonly state?: GridState | undefined },
): GridCell {
  const { section, row, column } = from;
  const of = sections[section];
  if (of === undefined) return from;
  const at = (wanted: number, inRow = row): GridCell => ({
    section,
    row: inRow,
    column: Math.min(of.columns - 1, Math.max(0, wanted)),
  });
  switch (key) {
    case "ArrowLeft":
    case "ArrowRight":
      return sideways(sections, from, { step: key === "ArrowLeft" ? -1 : 1, state });
    case "ArrowUp":
      if (row > 0) return at(column, row - 1);
      if (column >= perBand) return at(column - perBand, of.rows.length - 1);
      return neighbour(sections, from, -1);
    case "ArrowDown":
      if (row < of.rows.length - 1) return at(column, row + 1);
      if (column + perBand < of.columns) return at(column + perBand, 0);
      return neighbour(sections, from, 1);
    case "Home":
      return at(0);
    case "End":
      return at(of.columns - 1);
    case "PageUp":
      return at(column - perBand * BANDS_PER_PAGE);
    case "PageDown":
      return at(column + perBand * BANDS_PER_PAGE);
  }
}

function sideways(
  sections: readonly GridSection[],
  from: GridCell,
  { step, state }: { readonly step: 1 | -1; readonly state: GridState | undefined },
): GridCell {
  const states = sections[from.section]?.rows[from.row]?.states ?? "";
  const letter = state === undefined ? undefined : GRID_LETTERS[state];
  for (let column = from.column + step; column >= 0 && column < states.length; column += step)
    if (letter === undefined || states[column] === letter) return { ...from, column };
  return from;
}

/** The section above or below, where there is one. */
function neighbour(sections: readonly GridSection[], from: GridCell, step: 1 | -1): GridCell {
  const section = from.section + step;
  const of = sections[section];
  if (of === undefined) return from;
  return { section, row: step === 1 ? 0 : of.rows.length - 1, column: Math.min(from.column, of.columns - 1) };
}

/** An id of the texts of a grid; undefined where there is none. */
export function idAt(ids: string, place: number): string | undefined {
  const id = ids.slice(place * GRID_ID_LENGTH, (place + 1) * GRID_ID_LENGTH).trim();
  return id === "" ? undefined : id;
}

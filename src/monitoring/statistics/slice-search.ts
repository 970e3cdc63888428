import { normalSurvival } from "./distributions.ts";
import { adjustPValues } from "./false-discovery.ts";

/** One side of a search: columns and the loss of each row. */
export interface SliceRows {
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
  /** Larger is worse; finite. */
  readonly loss: Float64Array;
}

/** Rows in which a model got worse more than elsewhere. */
export interface Slice {
  /** `hour > 18`, `origin = ORD`. */
  readonly predicates: readonly string[];
  readonly rows: number;
  readonly referenceRows: number;
  readonly loss: number;
  readonly referenceLoss: number;
  /** By how much more the loss grew than outside, in standard deviations of the reference's loss. */
  readonly effect: number;
  /** Adjusted for all slices that were looked at (Benjamini–Hochberg). */
  readonly pValue: number;
}

export interface SliceSearch {
  /** Strongest first. */
  readonly slices: readonly Slice[];
  /** Slices that were large enough to be looked at. */
  readonly tested: number;
}

export interface SliceOptions {
  /** Conditions of a slice at most, 1 to 3. */
  readonly predicates: number;
  /** Smallest effect. */
  readonly effect: number;
  readonly falseDiscovery: number;
  /** Rows of a slice at least. */
  readonly minRows: number;
}

const NUMBER_BINS = 5;
const MOST_CATEGORIES = 15;
const LEAST_REFERENCE = 30;
/** Rows of a side in which pairs are looked for, taken evenly; what is found is measured in all. */
const MOST_PAIRED = 150_000;
/** Candidates that are measured again without the rows of stronger slices. */
const MOST_MEASURED = 150;
/** Pairs that are followed to a third condition. */
const FOLLOWED = 40;
const MOST_FOUND = 10;
/** One more condition has to say so much more than those before it. */
const GAIN = 1.2;

/**
 * Searches for conditions under which the loss grew from the reference to the current rows by more than outside of
 * them: every single one, every pair, and the forty strongest pairs with a third.
 *
 * Numbers are cut at the reference's quintiles, categories beyond the fifteen largest are one. The difference of the
 * differences is tested one-sided against its standard error; p-values are adjusted for all slices that were looked
 * at. Pairs are looked for in 150,000 rows of each side; every slice that is found is measured in all rows, without
 * those of stronger ones: what another one tells is left out, and only what is chosen so counts for the share of false
 * discoveries.
 *
 * Pure. Gives way to the event loop between columns. Source: lattice search as SliceFinder (Chung et al. 2019), with
 * Benjamini & Hochberg (1995) instead of α-investing.
 */
export async function searchCoded(coded: CodedSlices): Promise<SliceSearch> {
  const { columns, current, reference, options } = coded;
  const search: Search = {
    ...coded,
    whole: { current: momentsOf(current), reference: momentsOf(reference) },
    paired: { current: momentsOf(thin(current)), reference: momentsOf(thin(reference)) },
  };
  const pairedSearch = { ...search, whole: search.paired };
  const found: Tested[] = [];
  for (const [first, column] of columns.entries()) {
    found.push(...testTable([first], countOne(search, column), search));
    if (options.predicates < 2) continue;
    for (let second = 0; second < first; second++) {
      found.push(...testTable([second, first], countTwo(search, columns[second] ?? column, column), pairedSearch));
      if (second % 4 === 3) await giveWay();
    }
    await giveWay();
  }
  if (options.predicates > 2) found.push(...(await followPairs(found, search)));
  return { slices: await choose(found, search), tested: found.length };
}

/** The conditions of every column, and which of them each row fulfils. Gives way to the event loop between columns. */
export async function codeSlices(
  current: SliceRows,
  reference: SliceRows,
  options: SliceOptions,
): Promise<CodedSlices> {
  const columns: EncodedColumn[] = [];
  for (const [name, values] of reference.columns) {
    const column = encodeColumn(name, values, current.columns.get(name) ?? []);
    if (column !== undefined) columns.push(column);
    await giveWay();
  }
  return { columns, current: current.loss, reference: reference.loss, options };
}

/** The rows in which pairs are looked for. */
function thin(loss: Float64Array): Float64Array {
  const step = Math.max(1, Math.ceil(loss.length / MOST_PAIRED));
  return step === 1 ? loss : loss.filter((_, row) => row % step === 0);
}

function giveWay(): Promise<void> {
  return new Promise(setImmediate);
}

/** Rows of a search as they can be sent to a thread. */
export interface CodedSlices {
  readonly columns: readonly EncodedColumn[];
  /** Losses. */
  readonly current: Float64Array;
  readonly reference: Float64Array;
  readonly options: SliceOptions;
}

interface Search extends CodedSlices {
  readonly whole: Sides;
  /** Of the rows in which pairs are looked for. */
  readonly paired: Sides;
}

interface Sides {
  readonly current: Moments;
  readonly reference: Moments;
}

interface EncodedColumn {
  readonly current: Uint8Array;
  readonly reference: Uint8Array;
  /** Condition of each code. */
  readonly conditions: readonly string[];
}

function encodeColumn(
  name: string,
  reference: ArrayLike<unknown>,
  current: ArrayLike<unknown>,
): EncodedColumn | undefined {
  const isNumeric = isNumbers(reference);
  const { encode, conditions } = isNumeric ? cutNumbers(name, reference) : nameCategories(name, reference);
  if (conditions.length < 2) return undefined;
  const code = (values: ArrayLike<unknown>): Uint8Array => {
    const codes = new Uint8Array(values.length);
    for (let row = 0; row < codes.length; row++) codes[row] = encode(values[row]);
    return codes;
  };
  return { current: code(current), reference: code(reference), conditions };
}

function isNumbers(values: ArrayLike<unknown>): boolean {
  const distinct = new Set<unknown>();
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    if (typeof value !== "number" && typeof value !== "bigint") return false;
    if (distinct.size <= MOST_CATEGORIES) distinct.add(value);
  }
  return distinct.size > NUMBER_BINS;
}

interface Coding {
  readonly encode: (value: unknown) => number;
  readonly conditions: readonly string[];
}

function cutNumbers(name: string, values: ArrayLike<unknown>): Coding {
  const numbers = Float64Array.from({ length: values.length }, (_, row) => Number(values[row] ?? NaN))
    .filter(Number.isFinite)
    .sort();
  const cuts = [
    ...new Set(
      Array.from(
        { length: NUMBER_BINS - 1 },
        (_, index) => numbers[Math.floor(((index + 1) * numbers.length) / NUMBER_BINS)] ?? 0,
      ),
    ),
  ].filter((cut) => cut < (numbers.at(-1) ?? 0));
  const short = (value: number): string => String(Number(value.toPrecision(6)));
  const conditions = Array.from({ length: cuts.length + 1 }, (_, index) => {
    const [from, to] = [cuts[index - 1], cuts[index]];
    if (from === undefined) return `${name} ≤ ${short(to ?? Infinity)}`;
    return to === undefined ? `${name} > ${short(from)}` : `${short(from)} < ${name} ≤ ${short(to)}`;
  });
  return {
    conditions: [...conditions, `${name} is missing`],
    encode(value) {
      const number = value === null || value === undefined ? NaN : Number(value);
      if (Number.isNaN(number)) return conditions.length;
      let bin = 0;
      while (bin < cuts.length && number > (cuts[bin] ?? 0)) bin++;
      return bin;
    },
  };
}

function nameCategories(name: string, values: ArrayLike<unknown>): Coding {
  const counts = new Map<string, number>();
  const nameOf = (value: unknown): string => (typeof value === "string" ? value : String(value));
  const isMissing = (value: unknown): boolean =>
    value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));
  for (let row = 0; row < values.length; row++)
    if (!isMissing(values[row])) counts.set(nameOf(values[row]), (counts.get(nameOf(values[row])) ?? 0) + 1);
  const kept = [...counts]
    .sort(([left, n], [right, m]) => m - n || (left < right ? -1 : 1))
    .slice(0, MOST_CATEGORIES)
    .map(([category]) => category);
  const codes = new Map(kept.map((category, code) => [category, code]));
  return {
    conditions: [...kept.map((category) => `${name} = ${category}`), `${name} is another`, `${name} is missing`],
    encode: (value) => (isMissing(value) ? kept.length + 1 : (codes.get(nameOf(value)) ?? kept.length)),
  };
}

/** Count, sum and sum of squares. */
interface Moments {
  readonly n: number;
  readonly sum: number;
  readonly squares: number;
}

function momentsOf(loss: Float64Array): Moments {
  let [sum, squares] = [0, 0];
  for (const value of loss) {
    sum += value;
    squares += value * value;
  }
  return { n: loss.length, sum, squares };
}

/** Moments by cell, one after the other, of both sides. */
interface Table {
  readonly current: Float64Array;
  readonly reference: Float64Array;
  /** Cells of the last column of the table's. */
  readonly width: number;
}

function countOne({ current, reference }: Search, column: EncodedColumn): Table {
  const width = column.conditions.length;
  const count = (codes: Uint8Array, loss: Float64Array): Float64Array => {
    const cells = new Float64Array(width * 3);
    for (let row = 0; row < loss.length; row++) add(cells, (codes[row] ?? 0) * 3, loss[row] ?? 0);
    return cells;
  };
  return { current: count(column.current, current), reference: count(column.reference, reference), width };
}

function countTwo({ current, reference }: Search, left: EncodedColumn, right: EncodedColumn): Table {
  const width = right.conditions.length;
  const size = left.conditions.length * width * 3;
  const count = (a: Uint8Array, b: Uint8Array, loss: Float64Array): Float64Array => {
    const cells = new Float64Array(size);
    const step = Math.max(1, Math.ceil(loss.length / MOST_PAIRED));
    for (let row = 0; row < loss.length; row += step)
      add(cells, ((a[row] ?? 0) * width + (b[row] ?? 0)) * 3, loss[row] ?? 0);
    return cells;
  };
  return {
    current: count(left.current, right.current, current),
    reference: count(left.reference, right.reference, reference),
    width,
  };
}

function add(cells: Float64Array, place: number, loss: number): void {
  cells[place] = (cells[place] ?? 0) + 1;
  cells[place + 1] = (cells[place + 1] ?? 0) + loss;
  cells[place + 2] = (cells[place + 2] ?? 0) + loss * loss;
}

interface Tested extends Omit<Slice, "predicates" | "pValue"> {
  /** Column and code of each condition. */
  readonly parts: readonly (readonly [number, number])[];
  readonly z: number;
}

function testTable(columns: readonly number[], table: Table, search: Search, before: Tested["parts"] = []): Tested[] {
  const found: Tested[] = [];
  for (let cell = 0; cell * 3 < table.current.length; cell++) {
    const tested = testCell(readCell(table.current, cell), readCell(table.reference, cell), search);
    if (tested === undefined) continue;
    const codes = columns.length === 1 ? [cell] : [Math.floor(cell / table.width), cell % table.width];
    found.push({
      ...tested,
      parts: [...before, ...columns.map((column, index) => [column, codes[index] ?? 0] as const)],
    });
  }
  return found;
}

function readCell(cells: Float64Array, cell: number): Moments {
  return { n: cells[cell * 3] ?? 0, sum: cells[cell * 3 + 1] ?? 0, squares: cells[cell * 3 + 2] ?? 0 };
}

function testCell(current: Moments, reference: Moments, search: Search): Omit<Tested, "parts"> | undefined {
  const { whole, options } = search;
  const [outside, before] = [subtract(whole.current, current), subtract(whole.reference, reference)];
  // Of a sample of the rows, as many fewer are enough.
  const least = Math.max(LEAST_REFERENCE, (options.minRows * whole.current.n) / Math.max(1, search.current.length));
  if (current.n < least || reference.n < LEAST_REFERENCE) return undefined;
  if (outside.n < least || before.n < LEAST_REFERENCE) return undefined;
  const growth = mean(current) - mean(reference) - (mean(outside) - mean(before));
  const error = Math.sqrt([current, reference, outside, before].reduce((sum, one) => sum + variance(one) / one.n, 0));
  const spread = Math.sqrt(variance(whole.reference));
  return {
    rows: current.n,
    referenceRows: reference.n,
    loss: mean(current),
    referenceLoss: mean(reference),
    effect: spread === 0 ? (growth > 0 ? Infinity : 0) : growth / spread,
    z: error === 0 ? (growth > 0 ? Infinity : 0) : growth / error,
  };
}

function subtract(whole: Moments, part: Moments): Moments {
  return { n: whole.n - part.n, sum: whole.sum - part.sum, squares: whole.squares - part.squares };
}

function mean({ n, sum }: Moments): number {
  return sum / n;
}

/** Of a sample. */
function variance({ n, sum, squares }: Moments): number {
  return n < 2 ? 0 : Math.max(0, (squares - sum ** 2 / n) / (n - 1));
}

/** The strongest pairs with every third column: only the rows of the pair are counted. */
async function followPairs(found: readonly Tested[], search: Search): Promise<readonly Tested[]> {
  const single = new Map(
    found.flatMap(({ parts, effect }) => (parts.length === 1 ? [[JSON.stringify(parts[0]), effect] as const] : [])),
  );
  // Pairs that only repeat one of their conditions lead nowhere.
  const pairs = found
    .filter(
      ({ parts, z, effect }) =>
        parts.length === 2 && z > 1 && parts.every((part) => effect > GAIN * (single.get(JSON.stringify(part)) ?? 0)),
    )
    .sort((left, right) => right.z - left.z)
    .slice(0, FOLLOWED);
  const third: Tested[] = [];
  const seen = new Set<string>();
  for (const pair of pairs) {
    const [own, before] = (["current", "reference"] as const).map((side) => rowsOf(pair.parts, side, search));
    for (const [index, column] of search.columns.entries()) {
      if (pair.parts.some(([used]) => used === index)) continue;
      const width = column.conditions.length;
      const table = {
        current: countRows(own ?? new Uint32Array(), column.current, search.current, width),
        reference: countRows(before ?? new Uint32Array(), column.reference, search.reference, width),
        width,
      };
      for (const tested of testTable([index], table, search, pair.parts)) {
        const name = JSON.stringify(tested.parts.toSorted(([left], [right]) => left - right));
        if (!seen.has(name)) third.push(tested);
        seen.add(name);
      }
    }
    await giveWay();
  }
  return third;
}

/** Rows that fulfil all conditions: one column after the other, each over what the one before left. */
function rowsOf(parts: Tested["parts"], side: Side, { columns, [side]: loss }: Search): Uint32Array {
  let rows = new Uint32Array(0);
  for (const [index, [column, code]] of parts.entries()) {
    const codes = columns[column]?.[side] ?? new Uint8Array();
    let size = 0;
    if (index === 0) {
      rows = new Uint32Array(loss.length);
      for (let row = 0; row < codes.length; row++) if (codes[row] === code) rows[size++] = row;
    } else for (const row of rows) if (codes[row] === code) rows[size++] = row;
    rows = rows.subarray(0, size);
  }
  return rows;
}

function countRows(rows: Uint32Array, codes: Uint8Array, loss: Float64Array, width: number): Float64Array {
  const cells = new Float64Array(width * 3);
  for (const row of rows) add(cells, (codes[row] ?? 0) * 3, loss[row] ?? 0);
  return cells;
}

/**
 * Those that are no chance and large, strongest first: each is measured in the rows that no stronger one has, and left
 * out when nothing is left there.
 *
 * The many parts of one slice are all true, and would lend their rank to what is chance. So the rank counts slices that
 * were chosen, each with its p-value without the rows of the others.
 */
async function choose(found: readonly Tested[], search: Search): Promise<readonly Slice[]> {
  const { columns, options } = search;
  const adjusted = adjustPValues(found.map(({ z }) => normalSurvival(z)));
  const strong = found
    .filter(({ effect }, index) => (adjusted[index] ?? 1) <= options.falseDiscovery && effect >= options.effect)
    .sort((left, right) => right.z - left.z)
    .slice(0, MOST_MEASURED);
  const rest = { current: new Uint8Array(search.current.length), reference: new Uint8Array(search.reference.length) };
  let left: Sides = search.whole;
  let pValue = 0;
  const slices: Slice[] = [];
  for (const { parts } of strong) {
    if (slices.length >= MOST_FOUND) break;
    const own = measure(parts, { search, whole: left, covered: rest });
    await giveWay();
    if (own === undefined || own.effect < options.effect) continue;
    const chance = (normalSurvival(own.z) * found.length) / (slices.length + 1);
    if (chance > options.falseDiscovery) continue;
    pValue = Math.max(pValue, chance);
    const { z: _z, ...facts } = measure(parts, { search, whole: search.whole, covered: undefined }) ?? own;
    left = {
      current: subtract(left.current, momentsWithin(parts, "current", search, rest.current)),
      reference: subtract(left.reference, momentsWithin(parts, "reference", search, rest.reference)),
    };
    for (const side of ["current", "reference"] as const)
      for (const row of rowsOf(parts, side, search)) rest[side][row] = 1;
    slices.push({
      ...facts,
      predicates: parts.map(([column, code]) => columns[column]?.conditions[code] ?? ""),
      pValue,
    });
  }
  return slices;
}

type Side = "current" | "reference";

/** A slice without the rows that are covered; `whole` is of the rows that are not. */
function measure(
  parts: Tested["parts"],
  {
    search,
    whole,
    covered,
  }: {
    readonly search: Search;
    readonly whole: Sides;
    readonly covered: Readonly<Record<Side, Uint8Array>> | undefined;
  },
): Omit<Tested, "parts"> | undefined {
  return testCell(
    momentsWithin(parts, "current", search, covered?.current),
    momentsWithin(parts, "reference", search, covered?.reference),
    { ...search, whole },
  );
}

function momentsWithin(parts: Tested["parts"], side: Side, search: Search, covered: Uint8Array | undefined): Moments {
  const loss = search[side];
  let [n, sum, squares] = [0, 0, 0];
  for (const row of rowsOf(parts, side, search)) {
    if (covered?.[row] === 1) continue;
    const value = loss[row] ?? 0;
    n++;
    sum += value;
    squares += value * value;
  }
  return { n, sum, squares };
}

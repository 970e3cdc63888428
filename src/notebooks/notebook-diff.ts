import { canonicalJson } from "#base";
import type { Notebook, NotebookCell } from "./notebook.ts";
import { sourceCells } from "./source-digest.ts";

/** What became of a cell. Outputs are shown apart: they never count for an approval. */
export interface CellChange {
  readonly kind: "added" | "removed" | "changed" | "moved" | "same";
  readonly before: NotebookCell | undefined;
  readonly after: NotebookCell | undefined;
  /** Lines of the source, when it changed. */
  readonly lines: readonly LineChange[];
  readonly tagsChanged: boolean;
  readonly typeChanged: boolean;
  readonly outputsChanged: boolean;
  /** True when its place among the cells that stayed is another. */
  readonly moved: boolean;
}

export interface LineChange {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

/** Cells this similar (shared lines over all lines) are taken for one that lost its id. */
const SIMILAR = 0.5;

/**
 * Compares two notebooks cell by cell: by id first, then by type and similarity for cells whose id was lost.
 *
 * @returns changes in the order of `after`; removed cells stand where they were
 */
export function diffNotebooks(before: Notebook, after: Notebook): readonly CellChange[] {
  const old = sourceCells(before);
  const now = sourceCells(after);
  const pairs = pairCells(old, now);
  const stayed = now.flatMap((cell) => pairs.get(cell) ?? []);
  const inOrder = new Set(longestIncreasing(stayed.map((cell) => old.indexOf(cell))).map((index) => old[index]));
  const changes: CellChange[] = [];
  const removed = old.filter((cell) => !stayed.includes(cell));
  let next = 0;
  const takeRemovedBefore = (limit: number): void => {
    for (; next < removed.length && old.indexOf(removed[next] as NotebookCell) < limit; next++)
      changes.push(oneSided("removed", removed[next] as NotebookCell));
  };
  for (const cell of now) {
    const partner = pairs.get(cell);
    if (partner === undefined) {
      changes.push(oneSided("added", cell));
      continue;
    }
    const moved = !inOrder.has(partner);
    if (!moved) takeRemovedBefore(old.indexOf(partner));
    changes.push(compareCells(partner, cell, moved));
  }
  takeRemovedBefore(old.length);
  return changes;
}

/** True when the part that an approval binds differs: sources, tags, types, order. */
export function changesSource(changes: readonly CellChange[]): boolean {
  return changes.some(({ kind, moved }) => kind !== "same" || moved);
}

function oneSided(kind: "added" | "removed", cell: NotebookCell): CellChange {
  const lines = cell.source.split("\n").map((text) => ({ kind, text }));
  return {
    kind,
    before: kind === "removed" ? cell : undefined,
    after: kind === "added" ? cell : undefined,
    lines,
    tagsChanged: false,
    typeChanged: false,
    outputsChanged: false,
    moved: false,
  };
}

function compareCells(before: NotebookCell, after: NotebookCell, moved: boolean): CellChange {
  const sourceChanged = before.source !== after.source;
  const tagsChanged = canonicalJson(before.tags) !== canonicalJson(after.tags);
  const typeChanged = before.type !== after.type;
  const attachmentsChanged = canonicalJson(before.attachments) !== canonicalJson(after.attachments);
  const changed = sourceChanged || tagsChanged || typeChanged || attachmentsChanged;
  return {
    kind: changed ? "changed" : moved ? "moved" : "same",
    before,
    after,
    lines: sourceChanged ? diffLines(before.source.split("\n"), after.source.split("\n")) : [],
    tagsChanged,
    typeChanged,
    outputsChanged: canonicalJson(before.outputs) !== canonicalJson(after.outputs),
    moved,
  };
}

function pairCells(
  old: readonly NotebookCell[],
  now: readonly NotebookCell[],
): ReadonlyMap<NotebookCell, NotebookCell> {
  const byId = new Map(old.map((cell) => [cell.id, cell]));
  const pairs = new Map<NotebookCell, NotebookCell>();
  const free = new Set(old);
  for (const cell of now) {
    const partner = byId.get(cell.id);
    if (partner === undefined) continue;
    pairs.set(cell, partner);
    free.delete(partner);
  }
  for (const cell of now) {
    if (pairs.has(cell)) continue;
    let best: NotebookCell | undefined;
    let bestRatio = SIMILAR;
    for (const candidate of free) {
      const ratio = candidate.type === cell.type ? similarity(candidate.source, cell.source) : 0;
      if (ratio > bestRatio || (ratio === 1 && best === undefined)) [best, bestRatio] = [candidate, ratio];
    }
    if (best === undefined) continue;
    pairs.set(cell, best);
    free.delete(best);
  }
  return pairs;
}

function similarity(left: string, right: string): number {
  if (left === right) return 1;
  const lines = diffLines(left.split("\n"), right.split("\n"));
  const same = lines.filter(({ kind }) => kind === "same").length;
  return (2 * same) / (2 * same + (lines.length - same));
}

/** Longest common subsequence of lines; after it what was removed stands before what was added. */
export function diffLines(before: readonly string[], after: readonly string[]): readonly LineChange[] {
  const lengthAt = commonLengths(before, after);
  const changes: LineChange[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      changes.push({ kind: "same", text: before[i] ?? "" });
      [i, j] = [i + 1, j + 1];
    } else if (i < before.length && (j === after.length || lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      changes.push({ kind: "removed", text: before[i++] ?? "" });
    } else {
      changes.push({ kind: "added", text: after[j++] ?? "" });
    }
  }
  return changes;
}

/** Length of the longest common subsequence of what is left from line i before and line j after. */
function commonLengths(before: readonly string[], after: readonly string[]): (i: number, j: number) => number {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--)
      lengths[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  return at;
}

function longestIncreasing(values: readonly number[]): readonly number[] {
  let longest: readonly number[] = [];
  const endingAt: (readonly number[])[] = [];
  for (const value of values) {
    const before = endingAt
      .filter((run) => (run.at(-1) ?? 0) < value)
      .reduce<readonly number[]>((left, right) => (right.length > left.length ? right : left), []);
    const run = [...before, value];
    endingAt.push(run);
    if (run.length > longest.length) longest = run;
  }
  return longest;
}

import type { AddFile } from "./delta/actions.ts";
import { rowCountOf } from "./delta/statistics.ts";

/** Tag of an `add` action: {@link RowSources} as JSON. */
const SOURCES_TAG = "esteira.sources";
/** Rows of which no source is known. */
const UNKNOWN = "";

/**
 * Which source brought the rows of a data file, in stored order; see
 * docs/adr/0015-a-changed-file-supersedes-its-rows.md.
 */
export type RowSources = readonly (readonly [source: string, rows: number])[];

/** Short form of a source file's digest: 128 of its 256 bits. */
export function sourceKey(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 32);
}

/** What a data file's own tag says; undefined when it has none, or one that does not fit its rows. */
export function rowSourcesOf(file: AddFile): RowSources | undefined {
  const text = file.tags?.[SOURCES_TAG];
  if (text === undefined) return undefined;
  const sources = JSON.parse(text) as RowSources;
  return sumOf(sources) === rowCountOf(file.stats) ? sources : undefined;
}

/**
 * The sources of files whose rows are written one after the other into one. Pieces without a known source have an empty
 * name.
 */
export function joinRowSources(files: readonly AddFile[]): RowSources {
  return mergeNeighbours(files.flatMap((file) => rowSourcesOf(file) ?? unknownSources(rowCountOf(file.stats) ?? 0)));
}

export function unknownSources(rows: number): RowSources {
  return rows === 0 ? [] : [[UNKNOWN, rows]];
}

/** The file with its sources noted; rows that `sources` does not account for have none. */
export function withRowSources(file: AddFile, sources: RowSources): AddFile {
  const rows = rowCountOf(file.stats) ?? 0;
  const fitting = mergeNeighbours(sumOf(sources) === rows ? sources : unknownSources(rows));
  if (fitting.every(([source]) => source === UNKNOWN)) return file;
  return { ...file, tags: { ...file.tags, [SOURCES_TAG]: JSON.stringify(fitting) } };
}

/**
 * Rows of a file that some sources brought, as ranges of positions (from 0, both ends included), and the sources of the
 * others.
 */
export function splitRowSources(
  sources: RowSources,
  gone: ReadonlySet<string>,
): { readonly ranges: readonly (readonly [first: number, last: number])[]; readonly kept: RowSources } {
  const ranges: [number, number][] = [];
  let position = 0;
  for (const [source, rows] of sources) {
    const previous = ranges.at(-1);
    if (gone.has(source) && rows > 0) {
      if (previous?.[1] === position - 1) previous[1] = position + rows - 1;
      else ranges.push([position, position + rows - 1]);
    }
    position += rows;
  }
  return { ranges, kept: mergeNeighbours(sources.filter(([source]) => !gone.has(source))) };
}

export function sumOf(sources: RowSources): number {
  return sources.reduce((sum, [, rows]) => sum + rows, 0);
}

export function isWhollyKnown(sources: RowSources | undefined): boolean {
  return sources !== undefined && sources.every(([source]) => source !== UNKNOWN);
}

function mergeNeighbours(sources: RowSources): RowSources {
  const merged: [string, number][] = [];
  for (const [source, rows] of sources) {
    const previous = merged.at(-1);
    if (rows === 0) continue;
    if (previous?.[0] === source) previous[1] += rows;
    else merged.push([source, rows]);
  }
  return merged;
}

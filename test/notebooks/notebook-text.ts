/** A cell of {@link notebookText}. */
export interface TestCell {
  readonly source: string | readonly string[];
  readonly type?: "code" | "markdown";
  readonly tags?: readonly string[];
  readonly id?: string;
  readonly outputs?: readonly object[];
  readonly executionCount?: number | null;
}

/** An `.ipynb` of nbformat 4.5. */
export function notebookText(
  cells: readonly TestCell[],
  metadata: object = {
    kernelspec: { name: "python3", display_name: "Python 3", language: "python" },
    language_info: { name: "python" },
  },
): string {
  const raw = cells.map((cell, index) => ({
    cell_type: cell.type ?? "code",
    id: cell.id ?? `cell-${index + 1}`,
    metadata: cell.tags === undefined ? {} : { tags: cell.tags },
    source: typeof cell.source === "string" ? cell.source.split(/(?<=\n)/) : cell.source,
    ...(cell.type === "markdown" ? {} : { outputs: cell.outputs ?? [], execution_count: cell.executionCount ?? null }),
  }));
  return JSON.stringify({ cells: raw, metadata, nbformat: 4, nbformat_minor: 5 }, undefined, 1);
}

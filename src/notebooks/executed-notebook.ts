import { rename, writeFile } from "node:fs/promises";
import { type Digest, type Json, newId } from "#base";
import type { NotebookCell, NotebookOutput } from "./notebook.ts";
import { linesOf } from "./source-digest.ts";

export type CellStatus = "pending" | "running" | "completed" | "failed";

/** A cell as it was executed. Times are ISO 8601. */
export interface ExecutedCell {
  readonly cell: NotebookCell;
  status: CellStatus;
  outputs: readonly NotebookOutput[];
  executionCount: number | undefined;
  startedAt?: string;
  endedAt?: string;
  /** Dates of the kernel's messages, by nbformat's names. */
  execution?: Readonly<Record<string, string>>;
  /** Digest of the source that was really sent. */
  sentDigest?: Digest;
}

/** What the evidence says of the whole execution. */
export interface ExecutedFacts {
  readonly kernel: string;
  readonly language: string;
  readonly implementation: string | undefined;
  readonly inputPath: string;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly failed: boolean | undefined;
  readonly defaults: Readonly<Record<string, Json>>;
  readonly parameters: Readonly<Record<string, Json>>;
  readonly esteira: Readonly<Record<string, Json>>;
}

/** The executed notebook as nbformat 4.5, with papermill's keys, so that its tools read it. */
export function formatExecutedNotebook(cells: readonly ExecutedCell[], facts: ExecutedFacts): string {
  const metadata = {
    kernelspec: { display_name: facts.kernel, language: facts.language, name: facts.kernel },
    language_info: { name: facts.language },
    papermill: {
      default_parameters: facts.defaults,
      parameters: facts.parameters,
      environment_variables: {},
      version: "esteira",
      input_path: facts.inputPath,
      output_path: null,
      start_time: facts.startedAt,
      end_time: facts.endedAt ?? null,
      duration: facts.durationSeconds ?? null,
      exception: facts.failed ?? null,
    },
    esteira: { ...facts.esteira, implementation: facts.implementation ?? null },
  };
  return `${JSON.stringify({ cells: cells.map(formatCell), metadata, nbformat: 4, nbformat_minor: 5 }, undefined, 1)}\n`;
}

/** Writes the evidence so far, whole or not at all: what dies after a cell leaves that cell's outputs. */
export async function writeEvidence(path: string, text: string): Promise<void> {
  // The kernel may write in this folder too: a link that it left under a name it could guess is not followed.
  const part = `${path}.${newId()}`;
  await writeFile(part, text, { flag: "wx", mode: 0o600 });
  await rename(part, path);
}

function formatCell(executed: ExecutedCell): object {
  const { cell } = executed;
  const common = {
    cell_type: cell.type,
    id: cell.id,
    source: linesOf(cell.source),
    ...(Object.keys(cell.attachments).length === 0 ? {} : { attachments: cell.attachments }),
  };
  const tags = cell.tags.length === 0 ? {} : { tags: cell.tags };
  if (cell.type !== "code") return { ...common, metadata: tags };
  const duration =
    executed.startedAt === undefined || executed.endedAt === undefined
      ? null
      : (Date.parse(executed.endedAt) - Date.parse(executed.startedAt)) / 1000;
  return {
    ...common,
    metadata: {
      ...tags,
      ...(executed.execution === undefined ? {} : { execution: executed.execution }),
      papermill: {
        start_time: executed.startedAt ?? null,
        end_time: executed.endedAt ?? null,
        duration,
        exception: executed.status === "failed",
        status: executed.status,
      },
      ...(executed.sentDigest === undefined ? {} : { esteira: { sourceDigest: executed.sentDigest } }),
    },
    execution_count: executed.executionCount ?? null,
    outputs: executed.outputs,
  };
}

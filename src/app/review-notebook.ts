import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf } from "#base";
import {
  type CellChange,
  changesSource,
  diffNotebooks,
  type HiddenStateFinding,
  notebookUnreadable,
  parseNotebook,
  reportHiddenState,
  scanNotebook,
  type SecretFinding,
} from "#notebooks";

/** What became of the cells between two notebooks. */
export interface NotebookComparison {
  readonly changes: readonly CellChange[];
  /** The part that an approval binds differs: sources, tags, types or order of cells. */
  readonly changesSource: boolean;
}

/**
 * Compares two notebook files cell by cell; nothing is run.
 *
 * @throws NOTEBOOKS_FILE_UNREADABLE, NOTEBOOKS_FILE_INVALID, NOTEBOOKS_FORMAT_UNSUPPORTED
 */
export async function compareNotebookFiles(folder: string, before: string, after: string): Promise<NotebookComparison> {
  const [old, now] = await Promise.all([before, after].map((file) => readNotebook(folder, file)));
  const changes = old === undefined || now === undefined ? [] : diffNotebooks(old, now);
  return { changes, changesSource: changesSource(changes) };
}

/** What a reviewer would look for in a notebook. */
export interface NotebookReview {
  readonly file: string;
  /** Signs that what is saved does not follow from executing it from top to bottom. */
  readonly hiddenState: readonly HiddenStateFinding[];
  readonly secrets: readonly SecretFinding[];
}

/**
 * Looks through a notebook file without running it.
 *
 * @throws NOTEBOOKS_FILE_UNREADABLE, NOTEBOOKS_FILE_INVALID, NOTEBOOKS_FORMAT_UNSUPPORTED
 */
export async function reviewNotebookFile(folder: string, file: string): Promise<NotebookReview> {
  const notebook = await readNotebook(folder, file);
  const { findings } = await reportHiddenState(notebook);
  return { file, hiddenState: findings, secrets: scanNotebook(notebook, randomUUID()) };
}

async function readNotebook(folder: string, file: string): Promise<ReturnType<typeof parseNotebook>> {
  const text = await readFile(resolve(folder, file), "utf8").catch((error: unknown) => {
    throw notebookUnreadable({ file, reason: messageOf(error) }, error);
  });
  return parseNotebook(text, file);
}

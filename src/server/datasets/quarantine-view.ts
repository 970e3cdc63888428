import type { Page, QuarantinedRow, QuarantineSummary } from "#api";
import type { Platform } from "#app";
import { type QuarantinedRow as HeldRow, readQuarantine } from "#data";
import { listQuarantineBatches, type QuarantineBatch } from "#metadata-store/data";
import { parseCursor } from "../api/paging.ts";

const CONSIDERED_BATCHES = 1000;
const STATES = { held: "open", replayed: "replayed", discarded: "discarded", superseded: "superseded" } as const;

/** How many rows stand in a dataset's quarantine, and why. */
export async function toQuarantineSummary(
  { store, project }: Platform,
  dataset: string,
  counts: { readonly held: number; readonly replayed: number; readonly discarded: number; readonly superseded: number },
): Promise<QuarantineSummary> {
  const batches = await store.read((transaction) =>
    listQuarantineBatches(transaction, { project, dataset, limit: CONSIDERED_BATCHES, onlyHeld: true }),
  );
  const byRule = new Map<string, number>();
  for (const { rules } of batches)
    for (const [rule, count] of Object.entries(rules)) byRule.set(rule, (byRule.get(rule) ?? 0) + count);
  return {
    openCount: counts.held,
    replayedCount: counts.replayed,
    discardedCount: counts.discarded,
    supersededCount: counts.superseded,
    byRule: [...byRule].map(([rule, count]) => ({ rule, count })).sort((left, right) => right.count - left.count),
  };
}

/** Quarantined rows, newest batch first; the cursor is `<batch>.<rows read of it>`. */
export async function listQuarantine(
  platform: Platform,
  dataset: string,
  query: {
    readonly after?: string | undefined;
    readonly limit: number;
    readonly rule?: string | undefined;
    readonly state?: QuarantinedRow["state"] | undefined;
  },
): Promise<Page<QuarantinedRow>> {
  const { store, project } = platform;
  const [afterBatch, afterRows] = parseCursor(query.after, /^([^.]+)\.(\d{1,15})$/) ?? [];
  const batches = await store.read((transaction) =>
    listQuarantineBatches(transaction, { project, dataset, limit: CONSIDERED_BATCHES }),
  );
  const start =
    afterBatch === undefined
      ? 0
      : Math.max(
          0,
          batches.findIndex(({ id }) => id === afterBatch),
        );
  const items: QuarantinedRow[] = [];
  for (const [index, batch] of batches.slice(start).entries()) {
    let offset = index === 0 && afterBatch !== undefined ? Number(afterRows) : 0;
    for (; offset < Math.max(batch.rows, 1);) {
      // oxlint-disable-next-line no-await-in-loop -- batches are read until the page is full
      const page = await readBatch(platform, batch, { offset, limit: query.limit });
      if (page.length === 0) break;
      for (const row of page) {
        if (items.length === query.limit) return { items, next: `${batch.id}.${offset}` };
        offset++;
        if (query.rule !== undefined && !row.rules.some(({ id }) => id === query.rule)) continue;
        if (query.state !== undefined && row.state !== query.state) continue;
        items.push(row);
      }
    }
  }
  return { items };
}

async function readBatch(
  platform: Platform,
  batch: QuarantineBatch,
  page: { readonly offset: number; readonly limit: number },
): Promise<readonly QuarantinedRow[]> {
  if (batch.objectDigest === undefined) return page.offset === 0 ? [wholeFile(batch)] : [];
  const { rows } = await readQuarantine(platform, { batchId: batch.id, ...page });
  return rows.map((row) => toRow(batch, row));
}

/** A file that could not be read at all stands for itself. */
function wholeFile(batch: QuarantineBatch): QuarantinedRow {
  return {
    id: `${batch.id}.file`,
    atMs: batch.atMs,
    state: batch.closed?.as ?? "open",
    ...(batch.closed === undefined ? {} : { reason: batch.closed.reason, actor: batch.closed.by }),
    rules: [{ id: "file", message: batch.fileProblem }],
    row: {},
    source: { file: batch.sourcePath, digest: batch.sourceDigest },
    pipelineRunId: batch.pipelineRunId,
  };
}

function toRow(batch: QuarantineBatch, held: HeldRow): QuarantinedRow {
  return {
    id: `${batch.id}.${held.rowNumber}`,
    atMs: batch.atMs,
    state: STATES[held.state],
    ...(held.reason === undefined ? {} : { reason: held.reason, actor: held.actor }),
    rules: held.rules.map((id, index) => ({ id, message: held.messages[index] })),
    row: typeof held.row === "object" && held.row !== null ? (held.row as Record<string, unknown>) : { _raw: held.row },
    source: {
      file: batch.sourcePath,
      digest: batch.sourceDigest,
      line: held.line,
      row: held.line === undefined ? held.record : undefined,
    },
    pipelineRunId: batch.pipelineRunId,
  };
}

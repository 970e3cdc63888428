import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";

/** Columns that may name stored bytes by their digest, in whatever form: a name too many only keeps an object. */
const NAMING: Readonly<Record<string, readonly string[]>> = {
  approval: ["digest", "envelope"],
  approval_request: ["digest"],
  asset_version: ["digest", "content"],
  attempt: ["error"],
  cache_entry: ["parts", "outputs", "facts", "blocks"],
  captured_file: ["digest"],
  dataset_write: ["digest", "made"],
  deployment: ["target", "error"],
  endpoint: ["options", "strategy"],
  event: ["data", "subject"],
  feature_view_state: ["definition_digest"],
  log_blob: ["digest"],
  logged_model_param: ["value"],
  logged_model_tag: ["value"],
  model_version: ["source", "storage_location"],
  model_version_tag: ["value"],
  monitor: ["declaration"],
  pipeline_definition: ["content"],
  pipeline_run: ["source", "params", "trigger_cause", "error"],
  quarantine_batch: ["object_digest", "contract"],
  registered_model_tag: ["value"],
  release: ["settings"],
  release_version: ["digest"],
  run_param: ["value"],
  run_tag: ["value"],
  task: ["manifest", "result"],
  step_run: ["facts", "error", "progress", "reason"],
  verdict: ["content"],
};

const DIGEST = /sha256:[0-9a-f]{64}/g;
const ROWS_A_PAGE = 5000;

/** Every digest that a row names, in whatever column; some are of objects, others of source files and datasets. */
export async function* listNamedDigests(
  transaction: ReadTransaction,
  tables: Readonly<Record<string, readonly string[]>> = NAMING,
): AsyncGenerator<ReadonlySet<string>> {
  for (const [table, columns] of Object.entries(tables))
    for (const column of columns) {
      // Events are written meanwhile, and are many.
      const isLog = table === "event";
      for (let after = 0; ;) {
        const [place, page] = isLog
          ? [sql`and sequence > ${after}`, sql`order by sequence limit ${ROWS_A_PAGE}`]
          : [sql``, sql``];
        const { rows } = await sql<{ text: string; sequence: number | string }>`
          select ${sql.ref(column)} as text, ${isLog ? sql.ref("sequence") : sql`0`} as sequence from ${sql.table(table)}
          where ${sql.ref(column)} like '%sha256:%' ${place} ${page}`.execute(transaction);
        yield new Set(rows.flatMap(({ text }) => text.match(DIGEST) ?? []));
        if (!isLog || rows.length < ROWS_A_PAGE) break;
        after = Number(rows.at(-1)?.sequence);
      }
    }
}

/** Digests in a text. */
export function digestsIn(text: string): readonly string[] {
  return text.match(DIGEST) ?? [];
}

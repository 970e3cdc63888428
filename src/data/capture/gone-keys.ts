import type { AnalyticsConnection } from "../analytics/analytics.ts";
import type { GoneKeys } from "../dataset.ts";
import { keysOf } from "../write-disposition.ts";
import type { CaptureBatch } from "./capture.ts";
import { nameColumns } from "./column-names.ts";
import { openParquet } from "./formats/parquet.ts";
import { typeRows } from "./typed-rows.ts";

/** The keys of rows that are gone, as the dataset stores them; rules about rows say nothing of them. */
export async function goneKeys(batch: CaptureBatch, connection: AnalyticsConnection): Promise<GoneKeys | undefined> {
  const { gone, existing, disposition, contract, hashes } = batch;
  if (gone === undefined) return undefined;
  const keys = keysOf(disposition).map((key) => key.toLowerCase());
  const columns = existing.filter(({ name }) => keys.includes(name.toLowerCase()));
  if (gone.file === undefined || columns.length === 0) return { keys: undefined, isAll: gone.isAll };
  const { digest, lineFeeds } = gone.file;
  const open = { connection, file: gone.file, digest, lineFeeds, csv: batch.csv, number: 0 };
  const rows = nameColumns(await openParquet(open), existing);
  const declared =
    contract === undefined
      ? undefined
      : { ...contract.compiled, rows: [], references: [], required: new Set<string>() };
  // A key that the dataset cannot have is not in it.
  const { good } = typeRows(rows, {
    columns,
    mode: "evolve",
    contract: declared,
    hashes,
    keys: [],
    isDuplicate: undefined,
  });
  return { keys: good, isAll: gone.isAll };
}

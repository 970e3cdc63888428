import { isEsteiraError } from "#base";
import { quoteName, quotePath } from "../../analytics/sql-text.ts";
import { type OpenFile, type SourceRows, UnreadableFile } from "./source-rows.ts";

/** Parquet: typed, positions exact, nothing is staged. */
export async function openParquet({ connection, file, number }: OpenFile): Promise<SourceRows> {
  const path = quotePath(file.absolute);
  try {
    const [metadata] = await connection.rows(`select num_rows as n from parquet_file_metadata(${path})`);
    const columns =
      file.texts ?? (await connection.describe(`select * from read_parquet(${path}, hive_partitioning = false)`));
    return {
      format: "parquet",
      columns,
      isText: file.texts !== undefined,
      relation: `(select *, file_row_number as "__record" from read_parquet(${path}, hive_partitioning = false, file_row_number = true))`,
      value: quoteName,
      fileNumber: String(number),
      rowJson: `to_json({${columns.map(({ name }) => `${quoteName(name)}: ${quoteName(name)}`).join(", ")}})::VARCHAR`,
      line: "NULL::BIGINT",
      total: Number(metadata?.["n"]),
      rejects: undefined,
      close: async () => {},
    };
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    throw new UnreadableFile(
      `not a whole Parquet file (${String(error.context["reason"]).split("\n", 1)[0]?.replaceAll(file.absolute, file.path)})`,
    );
  }
}

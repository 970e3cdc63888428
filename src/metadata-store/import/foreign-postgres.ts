import pg from "pg";
import { messageOf } from "#base";
import { importSourceUnreadable } from "./errors.ts";
import { type ForeignDatabase, narrowInteger, withoutPassword } from "./foreign-database.ts";

/** @throws METADATA_STORE_IMPORT_SOURCE_UNREADABLE */
export async function openForeignPostgres(url: string): Promise<ForeignDatabase> {
  const address = withoutPassword(url);
  const types = {
    getTypeParser: (id: number, format?: string) =>
      id === 20 ? (text: string) => narrowInteger(BigInt(text)) : pg.types.getTypeParser(id, format as "text"),
  };
  const client = new pg.Client({ connectionString: url, types: types as pg.CustomTypesConfig });
  try {
    await client.connect();
    await client.query("set default_transaction_read_only = on");
  } catch (error) {
    throw importSourceUnreadable({ from: address, reason: messageOf(error) }, error);
  }
  let cursors = 0;
  const numbered = (text: string): string => {
    let number = 0;
    return text.replace(/\?/g, () => `$${++number}`);
  };
  return {
    address,
    rows: async (text, parameters = []) =>
      (await client.query<Record<string, unknown>>(numbered(text), [...parameters])).rows,
    async *stream(text, parameters, size) {
      const cursor = `import_${++cursors}`;
      // `with hold` survives the transaction: other statements run between the pieces.
      await client.query(`declare ${cursor} no scroll cursor with hold for ${numbered(text)}`, [...parameters]);
      try {
        for (;;) {
          const { rows } = await client.query<Record<string, unknown>>(`fetch ${size} from ${cursor}`);
          if (rows.length === 0) return;
          yield rows;
        }
      } finally {
        await client.query(`close ${cursor}`);
      }
    },
    hasTable: async (name) =>
      (
        await client.query(
          "select 1 from information_schema.tables where table_name = $1 and table_schema = any(current_schemas(false))",
          [name],
        )
      ).rows.length > 0,
    close: () => client.end(),
  };
}

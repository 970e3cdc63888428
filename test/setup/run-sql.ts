import { DatabaseSync } from "node:sqlite";
import pg from "pg";

/** A statement past the platform, as whoever holds the database runs it. */
export async function runSql(address: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  if (!address.startsWith("postgres")) {
    const database = new DatabaseSync(address);
    try {
      return /^\s*select/i.test(statement) ? database.prepare(statement).all() : (database.exec(statement), []);
    } finally {
      database.close();
    }
  }
  const url = new URL(address);
  const schema = url.searchParams.get("schema");
  url.searchParams.delete("schema");
  const client = new pg.Client({ connectionString: url.href, options: `-c search_path=${schema}` });
  await client.connect();
  try {
    return (await client.query(statement)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

import { setImmediate as nextTurn } from "node:timers/promises";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { messageOf } from "#base";
import { sourceQueryFailed, sourceTableMissing, sourceUnreachable } from "../../source-errors.ts";
import type { Database, DatabaseColumn, Dumped } from "./database.ts";
import type { TableDeclaration } from "./database-declaration.ts";
import { DumpWriter } from "./dump-writer.ts";

const BUSY_LIMIT_MS = 15_000;

/** A table or query of a SQLite file, in one snapshot. */
export async function openSqlite(
  path: string,
  declaration: TableDeclaration,
  of: { readonly source: string; readonly signal: AbortSignal },
): Promise<Database> {
  const { DatabaseSync } = await import("node:sqlite");
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_LIMIT_MS });
    database.exec("begin");
    // The snapshot begins with the first read.
    database.prepare("select count(*) from sqlite_schema").get();
  } catch (error) {
    throw sourceUnreachable({ source: of.source, reason: messageOf(error) }, error);
  }
  const prepare = (sql: string): StatementSync => {
    try {
      return database.prepare(sql);
    } catch (error) {
      throw sourceQueryFailed({ source: of.source, reason: messageOf(error) }, error);
    }
  };
  try {
    const from = fromOf(declaration, prepare, of.source);
    return {
      columns: () => Promise.resolve(findColumns(from, prepare)),
      knowsMoments: false,
      compare: ({ quoted, type }, value) => ({
        column: quoted,
        value: /^(DATE|TIMESTAMP|VARCHAR)/.test(type) ? quoteText(value) : value,
      }),
      dump: (columns, to) => dump(prepare, { ...to, columns, from, ...of }),
      close: () => {
        database.close();
        return Promise.resolve();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

type Prepare = (sql: string) => StatementSync;

function fromOf({ table, query }: TableDeclaration, prepare: Prepare, source: string): string {
  if (query !== undefined) return `(\n${query.trim().replace(/;\s*$/, "")}\n)`;
  const known = prepare(
    "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' order by name",
  )
    .all()
    .map(({ name }) => String(name));
  const wanted = (table ?? "").replace(/^"(.*)"$/, "$1");
  const found =
    known.find((name) => name === wanted) ?? known.find((name) => name.toLowerCase() === wanted.toLowerCase());
  if (found === undefined) throw sourceTableMissing({ source, table: table ?? "", known });
  return quote(found);
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Any value can be in any column: where none is declared, the values say what it is. */
function findColumns(from: string, prepare: Prepare): readonly DatabaseColumn[] {
  const columns = prepare(`select * from ${from} limit 0`).columns();
  const kinds = columns.map(({ name }) => {
    const quoted = quote(name);
    return `max(case typeof(${quoted}) when 'blob' then 4 when 'text' then 3 when 'real' then 2 when 'integer' then 1 else 0 end)`;
  });
  const needsLook = columns.some(({ type }) => typeOf(type) === undefined);
  const looked = needsLook
    ? prepare(`select ${kinds.map((kind, index) => `${kind} as k${index}`).join(", ")} from ${from}`).get()
    : undefined;
  return columns.map(({ name, type }, index): DatabaseColumn => {
    const quoted = quote(name);
    const found = typeOf(type) ?? KINDS[Number(looked?.[`k${index}`] ?? 0)] ?? "VARCHAR";
    if (found === "BLOB")
      return { name, quoted, select: `hex(${quoted})`, type: found, read: (text) => `unhex(${text})` };
    return { name, quoted, select: quoted, type: found, ...readingOf(found) };
  });
}

/** A column may hold what its type does not say: a cast would round a fraction, and cut a time off. */
function readingOf(type: string): Pick<DatabaseColumn, "read"> {
  if (type === "BIGINT") return { read: (text) => wholly(text, type, "[.eE]") };
  return type === "DATE" ? { read: (text) => wholly(text, type, "[T ][0-9:.]*[1-9]") } : {};
}

function wholly(text: string, type: string, cut: string): string {
  return `case when regexp_matches(${text}, '${cut}') then error('more than ${type} holds') else cast(${text} as ${type}) end`;
}

const KINDS = ["VARCHAR", "BIGINT", "DOUBLE", "VARCHAR", "BLOB"] as const;

/** By what is declared, after SQLite's rules of affinity; undefined when nothing is. */
function typeOf(declared: string | null): string | undefined {
  const type = (declared ?? "").toUpperCase();
  const decimal = /^(?:DECIMAL|NUMERIC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)$/.exec(type);
  if (type === "") return undefined;
  if (decimal !== null && Number(decimal[1]) <= 38) return `DECIMAL(${decimal[1]},${decimal[2] ?? 0})`;
  if (/BOOL/.test(type)) return "BOOLEAN";
  if (/DATETIME|TIMESTAMP/.test(type)) return "TIMESTAMP WITH TIME ZONE";
  if (type === "DATE") return "DATE";
  if (/INT/.test(type)) return "BIGINT";
  if (/CHAR|CLOB|TEXT|JSON|UUID|TIME/.test(type)) return "VARCHAR";
  if (/BLOB/.test(type)) return "BLOB";
  return "DOUBLE";
}

const ROWS_IN_A_TURN = 5000;

async function dump(
  prepare: Prepare,
  of: {
    readonly columns: readonly DatabaseColumn[];
    readonly from: string;
    readonly path: string;
    readonly where: string | undefined;
    readonly source: string;
    readonly signal: AbortSignal;
  },
): Promise<Dumped> {
  const lead = of.columns.length === 1 ? ["1"] : [];
  const list = [...lead, ...of.columns.map(({ select }) => select)].join(", ");
  const statement = prepare(`select ${list} from ${of.from}${of.where === undefined ? "" : ` where ${of.where}`}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  const writer = new DumpWriter(of.path);
  try {
    let rows = 0;
    for (const row of statement.iterate() as Iterable<unknown> as Iterable<readonly SQLOutputValue[]>) {
      if (!writer.add(row.map(toText))) await writer.drain();
      // The thread of the engine answers others too.
      if (++rows % ROWS_IN_A_TURN === 0) {
        await nextTurn();
        of.signal.throwIfAborted();
      }
    }
    return await writer.end();
  } catch (error) {
    writer.destroy();
    if (of.signal.aborted) throw error;
    throw sourceQueryFailed({ source: of.source, reason: messageOf(error) }, error);
  }
}

function toText(value: SQLOutputValue): string | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return String(value);
}

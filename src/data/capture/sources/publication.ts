import { z } from "zod";
import { replicationUnfit } from "../../source-errors.ts";
import { type Ask, findTable, quote } from "./postgres.ts";

/** A table as a publication has it. */
export interface PublishedTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** Columns whose values are in the log. */
  readonly columns: readonly string[];
  /** Column → its type, as SQL. */
  readonly types: ReadonlyMap<string, string>;
  /** Those of them that tell which row was updated or deleted. */
  readonly identity: readonly string[];
  /** SQL of the rows that are published; undefined: all. */
  readonly where: string | undefined;
  /** For people, of what is not followed. */
  readonly notes: readonly string[];
}

const settingsSchema = z.object({ wal_level: z.string(), version: z.coerce.number(), system: z.string() });
const publicationSchema = z.object({
  insert: z.boolean(),
  update: z.boolean(),
  delete: z.boolean(),
  truncate: z.boolean(),
  by_root: z.boolean().nullish(),
});
const tableSchema = z.object({ kind: z.string(), identity: z.string(), oid: z.coerce.number() });
const columnSchema = z.object({
  name: z.string(),
  type: z.string(),
  is_identity: z.boolean(),
  is_generated: z.boolean(),
});
/** `rowfilter` and `attnames` are there since PostgreSQL 15. */
const publishedSchema = z.object({ rowfilter: z.string().nullish(), attnames: z.array(z.string()).nullish() });

const OLDEST_VERSION = 110_000;

/**
 * @returns what tells this server from others, and from itself set up anew
 * @throws DATA_REPLICATION_UNFIT
 */
export async function checkServer(ask: Ask, source: string): Promise<string> {
  const { rows } = await ask(
    `select current_setting('wal_level') as wal_level, current_setting('server_version_num') as version, system_identifier::text as system from pg_control_system()`,
  );
  const { wal_level: level, version, system } = settingsSchema.parse(rows[0]);
  if (version < OLDEST_VERSION)
    throw replicationUnfit({
      source,
      problem: `the server is PostgreSQL ${Math.floor(version / 10_000)}`,
      remedy: "11 or newer is needed; read the table by a cursor instead.",
    });
  if (level !== "logical")
    throw replicationUnfit({
      source,
      problem: `its server writes the log with wal_level = ${level}`,
      remedy: "alter system set wal_level = logical; and start the server again.",
    });
  return system;
}

/** @throws DATA_SOURCE_TABLE_MISSING, DATA_REPLICATION_UNFIT */
export async function findPublished(
  ask: Ask,
  of: { readonly source: string; readonly table: string; readonly publication: string },
): Promise<PublishedTable> {
  const { source, publication } = of;
  const table = await findTable(of.table, ask, source);
  const called = `${quote(table.schema)}.${quote(table.name)}`;
  const unfit = (problem: string, remedy: string): Error => replicationUnfit({ source, problem, remedy });
  const { rows: publications } = await ask(
    `select pubinsert as insert, pubupdate as update, pubdelete as delete, pubtruncate as truncate, (to_jsonb(p) ->> 'pubviaroot')::boolean as by_root from pg_publication p where pubname = $1`,
    [publication],
  );
  if (publications.length === 0)
    throw unfit(
      `there is no publication ${publication}`,
      `create publication ${quote(publication)} for table ${called};`,
    );
  const { by_root: byRoot, ...published } = publicationSchema.parse(publications[0]);
  const { rows: tables } = await ask(
    `select oid::int8::text as oid, relkind::text as kind, relreplident::text as identity from pg_class where oid = $1::regclass`,
    [called],
  );
  const { oid, kind, identity } = tableSchema.parse(tables[0]);
  if (kind === "p" && byRoot !== true)
    throw unfit(
      `${called} is partitioned, and ${publication} publishes its partitions each by itself`,
      `alter publication ${quote(publication)} set (publish_via_partition_root = true);`,
    );
  const { rows: members } = await ask(
    `select to_jsonb(t) ->> 'rowfilter' as rowfilter, to_jsonb(t) -> 'attnames' as attnames from pg_publication_tables t where pubname = $1 and schemaname = $2 and tablename = $3`,
    [publication, table.schema, table.name],
  );
  if (members.length === 0)
    throw unfit(
      kind === "r" || kind === "p" ? `the publication ${publication} does not have ${called}` : `${called} is no table`,
      `alter publication ${quote(publication)} add table ${called};`,
    );
  const { rowfilter, attnames } = publishedSchema.parse(members[0]);
  const { rows: found } = await ask(
    `select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type, coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '' as is_generated,
       ($2 = 'f' or a.attnum = any (coalesce((select i.indkey::int2[] from pg_index i where i.indrelid = a.attrelid
         and case when $2 = 'i' then i.indisreplident when $2 = 'd' then i.indisprimary else false end limit 1), '{}'))) as is_identity
     from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [called, identity],
  );
  const columns = z.array(columnSchema).parse(found);
  const kept = columns.filter(
    ({ name, is_generated }) =>
      !is_generated && (attnames === null || attnames === undefined || attnames.includes(name)),
  );
  const left = columns.filter((column) => !kept.includes(column)).map(({ name }) => name);
  const silent = Object.entries(published).flatMap(([what, isSaid]) => (isSaid ? [] : [what]));
  return {
    ...table,
    oid,
    columns: kept.map(({ name }) => name),
    types: new Map(kept.map(({ name, type }) => [name, type])),
    identity: kept.filter(({ is_identity }) => is_identity).map(({ name }) => name),
    where: rowfilter ?? undefined,
    notes: [
      ...(left.length === 0 ? [] : [`columns that are generated or not published are left out: ${left.join(", ")}`]),
      ...(silent.length === 0 ? [] : [`the publication ${publication} does not publish: ${silent.join(", ")}`]),
    ],
  };
}

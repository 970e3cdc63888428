/* oxlint-disable no-await-in-loop -- what one connection asks is answered in its order */
import type { DatasetSummary } from "#data";
import { type AnalyticsConnection, quoteName, quoteText } from "#data";
import { columnTypeOf, POSTGRES_TYPES } from "./postgres-type.ts";

const FIRST_OID = 16_384;
const PUBLIC = 2200;
const CATALOG = 11;
const INFORMATION = 13_000;
const OWNER = 10;
const ROWS_IN_A_STATEMENT = 500;

/** Tables that hold nothing here, with the columns that clients ask for. */
const EMPTY: Readonly<Record<string, string>> = {
  pg_attrdef: "oid bigint, adrelid bigint, adnum smallint, adbin varchar",
  pg_constraint:
    "oid bigint, conname varchar, connamespace bigint, contype varchar, condeferrable boolean, condeferred boolean, convalidated boolean, conrelid bigint, contypid bigint, conindid bigint, conparentid bigint, confrelid bigint, confupdtype varchar, confdeltype varchar, confmatchtype varchar, conislocal boolean, coninhcount integer, connoinherit boolean, conkey smallint[], confkey smallint[], conbin varchar",
  pg_description: "objoid bigint, classoid bigint, objsubid integer, description varchar",
  pg_shdescription: "objoid bigint, classoid bigint, description varchar",
  pg_enum: "oid bigint, enumtypid bigint, enumsortorder float, enumlabel varchar",
  pg_range: "rngtypid bigint, rngsubtype bigint, rngmultitypid bigint, rngcollation bigint, rngsubopc bigint",
  pg_event_trigger: "oid bigint, evtname varchar",
  pg_extension: "oid bigint, extname varchar, extowner bigint, extnamespace bigint, extversion varchar",
  pg_foreign_server: "oid bigint, srvname varchar, srvowner bigint",
  pg_foreign_table: "ftrelid bigint, ftserver bigint, ftoptions varchar[]",
  pg_index:
    "indexrelid bigint, indrelid bigint, indnatts smallint, indnkeyatts smallint, indisunique boolean, indisprimary boolean, indisexclusion boolean, indimmediate boolean, indisclustered boolean, indisvalid boolean, indisready boolean, indislive boolean, indisreplident boolean, indnullsnotdistinct boolean, indkey smallint[], indcollation bigint[], indclass bigint[], indoption smallint[], indexprs varchar, indpred varchar",
  pg_inherits: "inhrelid bigint, inhparent bigint, inhseqno integer, inhdetachpending boolean",
  pg_language: "oid bigint, lanname varchar",
  pg_matviews: "schemaname varchar, matviewname varchar, matviewowner varchar, definition varchar",
  pg_opclass:
    "oid bigint, opcmethod bigint, opcname varchar, opcnamespace bigint, opcdefault boolean, opcintype bigint",
  pg_partitioned_table: "partrelid bigint, partstrat varchar, partnatts smallint, partattrs smallint[]",
  pg_policy:
    "oid bigint, polname varchar, polrelid bigint, polcmd varchar, polpermissive boolean, polroles bigint[], polqual varchar, polwithcheck varchar",
  pg_proc:
    "oid bigint, proname varchar, pronamespace bigint, proowner bigint, prolang bigint, prokind varchar, proretset boolean, prorettype bigint, proargtypes bigint[], proargnames varchar[], proargmodes varchar[], proallargtypes bigint[], pronargs smallint, prosrc varchar, proisagg boolean, procost float, prorows float, provolatile varchar",
  pg_publication: "oid bigint, pubname varchar, puballtables boolean",
  pg_publication_rel: "oid bigint, prpubid bigint, prrelid bigint, prattrs smallint[], prqual varchar",
  pg_publication_namespace: "oid bigint, pnpubid bigint, pnnspid bigint",
  pg_rewrite: "oid bigint, rulename varchar, ev_class bigint, ev_type varchar, ev_enabled varchar",
  pg_sequence:
    "seqrelid bigint, seqtypid bigint, seqstart bigint, seqincrement bigint, seqmax bigint, seqmin bigint, seqcache bigint, seqcycle boolean",
  pg_sequences: "schemaname varchar, sequencename varchar, sequenceowner varchar",
  pg_stat_user_tables: "relid bigint, schemaname varchar, relname varchar, n_live_tup bigint",
  pg_statistic_ext:
    "oid bigint, stxrelid bigint, stxname varchar, stxnamespace bigint, stxkeys smallint[], stxkind varchar[], stxstattarget integer",
  pg_trigger:
    "oid bigint, tgrelid bigint, tgname varchar, tgfoid bigint, tgtype smallint, tgenabled varchar, tgisinternal boolean, tgconstraint bigint, tgparentid bigint, tgdeferrable boolean, tginitdeferred boolean",
  pg_views: "schemaname varchar, viewname varchar, viewowner varchar, definition varchar",
  pg_indexes: "schemaname varchar, tablename varchar, indexname varchar, tablespace varchar, indexdef varchar",
  pg_depend:
    "classid bigint, objid bigint, objsubid integer, refclassid bigint, refobjid bigint, refobjsubid integer, deptype varchar",
  pg_auth_members: "roleid bigint, member bigint, grantor bigint, admin_option boolean",
  pg_stat_activity: "datid bigint, datname varchar, pid integer, usename varchar, state varchar, query varchar",
  pg_locks: "locktype varchar, pid integer, granted boolean",
  is_views: "table_catalog varchar, table_schema varchar, table_name varchar, view_definition varchar",
  is_table_constraints:
    "constraint_catalog varchar, constraint_schema varchar, constraint_name varchar, table_catalog varchar, table_schema varchar, table_name varchar, constraint_type varchar",
  is_key_column_usage:
    "constraint_catalog varchar, constraint_schema varchar, constraint_name varchar, table_catalog varchar, table_schema varchar, table_name varchar, column_name varchar, ordinal_position integer, position_in_unique_constraint integer",
  is_referential_constraints:
    "constraint_catalog varchar, constraint_schema varchar, constraint_name varchar, unique_constraint_schema varchar, unique_constraint_name varchar",
  is_constraint_column_usage:
    "table_catalog varchar, table_schema varchar, table_name varchar, column_name varchar, constraint_schema varchar, constraint_name varchar",
  is_routines: "routine_catalog varchar, routine_schema varchar, routine_name varchar, routine_type varchar",
  is_triggers: "trigger_schema varchar, trigger_name varchar, event_object_table varchar",
  is_sequences: "sequence_schema varchar, sequence_name varchar",
};

const FILLED = [
  "pg_namespace",
  "pg_class",
  "pg_attribute",
  "pg_type",
  "pg_database",
  "pg_roles",
  "pg_user",
  "pg_authid",
  "pg_am",
  "pg_collation",
  "pg_settings",
  "pg_tables",
  "pg_tablespace",
  "is_schemata",
  "is_tables",
  "is_columns",
];

const NAMES: ReadonlySet<string> = new Set([...Object.keys(EMPTY), ...FILLED]);

/** True for the tables in which clients look up what there is. */
export function isCatalogTable(name: string): boolean {
  return NAMES.has(name.toLowerCase()) || /^pg_/i.test(name);
}

/**
 * A query of the system catalogs as DuckDB reads it: PostgreSQL's own operators, collations and casts in its words,
 * names without their schema.
 */
export function toCatalogSql(sql: string): string {
  return (
    sql
      .replaceAll(/'((?:[^']|'')*)'::(?:"?pg_catalog"?\.)?"?regclass"?/gi, (_, name: string) => classOid(name))
      .replaceAll(/\bOPERATOR\s*\(\s*pg_catalog\.([^)\s]+)\s*\)/gi, "$1")
      .replaceAll(/\bCOLLATE\s+(?:"?pg_catalog"?\.)?"?(?:default|C)"?/gi, "")
      .replaceAll(/\binformation_schema"?\s*\.\s*"?(\w+)"?/gi, "is_$1")
      .replaceAll(/"is_(\w+)\b(?!")/g, "is_$1")
      .replaceAll(/"?\bpg_catalog"?\s*\.\s*/gi, "")
      .replaceAll(/::"char"/gi, "::varchar")
      .replaceAll(/\bjson_build_object\s*\(/gi, "json_object(")
      // A set has its alias as column too.
      .replaceAll(
        /\b(generate_series\s*\((?:[^()]|\([^()]*\))*\))\s+(?:as\s+)?(\w+)\b(?!\s*\()/gi,
        "(SELECT unnest($1) AS $2) $2",
      )
      .replaceAll(/\bILIKE\s+any\s*\(/gi, "= any (")
  );
}

function classOid(name: string): string {
  const plain = name.replace(/^"?(?:pg_catalog|public)"?\./i, "").replaceAll('"', "");
  return `(SELECT oid FROM pg_class WHERE relname = '${plain}')`;
}

/** Fills a connection with what the system catalogs of this project say. */
export async function createCatalog(
  connection: AnalyticsConnection,
  facts: {
    readonly database: string;
    readonly user: string;
    readonly version: string;
    readonly settings: ReadonlyMap<string, string>;
    readonly datasets: readonly Pick<DatasetSummary, "name" | "columns" | "latest">[];
  },
): Promise<void> {
  // A schema of its own: names of DuckDB's own schema are taken.
  await connection.run("create schema catalog; set search_path = 'catalog,main'");
  for (const [name, columns] of Object.entries(EMPTY)) await connection.run(`create table ${name} (${columns})`);
  await connection.run(TYPES);
  await connection.run(functionsOf(facts));
  await fill(connection, "pg_namespace", "oid, nspname, nspowner, nspacl", [
    [CATALOG, "pg_catalog", OWNER, null],
    [PUBLIC, "public", OWNER, null],
    [INFORMATION, "information_schema", OWNER, null],
  ]);
  await fill(connection, "pg_type", TYPE_COLUMNS, typeRows());
  await connection.run(FIXED(facts));
  await fill(
    connection,
    "pg_settings",
    "name, setting, category, short_desc, source",
    [...facts.settings].map(([name, value]) => [name, value, "", "", "default"]),
  );
  const oids = oidsOf(facts.datasets.map(({ name }) => name));
  const rows = facts.datasets.map(({ name, columns, latest }) => [
    oids.get(name) ?? 0,
    name,
    PUBLIC,
    columns.length,
    latest.rowCount ?? -1,
  ]);
  await fill(connection, "datasets", "oid, relname, relnamespace, relnatts, reltuples", [
    [1259, "pg_class", CATALOG, 0, 0],
    [1249, "pg_attribute", CATALOG, 0, 0],
    [1247, "pg_type", CATALOG, 0, 0],
    [2615, "pg_namespace", CATALOG, 0, 0],
    [1255, "pg_proc", CATALOG, 0, 0],
    ...rows,
  ]);
  await fill(
    connection,
    "dataset_columns",
    "attrelid, attname, atttypid, attlen, attnum, atttypmod, duckdb",
    facts.datasets.flatMap(({ name, columns }) =>
      columns.map((column, index) => {
        const { oid, size, modifier } = columnTypeOf(column.type);
        return [oids.get(name) ?? 0, column.name, oid, size, index + 1, modifier, column.type];
      }),
    ),
  );
  await connection.run(VIEWS(facts.database, facts.user));
}

/** The same name keeps its number while datasets come and go. */
function oidsOf(names: readonly string[]): ReadonlyMap<string, number> {
  const oids = new Map<string, number>();
  const taken = new Set<number>();
  for (const name of names.toSorted()) {
    let hash = 2_166_136_261;
    for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 16_777_619) >>> 0;
    let oid = FIRST_OID + (hash % 2_000_000_000);
    while (taken.has(oid)) oid++;
    taken.add(oid);
    oids.set(name, oid);
  }
  return oids;
}

type Cell = string | number | boolean | null;

/** Makes a table from its rows; a table without rows has the types of texts. */
async function fill(
  connection: AnalyticsConnection,
  table: string,
  columns: string,
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  const names = columns.split(",").map((name) => name.trim());
  if (rows.length === 0)
    return connection.run(`create table ${table} (${names.map((name) => `${name} ${typeOfColumn(name)}`).join(", ")})`);
  for (let at = 0; at < rows.length; at += ROWS_IN_A_STATEMENT) {
    const values = rows
      .slice(at, at + ROWS_IN_A_STATEMENT)
      .map((row) => `(${row.map((cell) => (typeof cell === "string" ? quoteText(cell) : String(cell))).join(", ")})`)
      .join(", ");
    if (at === 0)
      await connection.run(
        `create table ${table} as select ${names.map((name) => `${name}::${typeOfColumn(name)} as ${name}`).join(", ")} from (values ${values}) as _(${names.join(", ")})`,
      );
    else await connection.run(`insert into ${table} values ${values}`);
  }
}

function typeOfColumn(name: string): string {
  if (/(^oid|relid|namespace|owner|typid|typarray|typelem|typbasetype|typcollation)$/.test(name)) return "bigint";
  if (/^(attlen|attnum|typlen|relnatts)$/.test(name)) return "smallint";
  if (/^(atttypmod|typtypmod|typndims)$/.test(name)) return "integer";
  if (name === "reltuples") return "double";
  return /^(typbyval|typnotnull|typisdefined|typispreferred)$/.test(name) ? "boolean" : "varchar";
}

const TYPE_COLUMNS =
  "oid, typname, typnamespace, typowner, typlen, typtype, typcategory, typelem, typarray, typbasetype, typtypmod, typnotnull, typcollation, typrelid, typdelim, typinput, typdefault, typisdefined, typispreferred, typbyval, typndims";

function typeRows(): Cell[][] {
  const row = (type: {
    readonly oid: number;
    readonly name: string;
    readonly length: number;
    readonly category: string;
    readonly item?: number;
    readonly array?: number;
  }): Cell[] => [
    type.oid,
    type.name,
    CATALOG,
    OWNER,
    type.length,
    "b",
    type.category,
    type.item ?? 0,
    type.array ?? 0,
    0,
    -1,
    false,
    0,
    0,
    ",",
    type.category === "A" ? "array_in" : `${type.name}in`,
    null,
    true,
    false,
    type.length > 0,
    0,
  ];
  return POSTGRES_TYPES.flatMap(({ oid, name, size, arrayOid }) => [
    row({ oid, name, length: size, category: CATEGORIES[name] ?? "S", array: arrayOid }),
    row({ oid: arrayOid, name: `_${name}`, length: -1, category: "A", item: oid }),
  ]);
}

const CATEGORIES: Readonly<Record<string, string>> = {
  bool: "B",
  bytea: "U",
  int8: "N",
  int2: "N",
  int4: "N",
  oid: "N",
  float4: "N",
  float8: "N",
  numeric: "N",
  date: "D",
  time: "D",
  timestamp: "D",
  timestamptz: "D",
  interval: "T",
  uuid: "U",
  json: "U",
};

const TYPES = [
  "oid bigint",
  "name varchar",
  "regclass varchar",
  "regtype varchar",
  "regproc varchar",
  "regnamespace varchar",
  "int2vector smallint[]",
  "oidvector bigint[]",
  "regrole varchar",
]
  .map((type) => type.split(" "))
  .map(([name = "", of = ""]) => `create type ${quoteName(name)} as ${of}`)
  .join("; ");

function functionsOf(facts: {
  readonly database: string;
  readonly user: string;
  readonly version: string;
  readonly settings: ReadonlyMap<string, string>;
}): string {
  const database = quoteText(facts.database);
  const user = quoteText(facts.user);
  const settings = [...facts.settings]
    .map(([name, value]) => `when ${quoteText(name)} then ${quoteText(value)}`)
    .join(" ");
  const macros: Readonly<Record<string, string>> = {
    "version()": quoteText(facts.version),
    "current_database()": database,
    "current_catalog()": database,
    "current_schema()": "'public'",
    "current_schemas(a)": "['pg_catalog', 'public']",
    "session_user()": user,
    "current_user()": user,
    "current_role()": user,
    "user()": user,
    "pg_get_userbyid(a)": user,
    "pg_table_is_visible(a)": "true",
    "pg_type_is_visible(a)": "true",
    "pg_function_is_visible(a)": "true",
    "pg_collation_is_visible(a)": "true",
    "pg_is_in_recovery()": "false",
    "pg_backend_pid()": "0",
    "pg_postmaster_start_time()": "now()",
    "pg_encoding_to_char(a)": "'UTF8'",
    "pg_tablespace_location(a)": "''",
    "obj_description(a, b := null)": "null",
    "shobj_description(a, b := null)": "null",
    "pg_get_expr(a, b, c := null)": "null",
    "col_description(a, b)": "null",
    "pg_get_viewdef(a, b := null)": "null",
    "pg_get_constraintdef(a, b := null)": "null",
    "pg_get_indexdef(a, b := null, c := null)": "null",
    "pg_get_partkeydef(a)": "null",
    "pg_get_function_arguments(a)": "''",
    "pg_get_function_identity_arguments(a)": "''",
    "pg_get_function_result(a)": "''",
    "pg_get_statisticsobjdef_columns(a)": "''",
    "pg_relation_is_publishable(a)": "false",
    "pg_relation_size(a)": "0",
    "pg_total_relation_size(a)": "0",
    "pg_table_size(a)": "0",
    "pg_indexes_size(a)": "0",
    "pg_database_size(a)": "0",
    "pg_size_pretty(a)": "a::varchar",
    "pg_get_serial_sequence(a, b)": "null",
    "pg_stat_get_numscans(a)": "0",
    "quote_ident(a)": "a",
    "set_config(a, b, c)": "b",
    "generate_subscripts(a, b)": "unnest(range(1, len(a) + 1))",
    "to_regtype(a)": "null",
    "to_regclass(a)": "(select oid from pg_class where relname = a)",
    "has_table_privilege(a, b)": "lower(b) = 'select'",
    "has_column_privilege(a, b, c)": "lower(c) = 'select'",
    "has_any_column_privilege(a, b)": "lower(b) = 'select'",
    "has_schema_privilege(a, b)": "lower(b) = 'usage'",
    "has_database_privilege(a, b)": "lower(b) = 'connect'",
    "txid_current()": "0",
    "inet_server_addr()": "null",
    "inet_server_port()": "null",
    "array_upper(a, b)": "len(a)",
    "array_lower(a, b)": "1",
    "current_setting(a, b := null)": `case lower(a) ${settings} else null end`,
  };
  return Object.entries(macros)
    .map(([head, body]) => `create macro ${head} as ${body}`)
    .join("; ");
}

/** The name of a type as SQL has it. */
const NAMED = (table: string, modifier: string): string =>
  `case ${table}.typname when 'int8' then 'bigint' when 'int4' then 'integer' when 'int2' then 'smallint' when 'bool' then 'boolean' when 'float8' then 'double precision' when 'float4' then 'real' when 'varchar' then 'character varying' when 'bpchar' then 'character' when 'timestamp' then 'timestamp without time zone' when 'timestamptz' then 'timestamp with time zone' when 'time' then 'time without time zone' when 'numeric' then case when ${modifier} > 4 then 'numeric(' || ((${modifier} - 4) >> 16) || ',' || ((${modifier} - 4) & 65535) || ')' else 'numeric' end else ${table}.typname end`;

const FIXED = ({ database, user }: { readonly database: string; readonly user: string }): string =>
  `create table pg_database as select 16383::bigint as oid, ${quoteText(database)} as datname, ${OWNER}::bigint as datdba, 6 as encoding, 'C' as datcollate, 'C' as datctype, 'c' as datlocprovider, null::varchar as daticulocale, false as datistemplate, true as datallowconn, -1 as datconnlimit, 1663::bigint as dattablespace, null::varchar[] as datacl;
create table pg_roles as select ${OWNER}::bigint as oid, ${quoteText(user)} as rolname, false as rolsuper, true as rolinherit, false as rolcreaterole, false as rolcreatedb, true as rolcanlogin, false as rolreplication, false as rolbypassrls, -1 as rolconnlimit, null::timestamptz as rolvaliduntil, null::varchar[] as rolconfig;
create view pg_authid as select * from pg_roles;
create view pg_user as select rolname as usename, oid as usesysid, rolcreatedb as usecreatedb, rolsuper as usesuper, rolreplication as userepl from pg_roles;
create table pg_am as select 2::bigint as oid, 'heap' as amname, 'heap_tableam_handler' as amhandler, 't' as amtype;
create table pg_collation as select 100::bigint as oid, 'default' as collname, ${CATALOG}::bigint as collnamespace, 'd' as collprovider, true as collisdeterministic;
create table pg_tablespace as select 1663::bigint as oid, 'pg_default' as spcname, ${OWNER}::bigint as spcowner;
create macro format_type(a, b) as (select case when t.typcategory = 'A' then ${NAMED("e", "b")} || '[]' else ${NAMED("t", "b")} end from pg_type t left join pg_type e on e.oid = t.typelem where t.oid = a)`;

const VIEWS = (database: string, user: string): string => `
create view pg_class as select oid, relname, relnamespace, 0::bigint as reltype, 0::bigint as reloftype, ${OWNER}::bigint as relowner, 2::bigint as relam, 0::bigint as relfilenode, 0::bigint as reltablespace, 0 as relpages, reltuples, 0 as relallvisible, 0::bigint as reltoastrelid, false as relhasindex, false as relisshared, 'p' as relpersistence, 'r' as relkind, relnatts, 0::smallint as relchecks, false as relhasoids, false as relhaspkey, false as relhasrules, false as relhastriggers, false as relhassubclass, false as relrowsecurity, false as relforcerowsecurity, true as relispopulated, 'd' as relreplident, false as relispartition, null::varchar as relpartbound, null::varchar[] as relacl, null::varchar[] as reloptions from datasets;
create view pg_attribute as select attrelid, attname, atttypid, -1 as attstattarget, attlen, attnum, 0 as attndims, -1 as attcacheoff, atttypmod, false as attbyval, 'p' as attstorage, 'i' as attalign, false as attnotnull, false as atthasdef, false as atthasmissing, '' as attidentity, '' as attgenerated, false as attisdropped, true as attislocal, 0 as attinhcount, 0::bigint as attcollation, '' as attcompression, null::varchar[] as attacl, null::varchar[] as attoptions, null::varchar[] as attfdwoptions from dataset_columns;
create view pg_tables as select 'public' as schemaname, relname as tablename, ${quoteText(user)} as tableowner, null::varchar as tablespace, false as hasindexes, false as hasrules, false as hastriggers, false as rowsecurity from datasets where relnamespace = ${PUBLIC};
create view is_schemata as select ${quoteText(database)} as catalog_name, nspname as schema_name, ${quoteText(user)} as schema_owner from pg_namespace;
create view is_tables as select ${quoteText(database)} as table_catalog, 'public' as table_schema, relname as table_name, 'BASE TABLE' as table_type, 'NO' as is_insertable_into from datasets where relnamespace = ${PUBLIC};
create view is_columns as select ${quoteText(database)} as table_catalog, 'public' as table_schema, relname as table_name, attname as column_name, attnum::integer as ordinal_position, null::varchar as column_default, 'YES' as is_nullable, case when t.typcategory = 'A' then 'ARRAY' else regexp_replace(format_type(atttypid, -1), '\\(.*', '') end as data_type, t.typname as udt_name, 'pg_catalog' as udt_schema, ${quoteText(database)} as udt_catalog, null::integer as character_maximum_length, null::integer as character_octet_length, case when t.typname = 'numeric' and atttypmod > 4 then (atttypmod - 4) >> 16 end as numeric_precision, case when t.typname = 'numeric' and atttypmod > 4 then (atttypmod - 4) & 65535 end as numeric_scale, case when t.typcategory = 'D' then 6 end as datetime_precision, 'NO' as is_identity, 'NEVER' as is_generated, null::varchar as generation_expression, null::varchar as collation_name, null::varchar as domain_name from dataset_columns c join datasets d on d.oid = c.attrelid join pg_type t on t.oid = c.atttypid where d.relnamespace = ${PUBLIC}`;

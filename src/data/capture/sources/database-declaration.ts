import { z } from "zod";

const text = z.string().min(1);

/** Names of secrets; values look otherwise. */
export const secretName: z.ZodString = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,127}$/,
    "expected the name of a secret; its value stands in the environment of esteira, as ESTEIRA_SECRET_NAME",
  );

const cursorSchema = z
  .strictObject({
    column: text.describe("A column that every row has and that only grows: a time of change, a number."),
    lookback: z
      .union([
        z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'expected a time such as "2h" or "7d", or a number'),
        z.number().min(0),
      ])
      .optional()
      .describe(
        "How far before the last value the next run begins, for rows that come late: a time for days and moments, else a number. Needs write: { merge: KEY }.",
      ),
    start: z
      .union([text, z.number()])
      .optional()
      .describe("The first run reads rows from this value on. Default: all."),
    boundary: z
      .enum(["closed", "open"])
      .optional()
      .describe(
        "`closed`: rows that come later with exactly the last value are still found (default). `open`: there are none, only greater values are read.",
      ),
    missing: z
      .enum(["error", "exclude", "include"])
      .optional()
      .describe(
        "Rows without a value: `error` (default) stops, `exclude` leaves them out, `include` reads them in every run (needs write: { merge: KEY }).",
      ),
  })
  .describe("Read only what is new since the version before, by a column. Default: everything, in every run.");

export type CursorDeclaration = z.infer<typeof cursorSchema>;

const what = {
  table: text.optional().describe("Table or view, with its schema or database where it needs one: public.orders"),
  query: text.optional().describe("One SELECT, in the words of the database, instead of a table."),
  columns: z.array(text).min(1).optional().describe("Only these columns. Default: all."),
  cursor: cursorSchema.optional(),
  types: z
    .record(
      text,
      z
        .string()
        .regex(
          /^[A-Za-z]+( [A-Za-z]+)*( ?\(\d+(, ?\d+)?\))?(\[\])?$/,
          "expected a type such as BIGINT or DECIMAL(12,2)",
        ),
    )
    .optional()
    .describe("Types of columns, as SQL of datasets names them, where another is wanted: { amount: DECIMAL(12,2) }"),
};

const server = {
  url: text.optional().describe("Address with user, without password: postgres://reader@db.example.org:5432/shop"),
  password: secretName.optional().describe("Name of the secret that is the password."),
  secret: secretName
    .optional()
    .describe("Name of a secret that is the whole address, password included, instead of url."),
  tls: z
    .enum(["verify", "unverified", "off"])
    .optional()
    .describe(
      "How the connection is encrypted. Default: `verify` for servers on the public internet, `off` for those of the inside.",
    ),
};

/** Names that need no quotes, as the server asks for its slots. */
const replicationSchema = z
  .strictObject({
    slot: z
      .string()
      .regex(/^[a-z0-9_]{1,63}$/, "expected small letters, digits and _, at most 63, as PostgreSQL asks for")
      .describe(
        "Replication slot of this step alone; it is made when there is none, and the server keeps its log for it until the next run.",
      ),
    publication: text.describe("Publication that has the table: create publication NAME for table public.orders"),
    max_lag: z
      .string()
      .regex(/^\d+(\.\d+)? ?(MB|GB|TB|MiB|GiB|TiB)$/, 'expected a size such as "10 GB"')
      .optional()
      .describe("Log that the slot may hold on the server; what is beyond is told in each run. Default: 10 GB."),
    beyond: z
      .enum(["warn", "release"])
      .optional()
      .describe(
        "When a run fails while the slot holds more than max_lag: `warn` (default) says so, `release` drops the slot, so that the server's disk does not fill; the table is then read anew on request.",
      ),
  })
  .describe(
    "Follow the table's changes by logical replication: the first run reads all rows, each later one what changed since, deletes too.",
  );

export type ReplicationDeclaration = z.infer<typeof replicationSchema>;

export const postgresSchema = z
  .strictObject({ ...server, ...what, replication: replicationSchema.optional() })
  .describe("A table or query of PostgreSQL, read in one snapshot, or a table that is followed by its changes.");

export const mysqlSchema = z
  .strictObject({
    ...server,
    ...what,
    zero_dates: z
      .enum(["hold", "missing"])
      .optional()
      .describe(
        "Days such as 0000-00-00: `hold` (default) puts the row into quarantine, `missing` takes it as no value.",
      ),
  })
  .describe("A table or query of MySQL or MariaDB, read in one snapshot.");

export const sqliteSchema = z
  .strictObject({
    file: text.describe(
      "Database file, relative to the project, or absolute below one of capture.folders of esteira.yaml.",
    ),
    ...what,
  })
  .describe("A table or query of a SQLite file, read in one snapshot.");

export type PostgresDeclaration = z.infer<typeof postgresSchema>;
export type MysqlDeclaration = z.infer<typeof mysqlSchema>;
export type SqliteDeclaration = z.infer<typeof sqliteSchema>;
export type ServerDeclaration = PostgresDeclaration | MysqlDeclaration;
/** What all databases are asked for. */
export type TableDeclaration = Pick<PostgresDeclaration, "table" | "query" | "columns" | "cursor" | "types">;

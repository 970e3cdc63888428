import { isAbsolute, join, dirname } from "node:path";
import { stat } from "node:fs/promises";
import type { Problem } from "#pipeline";
import type { Analytics } from "../../analytics/analytics.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import { findCaptureFolder } from "../source-file.ts";
import { sourceUnreachable } from "../../source-errors.ts";
import type {
  MysqlDeclaration,
  PostgresDeclaration,
  ServerDeclaration,
  SqliteDeclaration,
} from "./database-declaration.ts";
import type { Database } from "./database.ts";
import { MYSQL, openMysql } from "./mysql.ts";
import { openPostgres, POSTGRES } from "./postgres.ts";
import type { FindHost } from "./reachable-host.ts";
import { describeServer, findServer, type ServerAddress, type ServerKind, serverProblems } from "./server-address.ts";
import { createReplicationSource, isFollowed } from "./replication.ts";
import type { Source } from "./source.ts";
import { openSqlite } from "./sqlite.ts";
import { createTableSource } from "./table-source.ts";

export interface DatabaseDependencies {
  readonly analytics: Analytics;
  readonly captureFolders: readonly string[];
  readonly findHost: FindHost;
  /** Values of secrets; undefined for those that are not set. */
  readonly secret: (name: string) => string | undefined;
}

/** Opens what a declaration names, for a query. @throws what tells that it cannot be reached, or not so */
export async function openDatabase(
  named: {
    readonly postgres?: PostgresDeclaration | undefined;
    readonly mysql?: MysqlDeclaration | undefined;
    readonly sqlite?: SqliteDeclaration | undefined;
  },
  dependencies: Omit<DatabaseDependencies, "analytics">,
  of: { readonly projectFolder: string; readonly signal: AbortSignal },
): Promise<Database> {
  const { findHost, secret, captureFolders } = dependencies;
  const { postgres, mysql, sqlite } = named;
  const { signal } = of;
  if (postgres !== undefined) {
    const source = describeServer(POSTGRES, postgres);
    return openPostgres(await findServer(POSTGRES, postgres, { source, findHost, valueOf: secret }), postgres, {
      source,
      signal,
    });
  }
  if (mysql !== undefined) {
    const source = describeServer(MYSQL, mysql);
    return openMysql(await findServer(MYSQL, mysql, { source, findHost, valueOf: secret }), mysql, { source, signal });
  }
  const declaration = sqlite ?? { file: "" };
  const source = `sqlite ${declaration.file}`;
  return openSqliteFile(declaration, { ...of, source, captureFolders });
}

async function openSqliteFile(
  declaration: SqliteDeclaration,
  of: {
    readonly source: string;
    readonly projectFolder: string;
    readonly captureFolders: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<Database> {
  const { source, projectFolder, captureFolders, signal } = of;
  const { file } = declaration;
  const asked = isAbsolute(file) ? file : join(projectFolder, file);
  await findCaptureFolder(dirname(asked), projectFolder, captureFolders);
  // A link in its place must not lead elsewhere either.
  const path = await findCaptureFolder(asked, projectFolder, captureFolders);
  try {
    await stat(path);
  } catch (error) {
    throw sourceUnreachable({ source, reason: "there is no such file" }, error);
  }
  return openSqlite(path, declaration, { source, signal });
}

type Write = CaptureDeclaration["write"];

export function createPostgresSource(
  declaration: PostgresDeclaration,
  write: Write,
  dependencies: DatabaseDependencies,
): Source {
  if (isFollowed(declaration)) return createReplicationSource(declaration, write, dependencies);
  return createServerSource(POSTGRES, declaration, {
    write,
    dependencies,
    open: (address, of) => openPostgres(address, declaration, of),
  });
}

export function createMysqlSource(
  declaration: MysqlDeclaration,
  write: Write,
  dependencies: DatabaseDependencies,
): Source {
  return createServerSource(MYSQL, declaration, {
    write,
    dependencies,
    open: (address, of) => openMysql(address, declaration, of),
  });
}

function createServerSource(
  kind: ServerKind,
  declaration: ServerDeclaration,
  of: {
    readonly write: Write;
    readonly dependencies: DatabaseDependencies;
    readonly open: (
      address: ServerAddress,
      of: { readonly source: string; readonly signal: AbortSignal },
    ) => Promise<Database>;
  },
): Source {
  const { analytics, findHost, secret } = of.dependencies;
  const place = describeServer(kind, declaration);
  return createTableSource({
    name: kind.name,
    place,
    declaration,
    write: of.write,
    analytics,
    problems: () => Promise.resolve(serverProblems(kind, declaration)),
    async connect(context, signal) {
      const source = `${place} (step ${context.step})`;
      return of.open(await findServer(kind, declaration, { source, findHost, valueOf: secret }), { source, signal });
    },
  });
}

export function createSqliteSource(
  declaration: SqliteDeclaration,
  write: Write,
  { analytics, captureFolders }: DatabaseDependencies,
): Source {
  const { file } = declaration;
  const place = `sqlite ${file}`;
  return createTableSource({
    name: "sqlite",
    place,
    declaration,
    write,
    analytics,
    async problems(): Promise<readonly Problem[]> {
      return [];
    },
    async connect({ projectFolder, step }, signal) {
      return openSqliteFile(declaration, { source: `${place} (step ${step})`, projectFolder, captureFolders, signal });
    },
  });
}

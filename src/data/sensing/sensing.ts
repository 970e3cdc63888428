import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Problem, SensorDefinition, Sensing } from "#pipeline";
import { z } from "zod";
import { mysqlSchema, postgresSchema, sqliteSchema } from "../capture/sources/database-declaration.ts";
import type { DatabaseDependencies } from "../capture/sources/database-sources.ts";
import { authSchema } from "../capture/sources/http-declaration.ts";
import { MYSQL } from "../capture/sources/mysql.ts";
import { POSTGRES } from "../capture/sources/postgres.ts";
import { createFindHost } from "../capture/sources/reachable-host.ts";
import { serverProblems } from "../capture/sources/server-address.ts";
import { findCaptureFolder, findSourceFiles } from "../capture/source-file.ts";
import { sensorInvalid, sensorTooMany } from "../source-errors.ts";
import type { SqlSessionDependencies } from "../query/sql-session.ts";
import { lookAtRows, type RowsFrom } from "./look-at-rows.ts";
import { lookAtUrl } from "./look-at-url.ts";

const MOST_FILES = 10_000;

export interface SensingDependencies extends SqlSessionDependencies {
  readonly project: string;
  readonly projectFolder: string;
  /** Absolute folders outside the project that captures may read. */
  readonly captureFolders: readonly string[];
  /** Hosts of the inside that captures may read. */
  readonly captureHosts: readonly string[];
  /** Values of secrets; undefined for those that are not set. */
  readonly secret: (name: string) => string | undefined;
}

const fromSchema = z
  .strictObject({
    postgres: postgresSchema.omit({ table: true, query: true, columns: true, cursor: true, types: true }).optional(),
    mysql: mysqlSchema.omit({ table: true, query: true, columns: true, cursor: true, types: true }).optional(),
    sqlite: sqliteSchema.omit({ table: true, query: true, columns: true, cursor: true, types: true }).optional(),
  })
  .refine((named) => Object.keys(named).length === 1, "expected one of postgres, mysql, sqlite");

/**
 * Looks at files, addresses and rows with what a capture may read, and no more: files below the project and
 * `capture.folders`, hosts of the public internet and `capture.hosts`, secrets by name.
 */
export function createSensing(dependencies: SensingDependencies): Sensing {
  const { projectFolder, captureFolders, secret } = dependencies;
  const findHost = createFindHost(dependencies.captureHosts);
  const databases: Omit<DatabaseDependencies, "analytics"> = { captureFolders, findHost, secret };
  return {
    check,
    async look({ looksAt }, seen, signal) {
      if (looksAt.kind === "url")
        return lookAtUrl({ ...looksAt, auth: parse(authSchema.optional(), looksAt.auth) }, seen, {
          findHost,
          secret,
          signal,
        });
      if (looksAt.kind === "rows") {
        const from: RowsFrom | undefined = parse(fromSchema.optional(), looksAt.from);
        const folder = await mkdtemp(join(tmpdir(), "esteira-rows-"));
        try {
          return await lookAtRows({ sql: looksAt.sql, from }, dependencies, { databases, folder, signal });
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      }
      const folder = await findCaptureFolder(looksAt.folder, projectFolder, captureFolders);
      const files = await findSourceFiles(folder, looksAt.patterns);
      if (files.length > MOST_FILES)
        throw sensorTooMany({ what: "files", count: files.length, most: MOST_FILES, at: looksAt.patterns.join(", ") });
      return {
        kind: "file",
        files: files.map(({ path, sizeBytes, mtimeMs }) => ({ path, sizeBytes, modifiedMs: mtimeMs })),
      };
    },
  };
}

function parse<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  throw sensorInvalid({ problem: checked.error.issues[0]?.message ?? "it cannot be read" });
}

function check({ looksAt }: SensorDefinition): readonly Problem[] {
  switch (looksAt.kind) {
    case "file":
      return looksAt.patterns
        .filter((pattern) => /^([/\\]|[A-Za-z]:)/.test(pattern) || pattern.split(/[\\/]/).includes(".."))
        .map((pattern) => ({
          path: [],
          message: `"${pattern}" leads out of the folder that is looked at`,
          hint: "Name files below the project, or say folder: one below capture.folders of esteira.yaml.",
        }));
    case "url":
      return [...urlProblems(looksAt.url), ...schemaProblems(authSchema.optional(), looksAt.auth, "auth")];
    case "rows": {
      const shape = schemaProblems(fromSchema.optional(), looksAt.from, "from");
      return shape.length > 0 || looksAt.from === undefined ? shape : addressProblems(parse(fromSchema, looksAt.from));
    }
  }
}

function urlProblems(url: string): readonly Problem[] {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== "http:" && parsed.protocol !== "https:"))
    return [
      {
        path: [],
        message: `"${url}" is no address of http or https`,
        hint: "For example https://example.org/rates.csv.",
      },
    ];
  return parsed.password === "" && parsed.username === ""
    ? []
    : [
        {
          path: [],
          message: "the address holds a user or a password, which whoever reads the project can see",
          hint: "Take it out and name a secret: auth: { basic: { user: NAME, password: SECRET } }.",
        },
      ];
}

function schemaProblems(schema: z.ZodType, value: unknown, key: string): readonly Problem[] {
  const checked = schema.safeParse(value);
  if (checked.success) return [];
  return checked.error.issues.map(({ path, message }) => ({
    path: [key, ...path.filter((part) => typeof part !== "symbol")],
    message,
  }));
}

function addressProblems({ postgres, mysql }: RowsFrom): readonly Problem[] {
  const found = [
    ...(postgres === undefined ? [] : serverProblems(POSTGRES, postgres)),
    ...(mysql === undefined ? [] : serverProblems(MYSQL, mysql)),
  ];
  // As a capture has them below its own key.
  return found.map((problem) => ({ ...problem, path: ["from", ...problem.path.slice(1)] }));
}

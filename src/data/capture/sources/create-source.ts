import type { Problem } from "#pipeline";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import {
  createMysqlSource,
  createPostgresSource,
  createSqliteSource,
  type DatabaseDependencies,
} from "./database-sources.ts";
import { createFilesSource, type FilesDependencies } from "./files.ts";
import { createHttpSource } from "./http.ts";
import { createNatsSource } from "./nats.ts";
import { createPushSource } from "./push.ts";
import { createSingerSource, type SingerDependencies } from "./singer.ts";
import type { Source } from "./source.ts";

export interface SourceDependencies extends FilesDependencies, DatabaseDependencies, SingerDependencies {}

/** Keys below `capture` that say what is read. */
export const SOURCES = ["files", "postgres", "mysql", "sqlite", "http", "singer", "nats", "push"] as const;

/** Of `capture`, what is about files alone. */
const OF_FILES = ["folder", "format", "changed", "version_per", "csv"] as const;

/** What is wrong with the choice of the source. */
export function choiceProblems({ capture }: CaptureDeclaration): Problem[] {
  const named = SOURCES.filter((name) => capture[name] !== undefined);
  if (named.length !== 1)
    return [
      {
        path: ["capture"],
        message:
          named.length === 0
            ? `capture does not say what is read: name one of ${SOURCES.join(", ")}`
            : `capture reads one source, and ${named.join(" and ")} are named`,
        hint: "Each source is a step of its own.",
      },
    ];
  return capture.files !== undefined
    ? []
    : OF_FILES.filter((key) => capture[key] !== undefined).map((key) => ({
        path: ["capture", key],
        message: `${key} is about files, and the source is ${named[0]}`,
      }));
}

/** The source that a step declares; one without problems of choice. */
export function createSource(declaration: CaptureDeclaration, dependencies: SourceDependencies): Source {
  const { capture, write } = declaration;
  const { files, postgres, mysql, sqlite, http, singer, nats, push } = capture;
  if (postgres !== undefined) return createPostgresSource(postgres, write, dependencies);
  if (mysql !== undefined) return createMysqlSource(mysql, write, dependencies);
  if (sqlite !== undefined) return createSqliteSource(sqlite, write, dependencies);
  if (http !== undefined) return createHttpSource(http, write, dependencies);
  if (singer !== undefined) return createSingerSource(singer, write, dependencies);
  if (nats !== undefined) return createNatsSource(nats, write, dependencies);
  if (push !== undefined) return createPushSource(push, declaration, dependencies);
  return createFilesSource({ ...capture, files: files ?? [] }, dependencies);
}

import { z } from "zod";
import { digestOfJson, type Digest } from "#base";
import type { SensorDefinition } from "./definition.ts";
import { DURATION, toMilliseconds } from "./duration.ts";

const SHORTEST_MS = 1000;
const LONGEST_MS = 31 * 86_400_000;

const duration = (least: number) =>
  z
    .union([z.number().min(0), z.string().regex(DURATION, "expected a duration such as 90, 30s, 10m, 2h or 1d")])
    .refine(
      (stated) => toMilliseconds(stated) >= least && toMilliseconds(stated) <= LONGEST_MS,
      least === 0 ? "expected at most 31 days" : "expected at least 1s, and at most 31 days",
    );

const every = (otherwise: string) =>
  duration(SHORTEST_MS).optional().describe(`How long from one look to the next. Default ${otherwise}.`);
const existing = z
  .boolean()
  .optional()
  .describe("true: what is there at the first look starts it too. Default: only what comes or changes afterwards.");

const glob = z.string().min(1);
const file = z.union([
  glob,
  z.strictObject({
    files: z.union([glob, z.array(glob).min(1)]).describe("Globs, relative to the project or to folder."),
    folder: glob
      .optional()
      .describe("Absolute folder outside the project: below one of capture.folders of esteira.yaml."),
    every: every("30s"),
    settle: duration(0)
      .optional()
      .describe("A file has arrived when its size and time did not change for so long. Default 5s."),
    existing,
  }),
]);

const url = z.union([
  z.string().min(1),
  z.strictObject({
    url: z.string().min(1).describe("Address, http or https, without a password."),
    headers: z.record(z.string().min(1), z.string()).optional().describe("Headers that are no secrets."),
    auth: z
      .record(z.string(), z.json())
      .optional()
      .describe("How to sign in, as in capture: { http: { auth } }: names of secrets."),
    every: every("5m"),
    existing,
  }),
]);

const rows = z.union([
  z.string().min(1),
  z.strictObject({
    sql: z.string().min(1).describe("One SELECT of at most 1,000 rows."),
    from: z
      .record(z.string(), z.json())
      .optional()
      .describe("A database, as in capture: { postgres: { url, password } }, mysql or sqlite. Default: the datasets."),
    every: every("1m"),
    existing,
  }),
]);

/** Keys of `on` that look outside. */
export const sensorKeys = {
  file: z
    .union([file, z.array(file)])
    .optional()
    .describe("Files that come or change start it: a glob, or with folder, every, settle, existing."),
  url: z
    .union([url, z.array(url)])
    .optional()
    .describe("A change of what an address answers starts it: an address, or with headers, auth, every, existing."),
  rows: z
    .union([rows, z.array(rows)])
    .optional()
    .describe("Rows that a query gives start it, once for each other set of rows: SQL, or with from, every, existing."),
};

type Stated = { readonly [Key in keyof typeof sensorKeys]?: z.output<(typeof sensorKeys)[Key]> };

/** Which keys of `on` look outside. */
export const SENSOR_KINDS: readonly (keyof typeof sensorKeys)[] = ["file", "url", "rows"];

export function toSensors(on: Stated): readonly SensorDefinition[] {
  return [
    ...listOf(on.file).map((one): SensorDefinition => {
      const stated = typeof one === "string" ? { files: one } : one;
      const { files, folder, settle } = stated;
      return {
        ...common(stated, "30s"),
        looksAt: {
          kind: "file",
          patterns: typeof files === "string" ? [files] : files,
          ...(folder === undefined ? {} : { folder }),
          settleMs: toMilliseconds(settle ?? "5s"),
        },
      };
    }),
    ...listOf(on.url).map((one): SensorDefinition => {
      const stated = typeof one === "string" ? { url: one } : one;
      const { headers, auth } = stated;
      return {
        ...common(stated, "5m"),
        looksAt: {
          kind: "url",
          url: stated.url,
          ...(headers === undefined ? {} : { headers }),
          ...(auth === undefined ? {} : { auth }),
        },
      };
    }),
    ...listOf(on.rows).map((one): SensorDefinition => {
      const stated = typeof one === "string" ? { sql: one } : one;
      return {
        ...common(stated, "1m"),
        looksAt: {
          kind: "rows",
          sql: stated.sql,
          ...(stated.from === undefined ? {} : { from: stated.from }),
        },
      };
    }),
  ];
}

function common(
  stated: { readonly every?: string | number | undefined; readonly existing?: boolean | undefined },
  otherwise: string,
): Pick<SensorDefinition, "everyMs" | "existing"> {
  return {
    everyMs: toMilliseconds(stated.every ?? otherwise),
    ...(stated.existing === true ? { existing: true as const } : {}),
  };
}

function listOf<Value>(value: Value | Value[] | undefined): readonly Value[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** What a sensor looks at: with another it has seen nothing yet. */
export function digestOfSensor({ looksAt }: SensorDefinition): Digest {
  switch (looksAt.kind) {
    case "file":
      return digestOfJson([looksAt.kind, looksAt.folder ?? null, looksAt.patterns]);
    case "url":
      return digestOfJson([looksAt.kind, looksAt.url, looksAt.headers ?? null, looksAt.auth ?? null]);
    case "rows":
      return digestOfJson([looksAt.kind, looksAt.sql, looksAt.from ?? null]);
  }
}

/** For people: what a sensor looks at, without what may be a secret. */
export function describeSensor({ looksAt }: SensorDefinition): string {
  switch (looksAt.kind) {
    case "file":
      return `files ${looksAt.folder === undefined ? "" : `${looksAt.folder}/ `}${looksAt.patterns.join(", ")}`;
    case "url":
      return looksAt.url.replace(/\/\/[^/@]*@/, "//").replace(/[?#].*$/s, "");
    case "rows":
      return `rows of ${looksAt.sql.replaceAll(/\s+/g, " ").trim().slice(0, 120)}`;
  }
}

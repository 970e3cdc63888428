import { z } from "zod";
import type { Problem } from "../step-kind.ts";
import { countPartitions, isZone, parseLocal, type TimePartitions } from "../plan/partition-time.ts";

/** Units of time partitions. Weeks begin on Monday. */
export const PARTITION_UNITS = ["hour", "day", "week", "month"] as const;
export type PartitionUnit = (typeof PARTITION_UNITS)[number];

/** More partitions than this are refused: their lists must stay readable. */
export const MOST_PARTITIONS = 100_000;

/** Where the keys of a pipeline's partitions come from: a list, or the values of a column of a dataset. */
export type PartitionKeys = readonly string[] | { readonly dataset: string; readonly column: string };

/** The parts that a pipeline makes its assets in: spans of time, keys, or each key in each span. */
export interface PartitionsDefinition {
  readonly time?: TimePartitions;
  readonly keys?: PartitionKeys;
}

/** Columns that say which partition a row of a dataset belongs to. */
export interface PartitionColumns {
  readonly time?: string;
  readonly key?: string;
}

const moment = z
  .string()
  .refine((text) => parseLocal(text) !== undefined, "expected a date such as 2026-01-31, or a date with a time");

/** The key `partitions` of a pipeline. */
export const partitionsKeys = z
  .strictObject({
    every: z.enum(PARTITION_UNITS).optional().describe("One partition per hour, day, week (from Monday) or month."),
    start: moment.optional().describe("The first partition holds this moment: 2026-01-01, in the time zone."),
    end: moment.optional().describe("No partition begins here or later; default: they go on."),
    timezone: z.string().optional().describe("For example America/Sao_Paulo; default UTC."),
    keys: z
      .union([
        z
          .array(z.union([z.string(), z.number()]))
          .min(1)
          .max(10_000),
        z.strictObject({
          dataset: z.string().min(1).describe("Dataset whose values are the keys."),
          column: z.string().min(1).describe("Its column."),
        }),
      ])
      .optional()
      .describe("One partition per key: a list, or the values of a column of a dataset."),
  })
  .describe("Parts that the pipeline makes its assets in: each run makes one.");
export type StatedPartitions = z.infer<typeof partitionsKeys>;

/** The key `partition_by` of a step. */
export const partitionByKeys = z
  .union([
    z.string().min(1),
    z.strictObject({
      time: z.string().min(1).optional().describe("A date or timestamp, by which a row belongs to a span of time."),
      key: z.string().min(1).optional().describe("The column that holds the key."),
    }),
  ])
  .describe(
    "Column that says which partition a row belongs to; { time: COLUMN, key: COLUMN } where the pipeline has both. A run replaces the rows of its own partition.",
  );
export type StatedColumns = z.infer<typeof partitionByKeys>;

export function toPartitions(stated: StatedPartitions): PartitionsDefinition {
  const { every, start, end, timezone = "UTC", keys } = stated;
  return {
    ...(every === undefined || start === undefined
      ? {}
      : {
          time: { every, start, timezone: isZone(timezone) ? timezone : "UTC", ...(end === undefined ? {} : { end }) },
        }),
    ...(keys === undefined ? {} : { keys: Array.isArray(keys) ? keys.map(String) : keys }),
  };
}

/** A name alone means the dimension that there is. */
export function toPartitionColumns(stated: StatedColumns, partitions: PartitionsDefinition): PartitionColumns {
  if (typeof stated === "string") return partitions.time === undefined ? { key: stated } : { time: stated };
  const { time, key } = stated;
  return { ...(time === undefined ? {} : { time }), ...(key === undefined ? {} : { key }) };
}

/** What is wrong with `partitions` beyond its shape. Paths are below `partitions`. */
export function partitionsProblems(stated: StatedPartitions): readonly Problem[] {
  const { every, start, end, timezone, keys } = stated;
  const problems: Problem[] = [];
  if (every === undefined && keys === undefined)
    problems.push({
      path: [],
      message: "partitions says neither every nor keys",
      hint: "For example { every: day, start: 2026-01-01 }, or { keys: [north, south] }.",
    });
  if (every !== undefined && start === undefined)
    problems.push({ path: [], message: "partitions by time need a start", hint: "For example start: 2026-01-01." });
  if (every === undefined)
    for (const [name, value] of Object.entries({ start, end, timezone }))
      if (value !== undefined)
        problems.push({ path: [name], message: `${name} is for partitions by time`, hint: "Add every: day." });
  if (timezone !== undefined && !isZone(timezone))
    problems.push({
      path: ["timezone"],
      message: `unknown time zone "${timezone}"`,
      hint: "Use an IANA name such as America/Sao_Paulo or UTC.",
    });
  else if (every !== undefined && start !== undefined)
    problems.push(
      ...spanProblems({ every, start, timezone: timezone ?? "UTC", ...(end === undefined ? {} : { end }) }),
    );
  return [...problems, ...keyProblems(keys)];
}

function spanProblems(time: TimePartitions): readonly Problem[] {
  const count = countPartitions(time, MOST_PARTITIONS + 1);
  if (time.end !== undefined && count === 0)
    return [{ path: ["end"], message: `no partition begins before ${time.end}`, hint: "The end is not part of them." }];
  return time.end !== undefined && count > MOST_PARTITIONS
    ? [{ path: ["end"], message: `these are more than ${MOST_PARTITIONS} partitions`, hint: "Take a larger unit." }]
    : [];
}

// oxlint-disable-next-line no-control-regex -- a key stands in names, logs and environments
const CONTROL = /[\u0000-\u001f\u007f\u2028\u2029]/;
const LONGEST_KEY_BYTES = 200;

/** Why a text cannot be a key; undefined when it can. */
export function keyProblem(key: string): string | undefined {
  if (key === "") return "a key is empty";
  if (CONTROL.test(key) || !key.isWellFormed())
    return `the key ${JSON.stringify(key)} holds characters that cannot be shown`;
  if (Buffer.byteLength(key) > LONGEST_KEY_BYTES)
    return `the key "${key.slice(0, 40)}…" is longer than ${LONGEST_KEY_BYTES} bytes`;
  return undefined;
}

function keyProblems(keys: StatedPartitions["keys"]): readonly Problem[] {
  if (!Array.isArray(keys)) return [];
  const texts = keys.map(String);
  return texts.flatMap((key, index) => {
    const problem = keyProblem(key) ?? (texts.indexOf(key) < index ? `the key "${key}" stands twice` : undefined);
    return problem === undefined ? [] : [{ path: ["keys", index], message: problem }];
  });
}

/** What is wrong with the columns that a step names. Paths are below `partition_by`. */
export function partitionByProblems(
  stated: StatedColumns | undefined,
  partitions: PartitionsDefinition | undefined,
): readonly Problem[] {
  if (stated === undefined) return [];
  if (partitions === undefined)
    return [
      {
        path: ["partition_by"],
        message: "the pipeline has no partitions",
        hint: "Give it some: partitions: { every: day, start: 2026-01-01 }.",
      },
    ];
  const columns = toPartitionColumns(stated, partitions);
  const wanted = { time: partitions.time !== undefined, key: partitions.keys !== undefined };
  for (const name of ["time", "key"] as const) {
    if (wanted[name] && columns[name] === undefined)
      return [
        {
          path: ["partition_by"],
          message: `partition_by names no ${name} column, and the partitions of the pipeline have ${name === "time" ? "spans of time" : "keys"}`,
          hint: `Write partition_by: { ${wanted.time ? "time: COLUMN" : ""}${wanted.time && wanted.key ? ", " : ""}${wanted.key ? "key: COLUMN" : ""} }.`,
        },
      ];
    if (!wanted[name] && columns[name] !== undefined)
      return [
        {
          path: ["partition_by", name],
          message: `the partitions of the pipeline have no ${name === "time" ? "spans of time" : "keys"}`,
        },
      ];
  }
  return [];
}

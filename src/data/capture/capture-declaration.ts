import { z } from "zod";
import { CSV_ENCODINGS } from "./formats/source-rows.ts";
import { isRange } from "./formats/xlsx.ts";
import { CHANGED_FILES } from "./ledger.ts";
import { mysqlSchema, postgresSchema, sqliteSchema } from "./sources/database-declaration.ts";
import { pushSchema } from "../push/push-declaration.ts";
import { httpSchema } from "./sources/http-declaration.ts";
import { natsSchema } from "./sources/nats-declaration.ts";
import { singerSchema } from "./sources/singer-declaration.ts";
import { SOURCE_FORMATS } from "./source-file.ts";
import { writeSchema } from "../write-declaration.ts";
import { contractSchema, limitsSchema } from "../contract/step-contract.ts";
import { SCHEMA_MODES } from "./typed-rows.ts";

const pattern = z.string().min(1);

/** What a step with `capture` may say. */
export const captureSchema = z.strictObject({
  capture: z.strictObject({
    files: z
      .union([pattern, z.array(pattern).min(1)])
      .optional()
      .describe("Path or glob below the project folder, or several."),
    postgres: postgresSchema.optional(),
    mysql: mysqlSchema.optional(),
    sqlite: sqliteSchema.optional(),
    http: httpSchema.optional(),
    singer: singerSchema.optional(),
    nats: natsSchema.optional(),
    push: pushSchema.optional().describe("Events that are sent to `POST /api/v1/datasets/NAME/events`."),
    folder: z
      .string()
      .startsWith("/")
      .optional()
      .describe(
        "Absolute folder that the patterns start from, when the files are outside the project: below one of `capture.folders` of esteira.yaml.",
      ),
    format: z
      .enum(SOURCE_FORMATS)
      .optional()
      .describe("Default: what the file's name says; .gz, .zst and .zip (of one file) are read through."),
    changed: z
      .enum(CHANGED_FILES)
      .optional()
      .describe(
        "With `write: append`, what happens to the rows that a file brought before its content changed: supersede (default) takes them out in the version that brings the new ones, append leaves them (a file that is written over with new rows each time).",
      ),
    allow_empty: z
      .boolean()
      .optional()
      .describe("True: a run that reads rows and can publish none of them is no failure. Default false."),
    version_per: z
      .enum(["run", "file"])
      .optional()
      .describe("One dataset version per run (default), or one per file, in order of their names."),
    csv: z
      .strictObject({
        delimiter: z.string().min(1).max(4).optional(),
        quote: z.string().length(1).optional(),
        escape: z.string().length(1).optional(),
        encoding: z
          .enum(CSV_ENCODINGS)
          .optional()
          .describe(
            "Default: UTF-8; a file that is none is taken for UTF-16 by its mark, else for windows-1252, which the log says.",
          ),
        nulls: z.array(z.string()).min(1).optional(),
        header: z
          .union([z.number().int().min(1).max(1000), z.literal("none")])
          .optional()
          .describe(
            "Line with the names of the columns, from 1; what is above it is passed over. none: there is no such line. Default: the first line; where it and those below have one field and a table of several columns begins further down, the first of that, which the log says.",
          ),
        columns: z
          .array(z.string().min(1).max(200))
          .min(1)
          .max(10_000)
          .optional()
          .describe("Names of the columns, with header: none. Default: column_1, column_2, …"),
        guess: z
          .boolean()
          .optional()
          .describe(
            "Numbers such as 1.234,56 and dates such as 31/12/2026 are read as such in new columns where every value is so written and one leaves no doubt, which the log says. False: they stay text. Default true.",
          ),
      })
      .refine(({ header, columns }) => columns === undefined || header === "none", {
        path: ["columns"],
        error: "names the columns of files without a header: header: none must stand beside it",
      })
      .refine(({ columns = [] }) => new Set(columns.map((name) => name.toLowerCase())).size === columns.length, {
        path: ["columns"],
        error: "has one name twice",
      })
      .optional()
      .describe("How CSV is written, where it differs from comma, double quotes and UTF-8."),
    excel: z
      .strictObject({
        sheet: z
          .union([z.string().min(1), z.number().int().min(1)])
          .optional()
          .describe("Name of the sheet, or its place from 1. Default: the first one that is not hidden."),
        header: z
          .number()
          .int()
          .min(1)
          .optional()
          .describe(
            "Row with the names of the columns, as Excel counts rows. Default: the first row that has a name for at least half of the columns, which the log says when it is not the first.",
          ),
        range: z
          .string()
          .refine(isRange, "expected cells such as B3:F100, or columns such as B:F")
          .optional()
          .describe("Cells that are read: B3:F100, or B:F for whole columns. Default: all."),
      })
      .optional()
      .describe("Where in a workbook (.xlsx) the rows are."),
  }),
  write: writeSchema.optional(),
  contract: contractSchema,
  schema_contract: z
    .enum(SCHEMA_MODES)
    .optional()
    .describe(
      "What happens to columns the dataset does not have: evolve (default) adds them, freeze holds the file back, discard_row holds the row back, discard_value drops the value.",
    ),
  quarantine: limitsSchema,
});

export type CaptureDeclaration = z.infer<typeof captureSchema>;

import { z } from "zod";
import type { Problem } from "#pipeline";
import type { Analytics } from "./analytics/analytics.ts";
import type { WriteDisposition } from "./dataset.ts";
import { analyseSql } from "./transform/sql-text-analysis.ts";
import { isHistory, isHistoryColumn, isKeyed, keysOf } from "./write-disposition.ts";

const name = z.string().min(1);
const names = z.union([name.transform((key) => [key]), z.array(name).min(1)]);

const duplicates = z
  .literal("last")
  .optional()
  .describe(
    "Of a capture: of several new rows with an equal key the last one stays, in the order in which they were read. Default: they are an error.",
  );
const deleteWhen = z
  .string()
  .min(1)
  .optional()
  .describe(
    "Condition in SQL over the columns of one new row, such as `op = 'D'`: such a row says that the row with its key is deleted, and is not stored itself.",
  );
const deleteMissing = z
  .literal("missing")
  .optional()
  .describe(
    "The new rows are all that the source has: rows whose key is not among them are deleted. An empty source deletes nothing unless the capture allows it.",
  );

const merge = z.strictObject({
  merge: names.describe("Key columns: a row with an equal key is replaced."),
  updated_at: name
    .optional()
    .describe("Column that says when a row changed: a new row that is older than the one that is there is left out."),
  duplicates,
  delete_when: deleteWhen,
  delete: deleteMissing,
});
const history = z.strictObject({
  history: names.describe(
    "Key columns. A row that changes gets a further version, and earlier ones stay: valid_from, valid_to and is_current say when each held.",
  ),
  updated_at: name
    .optional()
    .describe(
      "Column that says when a row changed, by which versions begin; late rows find their place. Default: the time of the run.",
    ),
  check: names
    .optional()
    .describe("Columns whose change makes a further version. Default: all but key and updated_at."),
  duplicates,
  delete_when: deleteWhen,
  delete: deleteMissing,
});

/** The key `write` of a step that makes a dataset. */
export const writeSchema: z.ZodType<WriteDisposition> = z
  .union([z.enum(["append", "replace"]), merge, history])
  .describe(
    "How new rows meet those that are there: append, replace, merge by key columns, or keep the history of each key.",
  ) as z.ZodType<WriteDisposition>;

/** How a step of any kind says that it writes; undefined where it does not. */
export function declaredWrite(declaration: Readonly<Record<string, unknown>>): WriteDisposition | undefined {
  const parsed = writeSchema.safeParse(declaration["write"]);
  return parsed.success ? parsed.data : undefined;
}

/** What is wrong with how a step writes, whatever it reads. */
export async function writeProblems(
  analytics: Analytics,
  write: WriteDisposition | undefined,
): Promise<readonly Problem[]> {
  if (!isKeyed(write)) return [];
  return [
    ...namesProblems(write),
    ...(write.delete_when === undefined ? [] : await conditionProblems(analytics, write.delete_when)),
  ];
}

function* namesProblems(write: Extract<WriteDisposition, object>): Generator<Problem> {
  const keys = keysOf(write);
  const lower = keys.map((key) => key.toLowerCase());
  const path = ["write", isHistory(write) ? "history" : "merge"];
  const twice = keys.find((_, index) => lower.indexOf(lower[index] ?? "") !== index);
  if (twice !== undefined) yield { path, message: `the key names "${twice}" twice` };
  if (write.updated_at !== undefined && lower.includes(write.updated_at.toLowerCase()))
    yield { path: ["write", "updated_at"], message: `"${write.updated_at}" is part of the key and cannot change` };
  if (!isHistory(write)) return;
  for (const key of [...keys, ...(write.updated_at === undefined ? [] : [write.updated_at])])
    if (isHistoryColumn(key))
      yield { path, message: `"${key}" is a column that the history makes`, hint: "Give the source's another name." };
  for (const [index, column] of (write.check ?? []).entries())
    if (lower.includes(column.toLowerCase()) || column.toLowerCase() === write.updated_at?.toLowerCase())
      yield {
        path: ["write", "check", index],
        message: `"${column}" tells rows or times apart, and is no value that could change`,
      };
}

async function conditionProblems(analytics: Analytics, condition: string): Promise<readonly Problem[]> {
  const { problems, tables } = await analyseSql(analytics, `SELECT 1 FROM rows WHERE (${condition}\n)`);
  const path = ["write", "delete_when"];
  const [problem] = problems;
  if (problem !== undefined) return [{ path, message: `the condition cannot be read: ${problem.message}` }];
  const foreign = tables.find(({ name: table }) => table !== "rows");
  return foreign === undefined
    ? []
    : [{ path, message: `the condition reads "${foreign.name}"; it can only look at the columns of one new row` }];
}

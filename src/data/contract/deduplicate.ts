import { z } from "zod";
import { nearestName } from "#base";
import { normaliseColumnName } from "../column-name.ts";
import type { ContractTable } from "./contract.ts";
import { declaredTreatment, type TreatmentProblem } from "./treatment.ts";

const names = z.union([z.string().transform((name) => [name]), z.array(z.string()).min(1)]);
const tableTreatmentSchema = z.strictObject({
  deduplicate: z
    .strictObject({
      by: names.optional(),
      keep: z.enum(["first", "last"]).default("last"),
      order: z.string().optional(),
    })
    .or(z.literal(true).transform(() => ({ keep: "last" as const, by: undefined, order: undefined }))),
});

/** Which of several rows that are one is kept. */
export interface Deduplication {
  /** Columns whose values tell that rows are the same; undefined: all. */
  readonly by: readonly string[] | undefined;
  readonly keep: "first" | "last";
  /** Column that says which is first and last; undefined: the order in which they came. */
  readonly order: string | undefined;
}

/** What is wrong with the treatment of the rows of an object; `path` leads on from the object. */
export function* tableTreatmentProblems(table: ContractTable): Generator<TreatmentProblem> {
  const declared = declaredTreatment(table);
  if (declared === undefined) return;
  const checked = tableTreatmentSchema.safeParse(declared.value);
  if (!checked.success) {
    for (const issue of checked.error.issues)
      yield {
        path: [...declared.path, ...issue.path.filter((part) => typeof part !== "symbol")],
        message: `The treatment of ${table.name} is not understood: ${issue.message}`,
        hint: "Of all rows there is deduplicate: { by: [COLUMN], keep: first or last, order: COLUMN }, or true; others stand at their property.",
      };
    return;
  }
  const { by = [], order } = checked.data.deduplicate;
  const known = table.properties.map(({ name }) => name);
  for (const name of [...by, ...(order === undefined ? [] : [order])]) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    yield {
      path: [...declared.path, "deduplicate"],
      message: `${table.name} has no property "${name}"`,
      hint: near === undefined ? `It has ${known.join(", ")}.` : `Did you mean "${near}"?`,
    };
  }
}

/** How rows of an object are told from each other; undefined where nothing is said. */
export function deduplicationOf(table: ContractTable): Deduplication | undefined {
  const declared = declaredTreatment(table);
  const checked = declared === undefined ? undefined : tableTreatmentSchema.safeParse(declared.value);
  if (checked?.success !== true) return undefined;
  const { by, keep, order } = checked.data.deduplicate;
  const stored = (name: string): string => normaliseColumnName(name, 0);
  return { by: by?.map(stored), keep, order: order === undefined ? undefined : stored(order) };
}

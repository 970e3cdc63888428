import { z } from "zod";
import type { NewLabel } from "#metadata-store/serving";
import { labelInvalid } from "./errors.ts";

const time = z.union([z.number(), z.string().min(10)]);
const label = z.strictObject({
  id: z.string().min(1).max(500).optional(),
  entityKey: z.union([z.string().min(1).max(500), z.int().transform(String)]).optional(),
  label: z.union([z.number(), z.boolean(), z.string().min(1).max(500)]),
  at: time.optional(),
});
const schema = z.strictObject({ labels: z.array(label).max(100_000), until: time.optional() });

/** Labels as a request brought them, checked. */
export interface LabelBatch {
  readonly labels: readonly NewLabel[];
  /** Event time up to which all predictions were sent; epoch ms. */
  readonly untilMs: number | undefined;
}

/**
 * Reads `{"labels": [{"id" or "entityKey", "label", "at"?}], "until"?}`; times are epoch ms or ISO 8601.
 *
 * @throws MONITORING_LABEL_INVALID naming the row
 */
export function parseLabelBatch(body: unknown): LabelBatch {
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw labelInvalid({
      where: issue?.path.join(".") || "The request's body",
      found: "something else",
      expected: issue?.message ?? '{"labels": […]}',
    });
  }
  return {
    labels: parsed.data.labels.map((row, index) => {
      if ((row.id === undefined) === (row.entityKey === undefined)) {
        throw labelInvalid({
          where: `labels.${index}`,
          found: row.id === undefined ? "neither id nor entityKey" : "both id and entityKey",
          expected: "exactly one of them",
        });
      }
      const value = typeof row.label === "boolean" ? Number(row.label) : row.label;
      return { id: row.id, entityKey: row.entityKey, label: value, atMs: toMs(row.at, `labels.${index}.at`) };
    }),
    untilMs: toMs(parsed.data.until, "until"),
  };
}

const untilSchema = z.strictObject({ until: time.optional() });

/** Reads `{"until"?}`; epoch ms, undefined when it says nothing. @throws MONITORING_LABEL_INVALID */
export function parseUntil(body: unknown): number | undefined {
  const parsed = untilSchema.safeParse(body);
  if (!parsed.success)
    throw labelInvalid({
      where: "The request's body",
      found: "something else",
      expected: '{"until"?: epoch milliseconds or ISO 8601 text}',
    });
  return toMs(parsed.data.until, "until");
}

function toMs(value: number | string | undefined, where: string): number | undefined {
  if (value === undefined) return undefined;
  const ms =
    typeof value === "number"
      ? value
      : Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(value) || value.length === 10 ? value : `${value.replace(" ", "T")}Z`);
  if (!Number.isFinite(ms))
    throw labelInvalid({ where, found: JSON.stringify(value), expected: "epoch milliseconds or ISO 8601 text" });
  return Math.round(ms);
}

import { z } from "zod";

const described = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  format: z.string().optional(),
  multipleOf: z.number().optional(),
  anyOf: z.array(z.unknown()).optional(),
});

/** More digits behind the point leave too few before it. */
const MOST_DECIMALS = 18;

/**
 * DuckDB type of what a JSON schema describes. What is nested, of several types or of none is text: what is nested, as
 * JSON.
 */
export function typeOfSchema(schema: unknown): string {
  const found = described.safeParse(schema).data;
  if (found === undefined) return "VARCHAR";
  const { type, anyOf } = found;
  if (type === undefined && anyOf !== undefined) {
    const types = new Set(anyOf.filter((one) => !isNull(one)).map(typeOfSchema));
    const [only] = types;
    // A text beside a moment is how taps say that the value may be something else.
    return types.size === 1 && only !== undefined ? only : "VARCHAR";
  }
  const types = [type ?? []].flat().filter((one) => one !== "null");
  const isNumber = types.length > 0 && types.every((one) => one === "number" || one === "integer");
  if (isNumber) return types.includes("number") ? numberType(found.multipleOf) : "BIGINT";
  if (types.length !== 1) return "VARCHAR";
  if (types[0] === "boolean") return "BOOLEAN";
  return types[0] === "string" ? textType(found.format) : "VARCHAR";
}

function textType(format: string | undefined): string {
  if (format === "date-time") return "TIMESTAMP WITH TIME ZONE";
  return format === "date" ? "DATE" : "VARCHAR";
}

function isNull(schema: unknown): boolean {
  return described.safeParse(schema).data?.type === "null";
}

function numberType(multipleOf: number | undefined): string {
  const decimals = multipleOf === undefined ? undefined : decimalsOf(multipleOf);
  return decimals === undefined || decimals > MOST_DECIMALS ? "DOUBLE" : `DECIMAL(38,${decimals})`;
}

/** Digits behind the point of a number as it is written: 2 of 0.01, 10 of 1e-10; undefined of what is no step. */
function decimalsOf(step: number): number | undefined {
  const [, , decimals = "", exponent = "0"] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(step)) ?? [];
  return step > 0 && Number.isFinite(step) ? Math.max(0, decimals.length - Number(exponent)) : undefined;
}

import type { ModelDescription } from "#models";

/** Whether a model is given the same by both; NaN and a missing value are one. */
export function isEqual(
  online: unknown,
  offline: unknown,
  { type, isSingle }: { readonly type: ModelDescription["inputs"][number]["type"]; readonly isSingle: boolean },
): boolean {
  const [left, right] = [plain(online), plain(offline)];
  if (left === null || right === null) return left === right;
  if (type === "string") return left === right;
  if (typeof left === "bigint" && typeof right === "bigint" && type !== "float") return left === right;
  if ((typeof left === "bigint") !== (typeof right === "bigint") && type !== "float") return false;
  const [a, b] = [Number(left), Number(right)];
  return isSingle ? Math.fround(a) === Math.fround(b) : a === b;
}

function plain(value: unknown): unknown {
  if (value === undefined || (typeof value === "number" && Number.isNaN(value))) return null;
  return value;
}

/** A value for people. */
export function textOf(value: unknown, isSingle: boolean): string {
  const found = plain(value);
  if (typeof found === "bigint") return String(found);
  return JSON.stringify(isSingle && typeof found === "number" ? shortest(found) : found);
}

/** The shortest number that rounds to the same 32-bit float. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

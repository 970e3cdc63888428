const POSITIVE = 0x0000;
const NEGATIVE = 0x4000;
const NOT_A_NUMBER = 0xc000;
const DIGITS = 4;

/** The binary form of a numeric: groups of four digits around the point. Source: `numeric_send` of PostgreSQL. */
export function encodeNumeric(text: string): Buffer {
  const [, sign = "", whole = "0", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (!/^-?\d/.test(text)) return numericBytes({ digits: [], weight: 0, sign: NOT_A_NUMBER, scale: 0 });
  const left = whole.padStart(Math.ceil(whole.length / DIGITS) * DIGITS, "0");
  const right = fraction.padEnd(Math.ceil(fraction.length / DIGITS) * DIGITS, "0");
  const digits = (`${left}${right}`.match(/\d{4}/g) ?? []).map(Number);
  let weight = left.length / DIGITS - 1;
  while (digits[0] === 0) {
    digits.shift();
    weight--;
  }
  while (digits.at(-1) === 0) digits.pop();
  return numericBytes({
    digits,
    weight: digits.length === 0 ? 0 : weight,
    sign: sign === "-" && digits.length > 0 ? NEGATIVE : POSITIVE,
    scale: fraction.length,
  });
}

export function decodeNumeric(bytes: Buffer): string {
  const count = bytes.readInt16BE(0);
  const weight = bytes.readInt16BE(2);
  const sign = bytes.readUInt16BE(4);
  const scale = bytes.readInt16BE(6);
  if (sign === NOT_A_NUMBER) return "NaN";
  const digits = Array.from({ length: count }, (_, index) => String(bytes.readInt16BE(8 + index * 2)).padStart(4, "0"));
  const whole = weight < 0 ? "0" : Array.from({ length: weight + 1 }, (_, index) => digits[index] ?? "0000").join("");
  const leading = weight < -1 ? "0000".repeat(-weight - 1) : "";
  const fraction = `${leading}${digits.slice(Math.max(weight + 1, 0)).join("")}`.padEnd(scale, "0").slice(0, scale);
  return `${sign === NEGATIVE ? "-" : ""}${whole.replace(/^0+(?=\d)/, "")}${scale > 0 ? `.${fraction}` : ""}`;
}

function numericBytes(facts: {
  readonly digits: readonly number[];
  readonly weight: number;
  readonly sign: number;
  readonly scale: number;
}): Buffer {
  const buffer = Buffer.alloc(8 + facts.digits.length * 2);
  buffer.writeInt16BE(facts.digits.length, 0);
  buffer.writeInt16BE(facts.weight, 2);
  buffer.writeUInt16BE(facts.sign, 4);
  buffer.writeInt16BE(facts.scale, 6);
  for (const [index, digit] of facts.digits.entries()) buffer.writeInt16BE(digit, 8 + index * 2);
  return buffer;
}

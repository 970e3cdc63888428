import { quoteText } from "../analytics/sql-text.ts";
import type { ContractProperty } from "./contract.ts";

/** How values of a column are written as text. */
export interface ValueFormat {
  /** As the contract has it. */
  readonly text: string;
  /** DuckDB type of what is read. */
  readonly type: string;
  /** SQL that reads a text; NULL where it is not in the format. */
  read(value: string): string;
}

/** A format in the contract: how text is read, what every value must satisfy, or why it cannot be applied. */
export type FormatMeaning =
  | { readonly kind: "read"; readonly read: ValueFormat["read"] }
  /** `breaks`: SQL condition over the column that is true for a value that breaks it. */
  | { readonly kind: "rule"; readonly expectation: string; readonly breaks: (column: string) => string }
  | { readonly kind: "refused"; readonly message: string; readonly hint: string };

/**
 * What `logicalTypeOptions.format` of a property means: JDK patterns for dates and times, Rust's names or a pattern
 * such as `#.##0,00` for numbers, the names of string formats (ODCS 3.1, logicalTypeOptions); of our own, `sim/não` for
 * truth values.
 *
 * @param type DuckDB type of the column
 */
export function meaningOfFormat(property: ContractProperty, type: string): FormatMeaning | undefined {
  const { logicalType, logicalTypeOptions: { format, defaultTimezone } = {} } = property;
  if (format === undefined)
    return logicalType === "timestamp" && defaultTimezone !== undefined && type !== "VARCHAR"
      ? zonelessTimestamp(type, defaultTimezone)
      : undefined;
  if (logicalType === "date" || logicalType === "timestamp" || logicalType === "time")
    return temporalFormat(format, { logicalType, type, zone: defaultTimezone });
  if (logicalType === "number" || logicalType === "integer")
    return RUST_TYPES[format] === undefined ? numberFormat(format, type) : rustRule(format, logicalType);
  if (logicalType === "boolean") return booleanFormat(format);
  return logicalType === "string" || logicalType === undefined
    ? stringRule(format)
    : refuse(`A column of type ${logicalType} has no format`, "Take the format out.");
}

/**
 * How values of a column are read that are written so; undefined for a format that is none.
 *
 * @param type DuckDB type of the column: a number, DATE or TIMESTAMP WITH TIME ZONE (UTC where the format has no zone)
 */
export function formatOfColumn(text: string, type: string): ValueFormat | undefined {
  const logicalType = type === "DATE" ? "date" : type.startsWith("TIMESTAMP") ? "timestamp" : undefined;
  const meaning =
    logicalType === undefined ? numberFormat(text, type) : temporalFormat(text, { logicalType, type, zone: undefined });
  return meaning.kind === "read" ? { text, type, read: meaning.read } : undefined;
}

function refuse(message: string, hint: string): FormatMeaning {
  return { kind: "refused", message, hint };
}

interface Token {
  /** Regular expression of the text. */
  readonly pattern: string;
  /** DuckDB's strptime specifier. */
  readonly specifier: string;
}

/** Letters of the JDK's DateTimeFormatter, by their number. */
const LETTERS: Readonly<Record<string, (count: number) => Token | undefined>> = {
  y: (count) => (count === 2 ? digits(2, "%y") : count <= 4 ? digits(4, "%Y") : undefined),
  u: (count) => (count === 2 ? digits(2, "%y") : count <= 4 ? digits(4, "%Y") : undefined),
  M: (count) =>
    count <= 2
      ? digits(count, "%m")
      : count === 3
        ? { pattern: "[A-Za-z]{3}", specifier: "%b" }
        : count === 4
          ? { pattern: "[A-Za-z]+", specifier: "%B" }
          : undefined,
  d: (count) => digitsUpTo(count, "%d"),
  D: (count) => (count === 3 ? digits(3, "%j") : undefined),
  H: (count) => digitsUpTo(count, "%H"),
  h: (count) => digitsUpTo(count, "%I"),
  m: (count) => digitsUpTo(count, "%M"),
  s: (count) => digitsUpTo(count, "%S"),
  S: (count) =>
    count === 9
      ? digits(9, "%n")
      : count <= 6
        ? { pattern: `\\d{${count}}`, specifier: count === 3 ? "%g" : "%f" }
        : undefined,
  a: (count) => (count === 1 ? { pattern: "[AaPp][Mm]", specifier: "%p" } : undefined),
  E: (count) =>
    count <= 3
      ? { pattern: "[A-Za-z]{3}", specifier: "%a" }
      : count === 4
        ? { pattern: "[A-Za-z]+", specifier: "%A" }
        : undefined,
  X: (count) => (count <= 3 ? OFFSET : undefined),
  x: (count) => (count <= 3 ? OFFSET : undefined),
  Z: (count) => (count <= 3 ? OFFSET : undefined),
  V: (count) => (count === 2 ? { pattern: "[A-Za-z_/+-]+", specifier: "%Z" } : undefined),
};
const OFFSET: Token = { pattern: "(?:Z|[+-]\\d{2}(?::?\\d{2})?)", specifier: "%z" };

function digits(count: number, specifier: string): Token {
  return { pattern: count === 1 ? "\\d{1,2}" : `\\d{${count}}`, specifier };
}

function digitsUpTo(count: number, specifier: string): Token | undefined {
  return count <= 2 ? digits(count, specifier) : undefined;
}

function temporalFormat(
  format: string,
  facts: {
    readonly logicalType: "date" | "timestamp" | "time";
    readonly type: string;
    readonly zone: string | undefined;
  },
): FormatMeaning {
  const tokens: Token[] = [];
  for (const [piece] of format.matchAll(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    const token = tokenOf(piece);
    if (token === undefined) {
      return refuse(
        `The format ${JSON.stringify(format)} has ${JSON.stringify(piece)}, which cannot be read`,
        "It is a pattern of the JDK's DateTimeFormatter, such as dd/MM/yyyy or dd/MM/yyyy HH:mm:ss; letters that mean themselves stand between single quotes.",
      );
    }
    tokens.push(token);
  }
  const specifiers = new Set(tokens.map(({ specifier }) => specifier));
  const needed = facts.logicalType === "time" ? ["%H", "%I"] : ["%Y", "%y"];
  if (!needed.some((specifier) => specifiers.has(specifier)))
    return refuse(
      `The format ${JSON.stringify(format)} has no ${facts.logicalType === "time" ? "hour (HH)" : "year (yyyy)"}`,
      `A ${facts.logicalType} needs one.`,
    );
  const pattern = quoteText(tokens.map((token) => token.pattern).join(""));
  const hasZone = specifiers.has("%z") || specifiers.has("%Z");
  const specifier = quoteText(tokens.map((token) => token.specifier).join(""));
  const parse = (value: string): string =>
    `try_strptime(${hasZone ? wholeOffset(value) : `trim(${value})`}, ${specifier})`;
  return {
    kind: "read",
    read: (value) =>
      `case when regexp_full_match(trim(${value}), ${pattern}) then ${convert(parse(value), value, { ...facts, hasZone })} end`,
  };
}

/** DuckDB reads `+02` and `+02:00`, and no `Z`. */
function wholeOffset(value: string): string {
  return `regexp_replace(regexp_replace(trim(${value}), 'Z$', '+00:00'), '([+-]\\d{2}):?(\\d{2})$', '\\1:\\2')`;
}

/** A timestamp without an offset of its own is one of this zone. */
function zonelessTimestamp(type: string, zone: string): FormatMeaning {
  return {
    kind: "read",
    read: (value) =>
      `case when regexp_matches(trim(${value}), ':\\d{2}.*(Z|[+-]\\d{2}(:?\\d{2})?)$') then try_cast(${value} as ${type}) else try_cast(timezone(${quoteText(zone)}, try_cast(${value} as TIMESTAMP)) as ${type}) end`,
  };
}

function convert(
  parsed: string,
  value: string,
  {
    logicalType,
    type,
    zone,
    hasZone,
  }: {
    readonly logicalType: "date" | "timestamp" | "time";
    readonly type: string;
    readonly zone: string | undefined;
    readonly hasZone: boolean;
  },
): string {
  if (logicalType === "time") return `strftime(${parsed}, '%H:%M:%S')`;
  // The text stays as it is where the contract wants text: the format is only checked.
  if (type === "VARCHAR") return `case when ${parsed} is not null then ${value} end`;
  if (logicalType === "date") return `try_cast(${parsed} as ${type})`;
  if (hasZone) return `try_cast(${parsed} as ${type})`;
  return `try_cast(timezone(${quoteText(zone ?? "UTC")}, ${parsed}) as ${type})`;
}

function tokenOf(piece: string): Token | undefined {
  if (piece === "''") return literal("'");
  if (piece.startsWith("'")) return piece.length < 2 ? undefined : literal(piece.slice(1, -1).replaceAll("''", "'"));
  if (!/^[A-Za-z]/.test(piece)) return /[[\]{}#]/.test(piece) ? undefined : literal(piece);
  return LETTERS[piece.charAt(0)]?.(piece.length);
}

function literal(text: string): Token {
  return { pattern: text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"), specifier: text.replaceAll("%", "%%") };
}

/** Lowest and highest value, and the DuckDB type that holds them, of Rust's number types. */
const RUST_TYPES: Readonly<Record<string, { readonly low: string; readonly high: string; readonly isWhole: boolean }>> =
  {
    i8: { low: "-128", high: "127", isWhole: true },
    i16: { low: "-32768", high: "32767", isWhole: true },
    i32: { low: "-2147483648", high: "2147483647", isWhole: true },
    i64: { low: "-9223372036854775808", high: "9223372036854775807", isWhole: true },
    u8: { low: "0", high: "255", isWhole: true },
    u16: { low: "0", high: "65535", isWhole: true },
    u32: { low: "0", high: "4294967295", isWhole: true },
    u64: { low: "0", high: "18446744073709551615", isWhole: true },
    f32: { low: "-3.4028235e38", high: "3.4028235e38", isWhole: false },
    f64: { low: "-1.7976931348623157e308", high: "1.7976931348623157e308", isWhole: false },
  };

function rustRule(format: string, logicalType: "number" | "integer"): FormatMeaning {
  const range = RUST_TYPES[format];
  if (range === undefined)
    return refuse(
      `The format ${JSON.stringify(format)} is not known`,
      "Rust's number types are i8 to i64, u8 to u64, f32 and f64.",
    );
  if (logicalType === "integer" && !range.isWhole)
    return refuse(
      `An integer cannot have the format ${format}`,
      "Use a whole one (i32, i64, …), or logicalType: number.",
    );
  const { low, high, isWhole } = range;
  const fraction =
    isWhole && logicalType === "number" ? (column: string) => ` or ${column} <> trunc(${column})` : () => "";
  const bound = isWhole ? "HUGEINT" : "DOUBLE";
  return {
    kind: "rule",
    expectation: `must fit ${format}`,
    breaks: (column) => `(${column} < ${low}::${bound} or ${column} > ${high}::${bound}${fraction(column)})`,
  };
}

/** Digits, a grouping separator and a decimal one, as they are written: `#.##0,00`, `#,##0.00`, `# ##0,##`, `0,00`. */
const NUMBER_PATTERN = /^#*(?:([.,' \u00a0\u202f])##0|#*0+)(?:([.,])([0#]+))?$/;
/** A currency or unit before and behind it: `R$ #.##0,00`, `#,##0.00 kg`. A percent sign would be another number. */
const WITH_UNIT = /^([^\d#%‰+.,'-]*?)\s*([#0].*[#0]|0)\s*([^\d#%‰+.,'-]*)$/u;

function numberFormat(format: string, type: string): FormatMeaning {
  const [, prefix = "", digits = "", suffix = ""] = WITH_UNIT.exec(format) ?? [];
  const match = NUMBER_PATTERN.exec(digits);
  const [, group, decimal] = match ?? [];
  if (match === null || (group !== undefined && group === decimal)) {
    return refuse(
      `The number format ${JSON.stringify(format)} cannot be read`,
      "Write it as the numbers are written, #.##0,00 for 1.234,56 or #,##0.00 for 1,234.56, with a currency or unit before or behind if they have one, or name a type: i8 to i64, u8 to u64, f32, f64.",
    );
  }
  const isBlank = group !== undefined && /\s/.test(group);
  const escaped = (separator: string): string =>
    /\s/.test(separator) ? "[ \\x{00a0}\\x{202f}]" : separator === "." ? "\\." : separator;
  const whole = group === undefined ? "\\d+" : `(?:\\d{1,3}(?:${escaped(group)}\\d{3})+|\\d+)`;
  const pattern = quoteText(`[+-]?${whole}${decimal === undefined ? "" : `(?:${escaped(decimal)}\\d+)?`}`);
  return {
    kind: "read",
    read: (text) => {
      const value = withoutUnit(text, { prefix, suffix });
      const ungrouped =
        group === undefined
          ? value
          : isBlank
            ? `regexp_replace(${value}, '[ \\x{00a0}\\x{202f}]', '', 'g')`
            : `replace(${value}, ${quoteText(group)}, '')`;
      const plain =
        decimal === undefined || decimal === "." ? ungrouped : `replace(${ungrouped}, ${quoteText(decimal)}, '.')`;
      const isFraction = /^(TINYINT|SMALLINT|INTEGER|BIGINT)$/.test(type)
        ? ` and regexp_full_match(${plain}, '[+-]?\\d+(\\.0*)?')`
        : "";
      return `case when regexp_full_match(${value}, ${pattern})${isFraction} then try_cast(${plain} as ${type}) end`;
    },
  };
}

/** `sim/não`: the words for true, then those for false, alternatives behind `|`; case and blanks do not count. */
function booleanFormat(format: string): FormatMeaning {
  const sides = format.split("/").map((side) => side.split("|").map((word) => word.trim().toLowerCase()));
  const words = sides.flat();
  const [yes = [], no = []] = sides;
  if (sides.length !== 2 || words.includes("") || new Set(words).size !== words.length)
    return refuse(
      `The format ${JSON.stringify(format)} of truth values cannot be read`,
      "Write the word for true, a slash, the word for false: yes/no; others that mean the same behind a bar: S|sim/N|não.",
    );
  const list = (side: readonly string[]): string => side.map(quoteText).join(", ");
  return {
    kind: "read",
    read: (value) =>
      `case when lower(trim(${value})) in (${list(yes)}) then true when lower(trim(${value})) in (${list(no)}) then false end`,
  };
}

/** SQL of the number alone, NULL without its unit; a sign may stand before the unit, too. */
function withoutUnit(value: string, unit: { readonly prefix: string; readonly suffix: string }): string {
  if (unit.prefix + unit.suffix === "") return `trim(${value})`;
  const blank = "[\\s\\x{00a0}\\x{202f}]*";
  const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const pattern = `^${blank}([+-]?)${blank}${literal(unit.prefix)}${blank}([+-]?[0-9].*?)${blank}${literal(unit.suffix)}${blank}$`;
  const part = (index: number): string => `regexp_extract(${value}, ${quoteText(pattern)}, ${index})`;
  return `nullif(${part(1)} || ${part(2)}, '')`;
}

/** Formats of strings that can be checked. */
const STRING_PATTERNS: Readonly<Record<string, string>> = {
  email: "[^@\\s]+@[^@\\s]+\\.[^@\\s]+",
  uuid: "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
  uri: "[A-Za-z][A-Za-z0-9+.-]*:\\S+",
  hostname: "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
  ipv4: "(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)",
  ipv6: "[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(?:\\d{1,3}(?:\\.\\d{1,3}){3})?",
  byte: "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
};

function stringRule(format: string): FormatMeaning {
  const pattern = STRING_PATTERNS[format];
  if (pattern === undefined)
    return refuse(
      `The string format ${JSON.stringify(format)} cannot be checked`,
      `Use one of ${Object.keys(STRING_PATTERNS).join(", ")}, or logicalTypeOptions.pattern.`,
    );
  return {
    kind: "rule",
    expectation: `must be in the format ${format}`,
    breaks: (column) => `not regexp_full_match(${column}::VARCHAR, ${quoteText(pattern)})`,
  };
}

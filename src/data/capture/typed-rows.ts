import type { Column } from "../analytics/analytics.ts";
import { quoteName, quoteText } from "../analytics/sql-text.ts";
import type { CompiledContract, RowRule } from "../contract/rules.ts";
import type { Deduplication } from "../contract/deduplicate.ts";
import { formatOfColumn, type ValueFormat } from "../contract/value-format.ts";
import type { KeyedHashes } from "../contract/keyed-hash.ts";
import { type Protections, protectionsOf, TreatedColumn } from "./treated-column.ts";
import { storedExpression, storedType } from "../delta/schema.ts";
import { type SourceRows, UnreadableFile } from "./formats/source-rows.ts";

/** Id of the rule that a value can be read as its column's type, before the column's name. */
const TYPE_RULE = "type:";

/**
 * What happens to what a source brings beyond the known columns (dlt's words; what is discarded is kept in quarantine).
 */
export const SCHEMA_MODES = ["evolve", "freeze", "discard_row", "discard_value"] as const;
export type SchemaMode = (typeof SCHEMA_MODES)[number];

/** The columns of a dataset before the new rows come, and what decides about others. */
export interface TargetSchema {
  /** Columns that the dataset has, or the contract declares; empty: whatever the first file brings. */
  readonly columns: readonly Column[];
  readonly mode: SchemaMode;
  readonly contract: CompiledContract | undefined;
  /** SQL functions that the contract hashes with, by the name of their secret. */
  readonly hashes: KeyedHashes;
  /** Columns without whose value a row cannot be merged, and is held. */
  readonly keys: readonly string[];
  /** Tells which rows are duplicates of others, where the contract has some left out. */
  readonly isDuplicate: Witness | undefined;
}

/** Good and bad rows of one source as SQL. */
export interface TypedRows {
  /** Columns of the good rows, in stored types. */
  readonly columns: readonly Column[];
  /** SELECT of the rows that break no rule; tells the witness, where there is one, the records that it leaves out. */
  readonly good: string;
  /**
   * SELECT of those that break at least one: `record, line, byte, row, rules, messages`. With `records` only those are
   * looked at.
   */
  bad(records?: Iterable<number>): string;
  /** SELECT of columns of the same rows, as they would be stored; undefined where no rule could be broken. */
  held(columns: readonly string[]): string | undefined;
  /** Rules whose breaking is only counted: id → SELECT count. */
  readonly warnings: ReadonlyMap<string, string>;
  /** Treatments and how many values of the rows each changes: SELECT of one row, `t0`, `t1`, … in their order. */
  readonly treated: TreatedCounts | undefined;
  /** Column, in lower case → SELECT of its values, `v`, that outliers are told of. */
  readonly measured: ReadonlyMap<string, string>;
  /** SELECT of what rows that break no rule are told from each other by: `file, record, same, rank`. */
  readonly distinguished: string | undefined;
  /** Received columns whose values may not be of their column's type. */
  readonly casts: readonly ReadCast[];
  /** Column → the name that the source has for it, where they differ. */
  readonly originals: ReadonlyMap<string, string>;
}

export interface TreatedCounts {
  /** `COLUMN: TREATMENT` */
  readonly names: readonly string[];
  readonly select: string;
}

/** How one received column becomes one of the target. */
export interface ReadCast {
  readonly column: Column;
  /** `type` is what its values look like. */
  readonly from: Column;
  /** SQL of the value as received, and of the condition that it cannot be read. */
  readonly value: string;
  readonly fails: string;
  /** How it is written: as the contract says, or as was guessed when the column was new. */
  readonly format: string | undefined;
  /** SQL of what is read, where the format was guessed. */
  readonly guessed: string | undefined;
}

/** SQL that tells something of the record of a file, both given as SQL. One that notes records is false. */
export type Witness = (file: string, record: string) => string;

/**
 * Reads received values as the target's types and splits rows by the rules.
 *
 * @param witness told the rows that are left out
 * @throws UnreadableFile when a required column is missing, or the schema is frozen and the file differs
 */
export function typeRows(source: SourceRows, target: TargetSchema, witness?: Witness): TypedRows {
  const received = new Map(source.columns.map((column) => [column.name.toLowerCase(), column]));
  const columns = plannedColumns(source, target, received);
  const values: string[] = [];
  const rules: RowRule[] = [];
  const casts: ReadCast[] = [];
  const counts: (readonly [name: string, sql: string])[] = [];
  const measured = new Map<string, string>();
  for (const [index, column] of columns.entries()) {
    const from = received.get(column.name.toLowerCase());
    if (from === undefined) {
      const missing = new TreatedColumn(source, { column, from, target });
      values.push(`${missing.value(`CAST(NULL AS ${column.type})`)} AS ${quoteName(column.name)}`);
      counts.push(...missing.counts);
      continue;
    }
    const { format, isGuessed } = formatOf(column, target);
    const treated = new TreatedColumn(source, { column, from, target });
    const cast = castOf(treated.source, from, column.type, format);
    values.push(`${treated.value(cast.value)} AS ${quoteName(column.name)}`);
    counts.push(...treated.counts);
    if (treated.measured !== undefined)
      measured.set(column.name.toLowerCase(), `select ${treated.measured} as v from ${source.relation}`);
    if (cast.fails === undefined) continue;
    const guessed = isGuessed ? cast.value : undefined;
    casts.push({
      column,
      from,
      value: treated.source.value(from.name),
      fails: cast.fails,
      format: format?.text,
      guessed,
    });
    values.push(
      `(${cast.fails}) AS "__type_${index}"`,
      `CAST(${treated.source.value(from.name)} AS VARCHAR) AS "__text_${index}"`,
    );
    rules.push({
      id: `${TYPE_RULE}${column.name}`,
      column: `__text_${index}`,
      expectation: `must be ${column.type}${format === undefined ? "" : ` in the format ${format.text}`}`,
      severity: "error",
      breaks: `"__type_${index}"`,
    });
  }
  addExtraRule(source, target, { values, rules });
  const flags = new Map(rules.map(({ id, breaks }) => [id, breaks]));
  rules.push(
    ...[...keyRules(columns, target), ...(target.contract?.rows ?? [])].map((rule) => unlessUnreadable(rule, flags)),
  );
  return {
    ...splitRows(source, {
      columns,
      values,
      rules,
      witness,
      protections: protectionsOf(columns, target),
      isDuplicate: target.isDuplicate,
      deduplication: target.contract?.deduplication,
    }),
    measured,
    treated: treatedCounts(source, counts),
    casts,
    originals: source.originals ?? new Map(),
  };
}

function keyRules(columns: readonly Column[], { keys }: TargetSchema): readonly RowRule[] {
  return columns
    .filter(({ name }) => keys.some((key) => key.toLowerCase() === name.toLowerCase()))
    .map(({ name }) => ({
      id: `key:${name}`,
      column: name,
      expectation: "must have a value, since rows are merged by it",
      severity: "error",
      breaks: `${quoteName(name)} IS NULL`,
    }));
}

function treatedCounts(
  source: SourceRows,
  counts: readonly (readonly [name: string, sql: string])[],
): TreatedCounts | undefined {
  if (counts.length === 0) return undefined;
  const list = counts.map(([, sql], index) => `count(case when ${sql} then 1 end) as t${index}`);
  return { names: counts.map(([name]) => name), select: `select ${list.join(", ")} from ${source.relation}` };
}

function addExtraRule(
  source: SourceRows,
  target: TargetSchema,
  { values, rules }: { readonly values: string[]; readonly rules: RowRule[] },
): void {
  const extra = extraColumns(source, target);
  if (target.mode === "discard_row" && extra.length > 0) {
    values.push(`(${extra.map(({ name }) => `${source.value(name)} is not null`).join(" or ")}) AS "__extra"`);
    rules.push({
      id: "schema:extra_column",
      expectation: `has values in columns that the dataset does not have (${extra.map(({ name }) => name).join(", ")})`,
      severity: "error",
      breaks: '"__extra"',
    });
  }
}

function formatOf(
  column: Column,
  { contract }: TargetSchema,
): { readonly format: ValueFormat | undefined; readonly isGuessed: boolean } {
  const declared = contract?.formats.get(column.name.toLowerCase());
  const isGuessed = declared === undefined && column.format !== undefined;
  return { format: isGuessed ? formatOfColumn(column.format, column.type) : declared, isGuessed };
}

/** A value that cannot be read as its type is not also missing. */
function unlessUnreadable(rule: RowRule, flags: ReadonlyMap<string, string>): RowRule {
  const flag =
    rule.id.startsWith("required:") && rule.column !== undefined ? flags.get(`${TYPE_RULE}${rule.column}`) : undefined;
  return flag === undefined ? rule : { ...rule, breaks: `(${rule.breaks}) and (${flag}) is not true` };
}

interface RowPlan {
  readonly columns: readonly Column[];
  readonly values: readonly string[];
  readonly rules: readonly RowRule[];
  readonly witness: Witness | undefined;
  readonly protections: Protections;
  readonly isDuplicate: Witness | undefined;
  readonly deduplication: Deduplication | undefined;
}

function splitRows(
  source: SourceRows,
  { columns, values, rules, witness, protections, isDuplicate, deduplication }: RowPlan,
): Omit<TypedRows, "casts" | "originals" | "treated" | "measured"> {
  const errors = rules.filter(({ severity }) => severity === "error");
  const typed = `(select ${[...values, '"__record"', `${source.fileNumber} as "__file"`].join(", ")} from ${source.relation})`;
  const list = columns.map(({ name }) => protections.get(name) ?? quoteName(name)).join(", ");
  const leftOut = witness === undefined ? "false" : witness('"__file"', '"__record"');
  const kept = isDuplicate === undefined ? "true" : `not ${isDuplicate('"__file"', '"__record"')}`;
  const filter =
    errors.length > 0
      ? ` where case when ${anyBroken(errors)} then ${leftOut} else ${kept} end`
      : isDuplicate === undefined
        ? ""
        : ` where ${kept}`;
  const good = `select ${list} from ${typed}${filter}`;
  const broken = errors.map(({ id, breaks }) => `case when ${breaks} then ${quoteText(id)} end`);
  const messages = errors.map((rule) => `case when ${rule.breaks} then ${messageOf(rule, protections)} end`);
  const bad = (records?: Iterable<number>): string => {
    const rows: string[] = [];
    if (errors.length > 0) {
      const among = records === undefined ? "" : ` where "__record" in (${[...records, -1].join(", ")})`;
      const whole = `(select ${[...values, '"__record"', `${source.rowJson} as "__row"`].join(", ")} from ${source.relation}${among})`;
      rows.push(`select "__record" as record, ${source.line} as line, NULL::BIGINT as byte, "__row" as row, list_filter([${broken.join(", ")}], lambda x: x is not null) as rules,
            list_filter([${messages.join(", ")}], lambda x: x is not null) as messages from ${whole} where coalesce(${anyBroken(errors)}, false)`);
    }
    if (source.rejects !== undefined && source.rejects.count > 0)
      rows.push(`select NULL::BIGINT as record, line, byte, row, rules, messages from ${source.rejects.table}`);
    return rows.length === 0 ? NO_ROWS : rows.join(" union all ");
  };
  const warnings = rules.filter(({ severity }) => severity === "warning");
  const held = (names: readonly string[]): string | undefined => {
    const wanted = columns.filter(({ name }) => names.some((one) => one.toLowerCase() === name.toLowerCase()));
    const stored = wanted.map(({ name }) => protections.get(name) ?? quoteName(name)).join(", ");
    return errors.length === 0
      ? undefined
      : `select ${stored} from ${typed} where coalesce(${anyBroken(errors)}, false)`;
  };
  const unbroken = errors.length === 0 ? [] : [`not coalesce(${anyBroken(errors)}, false)`];
  const isPublished = isDuplicate === undefined ? unbroken : [...unbroken, kept];
  return {
    columns,
    good,
    distinguished:
      deduplication === undefined
        ? undefined
        : `select "__file"::BIGINT as file, "__record"::BIGINT as record, ${distinctionOf(columns, deduplication)} from ${typed}${unbroken.map((condition) => ` where ${condition}`).join("")}`,
    bad,
    held,
    warnings: new Map(
      warnings.map(({ id, breaks }) => [
        id,
        `select count(*) as n from ${typed} where ${[`(${breaks})`, ...isPublished].join(" and ")}`,
      ]),
    ),
  };
}

/** Of rows without a value in one of the columns nobody knows whether they are the same: each stays. */
function distinctionOf(columns: readonly Column[], { by, order }: Deduplication): string {
  const stored = (name: string): string => {
    const column = columns.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (column === undefined) throw new UnreadableFile(`the column "${name}" is missing, by which duplicates are told`);
    return quoteName(column.name);
  };
  const rank = order === undefined ? "null" : stored(order);
  if (by === undefined) {
    // As JSON without what is missing: other files of the batch may have other columns.
    const whole = columns.map(({ name }) => `${quoteName(name)} := ${quoteName(name)}`).join(", ");
    return `json_merge_patch('{}', to_json(struct_pack(${whole})))::VARCHAR as same, ${rank} as rank`;
  }
  const same = by.map(stored);
  const known = same.map((name) => `${name} is not null`).join(" and ");
  return `case when ${known} then struct_pack(${same.map((name, index) => `k${index} := ${name}`).join(", ")}) end as same, ${rank} as rank`;
}

const NO_ROWS =
  "select NULL::BIGINT as record, NULL::BIGINT as line, NULL::BIGINT as byte, NULL::VARCHAR as row, NULL::VARCHAR[] as rules, NULL::VARCHAR[] as messages where false";

/** One chain of OR over plain comparisons: DuckDB evaluates it five times faster than a chain of three-valued tests. */
function anyBroken(rules: readonly RowRule[]): string {
  return `(${rules.map(({ breaks }) => `(${breaks})`).join(" or ")})`;
}

function messageOf({ id, column, expectation }: RowRule, protections: Protections): string {
  if (column === undefined) return quoteText(expectation);
  const shown = column.startsWith("__text_") ? id.slice(TYPE_RULE.length) : column;
  if (protections.has(shown)) return quoteText(`${shown} is a protected value: ${expectation}`);
  return `concat(${quoteText(`${shown} is `)}, coalesce('"' || left(${quoteName(column)}::VARCHAR, 100) || '"', 'missing'), ${quoteText(`: ${expectation}`)})`;
}

function extraColumns(source: SourceRows, target: TargetSchema): SourceRows["columns"] {
  if (target.columns.length === 0) return [];
  const known = new Set(target.columns.map(({ name }) => name.toLowerCase()));
  return source.columns.filter(({ name }) => !known.has(name.toLowerCase()));
}

function plannedColumns(
  source: SourceRows,
  target: TargetSchema,
  received: ReadonlyMap<string, Column>,
): readonly Column[] {
  const missing = target.columns.filter(({ name }) => !received.has(name.toLowerCase()));
  const required = missing.filter(({ name }) => target.contract?.required.has(name) === true);
  const has = source.columns.map(({ name }) => name).join(", ");
  // JSON objects leave out what they do not know: there a missing column is a matter of each row.
  const isObjects = source.format === "json" || source.format === "ndjson";
  if (required.length > 0 && !isObjects)
    throw new UnreadableFile(
      `the required column ${required.map(({ name }) => `"${name}"`).join(", ")} is missing; the file has ${has}`,
    );
  const extra = extraColumns(source, target);
  if (target.mode === "freeze" && (extra.length > 0 || (missing.length > 0 && !isObjects))) {
    const difference = [
      ...extra.map(({ name }) => `"${name}" is new`),
      ...missing.map(({ name }) => `"${name}" is missing`),
    ];
    throw new UnreadableFile(`the schema is frozen, but ${difference.join(", ")}`);
  }
  const added = target.columns.length === 0 ? source.columns : target.mode === "evolve" ? extra : [];
  const stored = added.map(({ name, type, original, format }) => ({
    name,
    type: storedType(type),
    ...(original === undefined ? {} : { original }),
    ...(format === undefined ? {} : { format }),
  }));
  return [...target.columns, ...stored];
}

const WHOLE = /^(TINYINT|SMALLINT|INTEGER|BIGINT)$/;

/** How a received value becomes one of `type`, and the condition under which it cannot. */
function castOf(
  source: SourceRows,
  from: Column,
  type: string,
  format: ValueFormat | undefined,
): { readonly value: string; readonly fails?: string } {
  const value = source.value(from.name);
  if (source.isText) {
    const plain = castText(value, type);
    if (format === undefined || format.type !== type)
      return source.isWhollyTyped === true && from.type === type && from.format === undefined
        ? { value: plain.value }
        : plain;
    const written = format.read(value);
    const fails = `${value} is not null and (${written} is null)`;
    if (source.isTextValue === undefined) return { value: written, fails };
    const isText = source.isTextValue(from.name);
    return {
      value: `case when ${isText} then ${written} else ${plain.value} end`,
      fails: `case when ${isText} then ${fails} else ${plain.fails ?? "false"} end`,
    };
  }
  const stored = storedType(from.type);
  if (stored === type) return { value: storedExpression(value, from.type) };
  const cast = `try_cast(${storedExpression(value, from.type)} as ${type})`;
  if (type === "VARCHAR") return { value: cast };
  const fraction =
    WHOLE.test(type) && /^(FLOAT|DOUBLE|DECIMAL)/.test(from.type) ? ` or ${value} <> trunc(${value})` : "";
  return { value: cast, fails: `${value} is not null and (${cast} is null${fraction})` };
}

function castText(value: string, type: string): { readonly value: string; readonly fails?: string } {
  if (type === "VARCHAR") return { value };
  const cast = `try_cast(${value} as ${type})`;
  // A cast would round 5.7 to 6 in silence. Most whole numbers are written again as they were read, which
  // is told at a fraction of the cost of a regular expression.
  const fraction = WHOLE.test(type)
    ? ` or case when ${cast}::VARCHAR = ${value} then false else not regexp_full_match(trim(${value}), '[+-]?[0-9]+(\\.0*)?') end`
    : "";
  const unfit = `${fraction}${neverEnds(cast, type)}${tooManyDigits(value, type)}${hasTime(value, type)}`;
  return { value: cast, fails: `${value} is not null and (${cast} is null${unfit})` };
}

/** Tables have no place for `infinity`. */
function neverEnds(cast: string, type: string): string {
  return /^(DATE|TIMESTAMP)/.test(type) ? ` or not isfinite(${cast})` : "";
}

/** A cast would cut the time off; midnight is how many programs write a day. */
function hasTime(value: string, type: string): string {
  return type === "DATE"
    ? ` or case when length(${value}) > 10 then regexp_matches(${value}, '[T ][0-9:.]*[1-9]') else false end`
    : "";
}

/** A cast would round what the type has no place for. */
function tooManyDigits(value: string, type: string): string {
  const scale = /^DECIMAL\(\d+,\s*(\d+)\)$/.exec(type)?.[1];
  return scale === undefined ? "" : ` or regexp_matches(${value}, '[.][0-9]{${scale}}[0-9]*[1-9]')`;
}

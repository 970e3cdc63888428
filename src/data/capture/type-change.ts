import { formatQuantity } from "#base";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { textOf } from "../analytics/rows.ts";
import { formatOfColumn } from "../contract/value-format.ts";
import type { SourceRows } from "./formats/source-rows.ts";
import type { ReadCast, TypedRows } from "./typed-rows.ts";

/** Single mistakes go to the quarantine row by row; a column of which nearly nothing can be read has another type. */
const CHANGED_SHARE = 0.95;
const FEWEST_VALUES = 2;
const SAMPLES = 3;
const NUMBERS = /^(TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL.*)$/;

interface Changes {
  readonly rows: SourceRows;
  readonly typed: TypedRows;
  readonly dataset: string;
  /** Columns that the dataset has. */
  readonly known: readonly Column[];
  readonly contract: string | undefined;
}

/**
 * In words, the columns of a file that have another type than the dataset's or the contract's; undefined when there is
 * none.
 */
export async function findTypeChanges(connection: AnalyticsConnection, changes: Changes): Promise<string | undefined> {
  const suspects = changes.typed.casts.filter(
    ({ from, column, guessed }) =>
      (from.type !== column.type || from.format !== column.format) &&
      !(
        guessed === undefined &&
        from.format === undefined &&
        NUMBERS.test(from.type) &&
        /^(FLOAT|DOUBLE)$/.test(column.type)
      ),
  );
  if (suspects.length === 0) return undefined;
  const counts = suspects.flatMap((cast, index) => {
    const other = otherReading(cast);
    return [
      `count(${cast.value}) as n${index}`,
      `count(case when ${cast.fails} then 1 end) as f${index}`,
      `count(${other ?? "NULL"}) as o${index}`,
      `count(case when ${other === undefined ? "false" : `(${cast.guessed}) <> (${other})`} then 1 end) as m${index}`,
    ];
  });
  const [row] = await connection.rows(`select ${counts.join(", ")} from ${changes.rows.relation}`);
  const found: string[] = [];
  for (const [index, cast] of suspects.entries()) {
    const [values, failed] = [Number(row?.[`n${index}`]), Number(row?.[`f${index}`])];
    const [others, misread] = [Number(row?.[`o${index}`]), Number(row?.[`m${index}`])];
    if (failed >= FEWEST_VALUES && failed >= CHANGED_SHARE * values)
      found.push(await describeChange(connection, changes, { cast, values, failed }));
    else if (failed > 0 && misread > 0 && others === values)
      found.push(await describeMisreading(connection, changes, { cast, values, failed, misread }));
  }
  return found.length === 0 ? undefined : found.join("; ");
}

/**
 * SQL that reads a value as its file writes all of them, where that is not how those of the dataset were when their
 * format was guessed: `1.234` is read in both ways, and is not the same number.
 */
function otherReading({ column, from, value, guessed }: ReadCast): string | undefined {
  if (guessed === undefined || from.format === column.format) return undefined;
  if (from.format !== undefined)
    return from.type === column.type ? formatOfColumn(from.format, from.type)?.read(value) : undefined;
  return NUMBERS.test(from.type) ? `try_cast(${value} as ${column.type})` : undefined;
}

async function describeMisreading(
  connection: AnalyticsConnection,
  { rows, dataset, contract }: Changes,
  of: { readonly cast: ReadCast; readonly values: number; readonly failed: number; readonly misread: number },
): Promise<string> {
  const { cast, values, failed, misread } = of;
  const { name, format } = cast.column;
  const sampleOf = async (condition: string): Promise<string> => {
    const samples = await connection.rows(
      `select left(cast(${cast.value} as VARCHAR), 100) as value from ${rows.relation} where ${condition} order by "__record" limit 1`,
    );
    return JSON.stringify(textOf(samples[0]?.["value"]));
  };
  const written = cast.from.format === undefined ? "as plain numbers" : `as ${cast.from.format}`;
  return `column "${name}" is written as ${format} in ${dataset}, and this file writes it ${written}: ${failed} of ${formatQuantity(values, "value")} cannot be read so, such as ${await sampleOf(cast.fails)}, and ${misread} would be read as something else, such as ${await sampleOf(`(${cast.guessed}) <> (${otherReading(cast)})`)}. Write the file as the others are; or declare how the column is written (logicalTypeOptions.format in ${contract ?? "a contract"}) and read all files anew: esteira capture ${dataset} --again all`;
}

/**
 * Numbers of the files, out of several, in which a column has hardly a value that can be read, or, of a guessed format,
 * some that cannot.
 */
export async function mayHaveChanged(
  connection: AnalyticsConnection,
  rows: SourceRows,
  casts: readonly ReadCast[],
): Promise<readonly number[]> {
  if (casts.length === 0) return [];
  const changed = casts.map(({ value, fails, guessed }) => {
    const failed = `count(case when ${fails} then 1 end)`;
    if (guessed !== undefined) return `${failed} > 0`;
    return `(${failed} >= ${FEWEST_VALUES} and ${failed} >= ${CHANGED_SHARE} * count(${value}))`;
  });
  const found = await connection.rows(
    `select ${rows.fileNumber} as number from ${rows.relation} group by all having ${changed.join(" or ")} order by number`,
  );
  return found.map(({ number }) => Number(number));
}

async function describeChange(
  connection: AnalyticsConnection,
  changes: Changes,
  { cast, values, failed }: { readonly cast: ReadCast; readonly values: number; readonly failed: number },
): Promise<string> {
  const { rows, known, dataset, contract } = changes;
  const samples = await connection.rows(
    `select left(cast(${cast.value} as VARCHAR), 100) as value, ${rows.line} as line, "__record" as record from ${rows.relation} where ${cast.fails} order by "__record" limit ${SAMPLES}`,
  );
  const shown = samples.map(
    (sample) =>
      `${JSON.stringify(textOf(sample["value"]))} (${sample["line"] === null ? `row ${Number(sample["record"]) + 1}` : `line ${textOf(sample["line"])}`})`,
  );
  const { name, type } = cast.column;
  const isKnown = known.some((column) => column.name === name);
  const owner = isKnown ? `in ${dataset}` : `in ${contract ?? "the contract"}`;
  const how = cast.format === undefined ? "" : ` in the format ${cast.format}`;
  return `column "${name}" is ${type} ${owner}${how}, but here it is ${cast.from.type}${cast.from.format === undefined ? "" : ` in the format ${cast.from.format}`}: ${failed} of ${formatQuantity(values, "value")} cannot be read, such as ${shown.join(", ")}. ${remedy(cast, changes, isKnown)}`;
}

function remedy({ column, format }: ReadCast, { dataset, contract }: Changes, isKnown: boolean): string {
  const dated =
    format === undefined && /^(DATE|TIMESTAMP|DOUBLE|BIGINT)/.test(column.type)
      ? ", or say how it is written (logicalTypeOptions.format of the contract)"
      : "";
  if (!isKnown) return `Correct the file, or the column's type in ${contract ?? "the contract"}${dated}`;
  const declare = `declare the column's type in ${contract === undefined ? "a contract" : contract} (logicalType: string takes both)`;
  return `Correct the file${dated}; or, to change the type of the dataset, ${declare} and read all files anew: esteira capture ${dataset} --again all`;
}

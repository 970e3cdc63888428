import { nearestName } from "#base";
import { type Column, quoteName, type TableFile } from "#data";
import { scoredColumnMissing, scoredColumnUnfit } from "./errors.ts";
import type { ModelInput } from "./model-signature.ts";

/** In which types a CSV file is read: inputs in those of the model, everything else as the text that stands there. */
export function csvTypesOf(inputs: readonly ModelInput[]): ReadonlyMap<string, string> {
  return new Map(
    inputs.map(({ name, type }) => [name, type === "string" ? "VARCHAR" : type === "boolean" ? "BOOLEAN" : "DOUBLE"]),
  );
}

const NUMERIC = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$/;
const TEXT = /^(VARCHAR|ENUM.*|UUID)$/;

/**
 * The expressions that give a model its inputs.
 *
 * @throws SERVING_SCORE_COLUMN_MISSING, SERVING_SCORE_COLUMN_UNFIT
 */
export function selectInputs(source: TableFile, inputs: readonly ModelInput[], model: string): readonly string[] {
  return inputs.map(({ name, type }) => {
    const column = findColumn(source, name, model);
    const isText = type === "string";
    const fits = isText ? TEXT.test(column.type) : NUMERIC.test(column.type) || column.type === '"NULL"';
    if (!fits)
      throw scoredColumnUnfit({
        source: source.title,
        column: name,
        found: column.type,
        expected: isText ? "text" : type === "boolean" ? "true or false" : "a number",
        model,
      });
    return `cast(${quoteName(name)} as ${isText ? "varchar" : "double"})`;
  });
}

/** A column by its name. @throws SERVING_SCORE_COLUMN_MISSING */
export function findColumn({ title, columns }: TableFile, name: string, model: string): Column {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const known = columns.map((column) => column.name);
  throw scoredColumnMissing({ dataset: title, column: name, model, known, nearest: nearestName(name, known) });
}

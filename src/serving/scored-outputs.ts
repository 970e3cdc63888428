import { type AnalyticsConnection, type AppendedColumn, quoteName } from "#data";
import { assertSameForm, type ModelTensor, type OutputDatatype, rowOf, type TensorForm } from "./model-tensor.ts";

/** How a table of predictions calls the answer of a model. */
export const PREDICTION = "prediction";

/** True for what {@link outputColumns} may name. */
export function isOutputColumn(name: string): boolean {
  return name === PREDICTION || name.startsWith(`${PREDICTION}_`);
}

interface OutputColumn {
  readonly name: string;
  readonly type: string;
}

const TYPES: Readonly<Record<OutputDatatype, string>> = {
  BOOL: "boolean",
  INT64: "bigint",
  FP32: "float",
  FP64: "double",
  BYTES: "varchar",
};

/**
 * Columns of a table for outputs: `prediction` of a model with one output, else `prediction_NAME` for each. What is
 * more than a value is a list, a list of lists and so on.
 */
function outputColumns(forms: readonly TensorForm[]): readonly OutputColumn[] {
  const taken = new Set<string>();
  return forms.map(({ name, datatype, shape }) => {
    // Names of columns are told apart whatever their case, and hold no signs.
    const wanted = forms.length === 1 ? PREDICTION : `${PREDICTION}_${name.replaceAll(/[^\p{L}\p{N}_]/gu, "_")}`;
    let own = wanted;
    for (let count = 2; taken.has(own.toLowerCase()); count++) own = `${wanted}_${count}`;
    taken.add(own.toLowerCase());
    return { name: own, type: TYPES[datatype] + "[]".repeat(shape.length) };
  });
}

/** Takes the answers of a model with outputs of any shape, a part at a time, into a table of its own. */
export interface ScoredOutputs {
  /** @throws SERVING_OUTPUTS_DIFFER when the parts are of several forms */
  append(tensors: readonly ModelTensor[], rowCount: number): Promise<void>;
  /** Makes the table; its columns are those of the outputs. @returns their names */
  finish(): Promise<readonly string[]>;
}

/**
 * Answers gather as they are: values, and lists of them. Lists of lists gather as texts of JSON, which the database
 * reads.
 */
export function createScoredOutputs(connection: AnalyticsConnection, table: string): ScoredOutputs {
  const gathered = quoteName(`${table} as given`);
  let forms: readonly TensorForm[] | undefined;
  return {
    async append(tensors, rowCount) {
      if (forms === undefined) {
        const columns = tensors.map((tensor, position) => `c${position} ${gatheredType(tensor)}`);
        await connection.run(`create or replace temp table ${gathered} (${columns.join(", ")})`);
      }
      assertSameForm([{ tensors: forms ?? tensors }, { tensors }]);
      forms = tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape }));
      await connection.append(
        `${table} as given`,
        tensors.map((tensor) => toColumn(tensor, rowCount)),
      );
    },
    async finish() {
      const columns = outputColumns(forms ?? []);
      const selected = columns.map(({ name, type }, position) => {
        const form = forms?.[position];
        const isJson = form !== undefined && gatheredType(form) !== type;
        return `${isJson ? `c${position}::json::${type}` : `c${position}`} as ${quoteName(name)}`;
      });
      const select =
        forms === undefined ? `null::varchar as ${PREDICTION} where false` : `${selected.join(", ")} from ${gathered}`;
      await connection.run(`create or replace temp table ${quoteName(table)} as select ${select}`);
      if (forms !== undefined) await connection.run(`drop table ${gathered}`);
      return forms === undefined ? [PREDICTION] : columns.map(({ name }) => name);
    },
  };
}

/** The type in which an output gathers. */
function gatheredType({ datatype, shape }: TensorForm): string {
  if (shape.length > 1 || (shape.length === 1 && (datatype === "BYTES" || shape[0] === 0))) return "varchar";
  return TYPES[datatype] + "[]".repeat(shape.length);
}

const NUMBER_TYPES = { BOOL: "boolean", INT64: "bigint", FP32: "float", FP64: "double" } as const;

function toColumn(tensor: ModelTensor, rowCount: number): AppendedColumn {
  const { datatype, shape, values } = tensor;
  if (shape.length === 0 && values instanceof Float64Array) return values;
  if (shape.length === 0 && datatype === "BYTES") return Array.from<unknown, string>(values, String);
  if (gatheredType(tensor) !== "varchar" && datatype !== "BYTES" && ArrayBuffer.isView(values))
    return { type: NUMBER_TYPES[datatype], width: shape[0], values };
  return Array.from({ length: rowCount }, (_, row) => JSON.stringify(rowOf(tensor, row)));
}

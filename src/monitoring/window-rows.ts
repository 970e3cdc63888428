import { type EndpointKey, type MetadataStore, scanPredictions, type ScannedPrediction } from "#metadata-store";
import type { ModelDescription } from "#models";

/** The answered predictions of one window, by column; shadows are left out. */
export interface WindowRows {
  readonly rowCount: number;
  readonly labelled: number;
  /** Rows by model version id. */
  readonly versions: ReadonlyMap<string, number>;
  /** Input columns: numbers as Float64Array (missing = NaN), else values with null where missing. */
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
  /** Columns that the predictions carried beside the model's inputs, as asked for; null where missing. */
  readonly context: ReadonlyMap<string, ArrayLike<unknown>>;
  /** Probability, value or class index; NaN where the model gave none. */
  readonly predictions: Float64Array;
  /** NaN where no label has come. */
  readonly labels: Float64Array;
}

/** Reads a time range page by page. */
export async function scanWindow(
  store: MetadataStore,
  key: EndpointKey,
  range: { readonly fromMs: number; readonly toMs: number },
  use: (page: readonly ScannedPrediction[]) => void,
): Promise<void> {
  let after: readonly [number, string] | undefined;
  for (;;) {
    const page = await store.read((transaction) => scanPredictions(transaction, { ...key, ...range, after }));
    use(page.filter((row) => row.arm !== "shadow"));
    const last = page.at(-1);
    if (last === undefined) return;
    after = [last.at_ms, last.id];
    // Lets requests be answered between pages.
    await new Promise(setImmediate);
  }
}

/** What of a window is read. */
export interface WindowRange {
  /** Event time, included, epoch ms. */
  readonly fromMs: number;
  /** Event time, excluded, epoch ms. */
  readonly toMs: number;
  /** Columns beside the model's inputs. */
  readonly context: readonly string[];
  /** The version that answered most: another one under trial is judged by its own figures, not by this window's. */
  readonly modelVersionId?: string | undefined;
}

function isOnTrial({ arm, model_version_id }: ScannedPrediction, { modelVersionId }: WindowRange): boolean {
  return arm === "candidate" && modelVersionId !== undefined && model_version_id !== modelVersionId;
}

/**
 * Reads a window's predictions into columns.
 *
 * @param model whose inputs and classes are read; a version with other inputs leaves them missing
 */
export async function readWindow(
  store: MetadataStore,
  key: EndpointKey,
  range: WindowRange,
  model: Pick<ModelDescription, "inputs" | "classes">,
): Promise<WindowRows> {
  const context = new Map<string, unknown[]>(range.context.map((name) => [name, []]));
  const columns = new Map<string, unknown[]>(model.inputs.map(({ name }) => [name, []]));
  const versions = new Map<string, number>();
  const classes = createClassIndex(model.classes);
  const predictions: number[] = [];
  const labels: number[] = [];
  let labelled = 0;
  await scanWindow(store, key, { fromMs: range.fromMs, toMs: range.toMs }, (page) => {
    for (const row of page) {
      if (isOnTrial(row, range)) continue;
      versions.set(row.model_version_id, (versions.get(row.model_version_id) ?? 0) + 1);
      const features = JSON.parse(row.features) as Record<string, unknown>;
      for (const [name, values] of columns) values.push(features[name] ?? null);
      const beside =
        context.size === 0 || row.context === null ? {} : (JSON.parse(row.context) as Record<string, unknown>);
      for (const [name, values] of context) values.push(beside[name] ?? null);
      predictions.push(row.prediction ?? (row.prediction_text === null ? NaN : classes(row.prediction_text)));
      const label = row.label ?? (row.label_text === null ? NaN : classes(row.label_text));
      labels.push(label);
      if (!Number.isNaN(label)) labelled++;
    }
  });
  return {
    rowCount: predictions.length,
    labelled,
    versions,
    columns: new Map(
      model.inputs.map(({ name, type }) => [
        name,
        type === "float" || type === "integer" ? toNumbers(columns.get(name) ?? []) : (columns.get(name) ?? []),
      ]),
    ),
    context,
    predictions: Float64Array.from(predictions),
    labels: Float64Array.from(labels),
  };
}

function toNumbers(values: readonly unknown[]): Float64Array {
  return Float64Array.from(values, (value) => (typeof value === "number" ? value : NaN));
}

/** Class names as numbers: the model's own order, then the order in which unknown ones appear. */
function createClassIndex(classes: ModelDescription["classes"]): (name: string) => number {
  const known = new Map((classes ?? []).map((name, index) => [String(name), index]));
  return (name) => {
    const index = known.get(name);
    if (index !== undefined) return index;
    known.set(name, known.size);
    return known.size - 1;
  };
}

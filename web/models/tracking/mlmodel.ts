/** A column or tensor of a model's signature. */
export interface SignatureField {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
}

export interface ModelFile {
  readonly flavors: readonly string[];
  readonly inputs: readonly SignatureField[];
  readonly outputs: readonly SignatureField[];
  readonly mlflowVersion: string | undefined;
  readonly runId: string | undefined;
  readonly modelUuid: string | undefined;
}

/** @param document an `MLmodel` file, already read from YAML */
export function toModelFile(document: unknown): ModelFile {
  const file = isRecord(document) ? document : {};
  const signature = isRecord(file["signature"]) ? file["signature"] : {};
  const text = (name: string): string | undefined =>
    typeof file[name] === "string" ? (file[name] as string) : undefined;
  return {
    flavors: isRecord(file["flavors"]) ? Object.keys(file["flavors"]) : [],
    inputs: toFields(signature["inputs"]),
    outputs: toFields(signature["outputs"]),
    mlflowVersion: text("mlflow_version"),
    runId: text("run_id"),
    modelUuid: text("model_uuid"),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** MLflow writes the fields as JSON text within the YAML. */
function toFields(source: unknown): readonly SignatureField[] {
  let list: unknown = source;
  if (typeof source === "string") {
    try {
      list = JSON.parse(source);
    } catch {
      return [];
    }
  }
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).map((field, index) => ({
    name: typeof field["name"] === "string" ? field["name"] : String(index),
    type: fieldType(field),
    isRequired: field["required"] !== false,
  }));
}

function fieldType(field: Readonly<Record<string, unknown>>): string {
  const tensor = field["tensor-spec"];
  if (isRecord(tensor)) return `${String(tensor["dtype"])} ${JSON.stringify(tensor["shape"])}`;
  const { type, items } = field as { readonly type?: unknown; readonly items?: unknown };
  return type === "array" && isRecord(items)
    ? `array of ${String(items["type"])}`
    : typeof type === "string"
      ? type
      : "";
}

/** Python that loads a model and predicts. @param uri `models:/name/3` or `runs:/id/path` */
export function loadSnippet(uri: string, flavors: readonly string[]): string {
  const native = flavors.find((flavor) => flavor !== "python_function");
  const lines = [
    "import mlflow",
    "",
    `model = mlflow.pyfunc.load_model(${JSON.stringify(uri)})`,
    "predictions = model.predict(data)  # a pandas DataFrame",
  ];
  if (native === undefined || !/^\w+$/.test(native)) return lines.join("\n");
  return [
    ...lines,
    "",
    `# or the ${native} model itself`,
    `native = mlflow.${native}.load_model(${JSON.stringify(uri)})`,
  ].join("\n");
}

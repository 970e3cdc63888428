import { digestOf, newId } from "#base";
import type { EndpointKey, NewPrediction, PredictionArm } from "#metadata-store/serving";
import type { FeatureReport, PredictRequest } from "./endpoints.ts";
import type { ModelSignature } from "./model-signature.ts";
import { toContextText, toFeatureTexts } from "./feature-text.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { type InputColumns, readInputs, selectRows } from "./row-source.ts";
import type { ModelOutput } from "./model-runtime.ts";
import { answerOf, assertSameForm, describeForms, type ModelTensor, placeTensors, rowOf } from "./model-tensor.ts";

/** The rows of a request that one model answered. */
export interface PredictionPart {
  readonly model: LoadedModel;
  readonly arm: PredictionArm;
  /** Positions in the request. */
  readonly rows: readonly number[];
  readonly inputs: InputColumns;
  readonly output: ModelOutput;
}

/** Reads the model's inputs from some rows of the request and runs it. */
export async function runPart(
  model: LoadedModel,
  arm: PredictionArm,
  rows: readonly number[],
  request: PredictRequest,
): Promise<PredictionPart> {
  const inputs = readPartInputs(model, arm, rows, request);
  return {
    model,
    arm,
    rows,
    inputs,
    output: await model.run(inputs, { signal: arm === "shadow" ? undefined : request.signal }),
  };
}

/** The model's inputs of some rows. @throws SERVING_COLUMN_MISSING, SERVING_COLUMN_UNKNOWN, SERVING_INPUT_INVALID */
export function readPartInputs(
  { signature }: LoadedModel,
  arm: PredictionArm,
  rows: readonly number[],
  request: PredictRequest,
): InputColumns {
  const source = rows.length === request.source.rowCount ? request.source : selectRows(request.source, rows);
  return readInputs(
    signatureFor(signature, request),
    source,
    arm === "stable" && request.unknownColumns !== "ignore" ? { allowed: request.allowedColumns } : "ignore",
  );
}

/** A policy that gives null gives it to any input that can hold it. */
function signatureFor(signature: ModelSignature, { nullableColumns }: PredictRequest): ModelSignature {
  if (nullableColumns === undefined || nullableColumns.size === 0) return signature;
  return {
    ...signature,
    inputs: signature.inputs.map((input) =>
      nullableColumns.has(input.name) ? { ...input, nullable: input.nullable || !input.exact } : input,
    ),
  };
}

/** What the prediction log keeps of a part. A shadow's rows have ids of their own. */
export function toPredictionRows(
  part: PredictionPart,
  key: EndpointKey,
  request: PredictRequest,
  ids: {
    readonly requestId: string;
    readonly predictionIds: readonly string[];
    readonly nowMs: number;
    readonly chanceOf?: (row: number) => number | undefined;
    /** Columns whose values are left out. */
    readonly redact?: readonly string[] | undefined;
  },
): NewPrediction[] {
  const redacted = ids.redact === undefined ? undefined : new Set(ids.redact);
  const features = toFeatureTexts(part.model.signature, part.inputs, redacted);
  return part.rows.map((row, index) => {
    const { value, text } = toLogged(part.output, index);
    const known = part.arm === "shadow" ? undefined : ids.predictionIds[row];
    return {
      id: known ?? newId(ids.nowMs),
      project: key.project,
      environment: key.environment,
      endpoint: key.endpoint,
      modelVersionId: part.model.version.id,
      arm: part.arm,
      atMs: request.atMs?.[row] ?? ids.nowMs,
      receivedAtMs: ids.nowMs,
      requestId: ids.requestId,
      features: features[index] ?? "{}",
      context:
        request.unknownColumns === "ignore" || request.allowedColumns !== undefined
          ? toContextText(part.model.signature, request.source, { row, redacted })
          : undefined,
      prediction: value === undefined || Number.isNaN(value) ? undefined : value,
      predictionText: text,
      entityKey: request.entityKeys?.[row],
      featureStatus: statusText(request.features, row),
      propensity: ids.chanceOf?.(row),
    };
  });
}

/** What the log keeps of a row's answer: a number, or a text. */
function toLogged(
  output: ModelOutput,
  row: number,
): { readonly value?: number | undefined; readonly text?: string | undefined } {
  if (output.kind === "numbers") return { value: output.values[row] };
  if (output.kind === "classes") return { text: output.labels[row] };
  const { tensors } = output;
  const answer = answerOf(tensors, row);
  if (tensors.length === 1 && typeof answer === "number") return { value: answer };
  if (tensors.length === 1 && typeof answer === "string" && answer.length <= LONGEST_LOGGED) return { text: answer };
  const text = JSON.stringify(answer);
  return { text: text.length <= LONGEST_LOGGED ? text : JSON.stringify(digestOfRow(tensors, row)) };
}

/** Characters of one answer. */
const LONGEST_LOGGED = 16_384;

/** Of what is too long for the log: by which a later answer can be told to be the same one. */
function digestOfRow(tensors: readonly ModelTensor[], row: number): object {
  return Object.fromEntries(
    tensors.map((tensor) => [
      tensor.name,
      { shape: tensor.shape, datatype: tensor.datatype, digest: digestOf(JSON.stringify(rowOf(tensor, row))) },
    ]),
  );
}

/** undefined where no feature was asked of the online store; what was read as it is stored has no entry. */
function statusText(report: FeatureReport | undefined, row: number): string | undefined {
  const statuses = report?.rows[row];
  const sent = report?.sent?.[row] ?? [];
  if (statuses === undefined) return undefined;
  return JSON.stringify({ ...statuses, ...Object.fromEntries(sent.map((name) => [name, "CALLER"])) });
}

/** False for outputs whose sizes are not the same in all parts: they cannot stand beside each other. */
export function haveOneForm(parts: readonly PredictionPart[]): boolean {
  const forms = parts.map(({ output }) => (output.kind === "tensors" ? describeForms(output.tensors) : ""));
  return new Set(forms).size <= 1;
}

/** Puts the parts of an answer back into the order of the request's rows. */
export function joinOutputs(parts: readonly PredictionPart[], rowCount: number): ModelOutput {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first.output;
  if (parts.some((part) => part.output.kind === "tensors")) {
    const placed = parts.flatMap(({ rows, output }) =>
      output.kind === "tensors" ? [{ tensors: output.tensors, rows }] : [{ tensors: [], rows }],
    );
    assertSameForm(placed);
    return { kind: "tensors", rowCount, tensors: placeTensors(placed, rowCount) };
  }
  if (parts.every((part) => part.output.kind === "numbers")) {
    const values = new Float64Array(rowCount);
    for (const { rows, output } of parts) {
      if (output.kind === "numbers") rows.forEach((row, index) => (values[row] = output.values[index] ?? NaN));
    }
    return { kind: "numbers", values };
  }
  const labels = Array.from({ length: rowCount }, () => "");
  const classCount = Math.max(...parts.map(({ output }) => (output.kind === "classes" ? output.classCount : 0)));
  const probabilities = new Float64Array(rowCount * classCount);
  for (const { rows, output } of parts) {
    if (output.kind !== "classes") continue;
    rows.forEach((row, index) => {
      labels[row] = output.labels[index] ?? "";
      probabilities.set(
        output.probabilities.subarray(index * output.classCount, (index + 1) * output.classCount),
        row * classCount,
      );
    });
  }
  return { kind: "classes", labels, probabilities, classCount };
}

import { assertJsonDepth } from "#base";
import type { EndpointKey } from "#metadata-store/serving";
import type { Endpoints, FeatureReport, PredictAnswer } from "../endpoints.ts";
import { answerOf, type NestedCells } from "../model-tensor.ts";
import { presentOf } from "../prediction-metrics.ts";
import { requestInvalid } from "../errors.ts";
import { describe } from "../row-source.ts";

/** One HTTP request, already routed; `body` is whole and decompressed. */
export interface ServingRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  /** Who calls; default `unknown`. */
  readonly caller?: string;
  readonly signal?: AbortSignal;
}

export interface ServingResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Whole, or in parts as they are computed. */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** What a protocol works with. */
export interface ProtocolContext {
  readonly endpoints: Endpoints;
  readonly key: EndpointKey;
}

/** A JSON answer. */
export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): ServingResponse {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: JSON.stringify(value),
  };
}

/** One header as text. */
export function header(request: ServingRequest, name: string): string | undefined {
  return firstOf(request.headers[name]);
}

function firstOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

/** Endpoints whose trials may look at the headers of a call, whatever protocol it speaks. */
export function withHeaders(endpoints: Endpoints, headers: ServingRequest["headers"]): Endpoints {
  return {
    ...endpoints,
    predict: (key, request) => endpoints.predict(key, { header: (name) => firstOf(headers[name]), ...request }),
    stream: (key, request) => endpoints.stream(key, { header: (name) => firstOf(headers[name]), ...request }),
  };
}

const LONG_NUMBER = /\d{16}/;

/** Whole numbers beyond 2^53 as they are written. */
function keepLarge(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const { source = "" } = context ?? {};
  return /^-?\d{1,20}$/.test(source) ? BigInt(source) : value;
}

/** @throws SERVING_REQUEST_INVALID with the place where the JSON breaks */
export function parseJson(body: Uint8Array): unknown {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  try {
    assertJsonDepth(text);
    return LONG_NUMBER.test(text) ? JSON.parse(text, keepLarge) : JSON.parse(text);
  } catch (error) {
    throw requestInvalid(
      {
        where: "The request's body",
        found: `text that is not JSON (${(error as Error).message})`,
        expected: "a JSON document",
      },
      error,
    );
  }
}

/** @throws SERVING_REQUEST_INVALID */
export function asObject(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw requestInvalid({ where, found: describe(value), expected: "an object" });
  return value as Readonly<Record<string, unknown>>;
}

/** @throws SERVING_REQUEST_INVALID */
export function asArray(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw requestInvalid({ where, found: describe(value), expected: "an array" });
  return value;
}

/** The caller's keys of the rows. @throws SERVING_REQUEST_INVALID */
export function readKeys(value: unknown, rowCount: number, where: string): (string | undefined)[] | undefined {
  if (value === undefined || value === null) return undefined;
  const keys = asArray(value, where);
  if (keys.length !== rowCount)
    throw requestInvalid({ where, found: `${keys.length} keys`, expected: `${rowCount}, one per row` });
  return keys.map((key, row) => readKey(key, `${where}[${row}]`));
}

/** One key: text or a whole number. @throws SERVING_REQUEST_INVALID */
export function readKey(key: unknown, where: string): string | undefined {
  if (key === undefined || key === null) return undefined;
  if (typeof key === "string" && key.length > 0 && key.length <= 500) return key;
  if ((typeof key === "number" && Number.isSafeInteger(key)) || typeof key === "bigint") return String(key);
  throw requestInvalid({ where, found: describe(key), expected: "a string of 1 to 500 characters or a whole number" });
}

/** Event times: one for all rows, or one per row. @throws SERVING_REQUEST_INVALID */
export function readTimes(value: unknown, rowCount: number, where: string): number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) return Array.from({ length: rowCount }, () => 0).fill(readTime(value, where));
  if (value.length !== rowCount)
    throw requestInvalid({ where, found: `${value.length} times`, expected: `${rowCount}, one per row` });
  return value.map((time, row) => readTime(time, `${where}[${row}]`));
}

/** Epoch milliseconds, or ISO 8601 (without a zone: UTC). @throws SERVING_REQUEST_INVALID */
export function readTime(value: unknown, where: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return Math.round(value);
  if (typeof value === "string" && /^\d{4}-\d{2}-\d{2}/.test(value)) {
    const time = Date.parse(
      /(Z|[+-]\d{2}:?\d{2})$/.test(value) || value.length === 10 ? value : `${value.replace(" ", "T")}Z`,
    );
    if (Number.isFinite(time)) return time;
  }
  throw requestInvalid({ where, found: describe(value), expected: "a time as epoch milliseconds or ISO 8601 text" });
}

/** Headers that every prediction carries. */
export function answerHeaders(answer: PredictAnswer): Record<string, string> {
  const { version } = answer.model;
  return {
    "x-esteira-model": encodeURIComponent(version.asset),
    "x-esteira-model-version": String(version.version),
    "x-esteira-request-id": answer.requestId,
    ...(answer.features === undefined ? {} : { "x-esteira-features": featureText(answer.features) }),
    ...(answer.candidate === undefined
      ? {}
      : { "x-esteira-candidate-version": String(answer.candidate.version.version) }),
  };
}

/** Which model answered, as the bodies of the answers say it. */
export function modelOf(answer: PredictAnswer): object {
  const { version } = answer.model;
  const { candidate } = answer;
  return {
    model: version.asset,
    modelVersion: version.version,
    modelVersionId: version.id,
    ...(candidate === undefined
      ? {}
      : {
          candidate: {
            modelVersion: candidate.version.version,
            modelVersionId: candidate.version.id,
            rows: candidate.rows,
          },
        }),
  };
}

/** `8/10 present`: of the values that the feature service gives for the rows of a request. */
export function featureText(report: FeatureReport): string {
  const { present, wanted } = presentOf(report);
  return `${present}/${wanted} present`;
}

/**
 * Names of the features with a status in any row, and in which rows nothing but the policy spoke. Of an endpoint
 * without a feature service: nothing.
 */
export function featuresOf(answer: PredictAnswer): { readonly features?: object } {
  const { features: report } = answer;
  if (report === undefined) return {};
  const named = (...statuses: readonly string[]): readonly string[] =>
    report.names.filter((name) => report.rows.some((row) => statuses.includes(row[name] ?? "")));
  const { present, wanted } = presentOf(report);
  return {
    features: {
      present,
      wanted,
      missing: named("NOT_FOUND"),
      stale: named("OUTSIDE_MAX_AGE"),
      null: named("NULL_VALUE"),
      default: named("DEFAULT"),
    },
  };
}

/**
 * One value per row: a number (null where the model gave none), a class name, or of outputs of any shape what one row
 * has of them.
 */
export function toValues(answer: PredictAnswer): readonly NestedCells[] {
  const { output } = answer;
  if (output.kind === "tensors")
    return Array.from({ length: output.rowCount }, (_, row) => answerOf(output.tensors, row));
  if (output.kind === "classes") return [...output.labels];
  return Array.from(output.values, (value) => (Number.isFinite(value) ? value : null));
}

import { EsteiraError, type Json } from "#base";
import type { StreamAnswer } from "../endpoint-streams.ts";
import { sourceOfRecords } from "../row-source.ts";
import {
  asObject,
  header,
  parseJson,
  type ProtocolContext,
  type ServingRequest,
  type ServingResponse,
} from "./exchange.ts";

/** How each part of a stream is written, and what follows the last one. */
interface StreamForm {
  readonly part: (chunk: Json, answer: StreamAnswer) => unknown;
  readonly failure: (text: string, code: string) => unknown;
  readonly last?: string;
}

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  // Proxies that gather answers would turn a stream into one piece.
  "x-accel-buffering": "no",
} as const;

/**
 * An answer of server-sent events, one per part. When its reader leaves, nothing more is computed.
 *
 * Source: WHATWG HTML, 9.2 Server-sent events.
 */
export function toEventStream(
  answer: StreamAnswer,
  form: StreamForm,
  signal: AbortSignal | undefined,
): ServingResponse {
  const { version } = answer.model;
  const leave = (): void => void answer.stop().catch(() => undefined);
  if (signal?.aborted === true) leave();
  signal?.addEventListener("abort", leave, { once: true });
  return {
    status: 200,
    headers: {
      ...HEADERS,
      "x-esteira-model": encodeURIComponent(version.asset),
      "x-esteira-model-version": String(version.version),
      "x-esteira-request-id": answer.requestId,
      "x-esteira-prediction-id": answer.predictionId,
    },
    body: writeEvents(answer, form),
  };
}

async function* writeEvents(answer: StreamAnswer, form: StreamForm): AsyncGenerator<string, void, undefined> {
  try {
    for (let part = await answer.next(); part !== undefined; part = await answer.next())
      yield event(form.part(part.chunk, answer));
    if (form.last !== undefined) yield `data: ${form.last}\n\n`;
  } catch (error) {
    yield event(failureOf(error, form));
  } finally {
    await answer.stop().catch(() => undefined);
  }
}

/** JSON has no line breaks outside its texts, and escapes them inside. */
function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function failureOf(error: unknown, form: StreamForm): unknown {
  if (error instanceof EsteiraError) return form.failure(error.message, error.code);
  return form.failure("The stream failed; the server's log says why", "SERVING_REQUEST_FAILED");
}

/** MLflow's deployments client: each part as it is, then `[DONE]`. */
export const INVOCATIONS_STREAM: StreamForm = {
  part: (chunk) => chunk,
  failure: (message, code) => ({ error: { code, message } }),
  last: "[DONE]",
};

/** Triton's generate extension: outputs beside the model's name; a part that is no object is `text_output`. */
const GENERATE_STREAM: StreamForm = {
  part: (chunk, { model }) => ({
    model_name: model.version.asset,
    model_version: String(model.version.version),
    ...(isRecord(chunk) ? chunk : { text_output: chunk }),
  }),
  failure: (text, code) => ({ error: `${text} [${code}]` }),
};

function isRecord(chunk: Json): chunk is Readonly<Record<string, Json>> {
  return typeof chunk === "object" && chunk !== null && !Array.isArray(chunk);
}

/**
 * `POST …/generate_stream` of Triton: `{"id"?, "parameters"?, column: value, …}` → an event for each part. One row: its
 * columns stand at the top.
 *
 * Source: Triton's generate extension.
 */
export async function handleGenerateStream(
  context: ProtocolContext,
  request: ServingRequest,
): Promise<ServingResponse> {
  const { id, parameters, ...row } = asObject(parseJson(request.body), "The request's body");
  if (parameters !== undefined) asObject(parameters, "parameters");
  const answer = await context.endpoints.stream(context.key, {
    source: sourceOfRecords([row]),
    requestId: typeof id === "string" && id !== "" ? id : header(request, "x-request-id"),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  return toEventStream(answer, GENERATE_STREAM, request.signal);
}

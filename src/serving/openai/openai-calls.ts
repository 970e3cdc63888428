import { openaiRoutes, type Route } from "#api";
import { type Clock, type Log, messageOf, newId, rawJson, systemClock } from "#base";
import { listModelServers, type ModelServer } from "#delivery";
import { askService, type ServiceAnswer, type Services } from "#executors";
import type { MetadataStore } from "#metadata-store";
import { callerGone, requestInvalid, serverBusy, serverDown, serverUnknown } from "../errors.ts";
import type { PredictionLog } from "../prediction-log.ts";
import { asObject, header, json, parseJson, type ServingRequest, type ServingResponse } from "../protocols/exchange.ts";
import { describe } from "../row-source.ts";
import { type ServingCall, toErrorAnswer } from "../routes.ts";
import { type CallEnd, createCallRecord, describeQuestion } from "./call-record.ts";

export interface OpenaiOptions {
  readonly store: MetadataStore;
  readonly services: Pick<Services, "status">;
  readonly predictions: PredictionLog;
  readonly project: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** Requests of one server that may be open at once; default 256. */
  readonly mostOpen?: number;
}

const PATHS = {
  askChat: "/v1/chat/completions",
  askCompletion: "/v1/completions",
  askEmbeddings: "/v1/embeddings",
} as const;

type Handler = (request: ServingRequest) => Promise<ServingResponse>;

/**
 * OpenAI's API in front of the servers that a project deployed as code with `openai`: the field `model` names the
 * deployment. Answers pass as they come, byte by byte; the log has a row of each before its last byte, without
 * questions and answers.
 *
 * Source: OpenAI API reference, chat completions, completions, embeddings, models.
 */
export function createOpenaiCalls(options: OpenaiOptions): readonly ServingCall[] {
  const { project, log, store } = options;
  const ask = createAsk(options);
  const handlers: Readonly<Record<keyof typeof openaiRoutes, Handler>> = {
    askChat: (request) => ask(request, PATHS.askChat),
    askCompletion: (request) => ask(request, PATHS.askCompletion),
    askEmbeddings: (request) => ask(request, PATHS.askEmbeddings),
    async listServedModels() {
      const servers = await listModelServers(store, project);
      return json(200, { object: "list", data: servers.map((server) => toModel(server, servers, project)) });
    },
    async describeServedModel({ params }) {
      const servers = await listModelServers(store, project);
      return json(200, toModel(findServer(servers, decode(params["*"] ?? "")), servers, project));
    },
  };
  return Object.entries(handlers).map(([name, handler]) => {
    const route: Route = openaiRoutes[name as keyof typeof openaiRoutes];
    return {
      route,
      handler: async (request) => {
        try {
          return await handler(request);
        } catch (error) {
          return toErrorAnswer(error, route.errors, log);
        }
      },
    };
  });
}

/** A client may quote the slash of a name. */
function decode(name: string): string {
  return name.replaceAll(/%2f/gi, "/");
}

function nameOf({ environment, name }: ModelServer): string {
  return `${environment}/${name}`;
}

/** Its own name where no other environment has it. */
function toModel(server: ModelServer, servers: readonly ModelServer[], project: string): object {
  const isOnly = servers.filter(({ name }) => name === server.name).length === 1;
  return {
    id: isOnly ? server.name : nameOf(server),
    object: "model",
    created: Math.floor(server.deployedAtMs / 1000),
    owned_by: project,
  };
}

/** @throws SERVING_SERVER_UNKNOWN */
function findServer(servers: readonly ModelServer[], model: string): ModelServer {
  const found = servers.filter((server) => server.name === model || nameOf(server) === model);
  const [only] = found;
  if (only === undefined || found.length > 1) throw serverUnknown({ model, known: servers.map(nameOf) });
  return only;
}

function createAsk(options: OpenaiOptions): (request: ServingRequest, path: string) => Promise<ServingResponse> {
  const { store, services, project, clock = systemClock, mostOpen = 256 } = options;
  const open = new Map<string, number>();

  /** Takes one of the places of a server; the result gives it back. @throws SERVING_SERVER_BUSY */
  function enter(server: string): () => void {
    const count = open.get(server) ?? 0;
    if (count >= mostOpen) throw serverBusy({ server, open: count });
    open.set(server, count + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const rest = (open.get(server) ?? 1) - 1;
      if (rest === 0) open.delete(server);
      else open.set(server, rest);
    };
  }

  return async (request, path) => {
    const document = asObject(parseJson(request.body), "The request's body");
    const { model } = document;
    if (typeof model !== "string" || model === "")
      throw requestInvalid({ where: "model", found: describe(model), expected: "the name of a deployment" });
    const server = findServer(await listModelServers(store, project), model);
    const name = nameOf(server);
    const running = await services.status({ project, environment: server.environment, name: server.name });
    if (running?.current === undefined) throw serverDown({ server: name, reason: "its supervisor does not run" });
    const nowMs = clock.now();
    const ids = { requestId: header(request, "x-request-id") ?? newId(nowMs), predictionId: newId(nowMs), nowMs };
    const leave = enter(name);
    const record = createCallRecord(() => clock.monotonic());
    const note = once(async (status: number, end: CallEnd): Promise<void> => {
      leave();
      await options.predictions.append([
        {
          id: ids.predictionId,
          project,
          environment: server.environment,
          endpoint: server.name,
          modelVersionId: server.versionId,
          arm: "stable",
          atMs: nowMs,
          receivedAtMs: nowMs,
          requestId: ids.requestId,
          features: JSON.stringify(describeQuestion(path, document, request.body.byteLength)),
          context: request.caller === undefined ? undefined : JSON.stringify({ caller: request.caller }),
          prediction: undefined,
          predictionText: record.text(status, end),
          entityKey: undefined,
        },
      ]);
    });
    const { signal } = request;
    try {
      const answer = await askService({
        port: running.port,
        path,
        body: model === server.model ? request.body : renamed(request.body, server.model),
        requestId: ids.requestId,
        accept: header(request, "accept"),
        signal,
      });
      return relay(answer, { server, ids, record, note, signal, log: options.log });
    } catch (error) {
      const hasLeft = signal?.aborted === true;
      await note(0, hasLeft ? "left" : "broken");
      throw hasLeft ? callerGone({ model: name }) : serverDown({ server: name, reason: messageOf(error) }, error);
    }
  };
}

/** The request with the name that the server has for its model; every number as it was written. */
function renamed(body: Uint8Array, model: string): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  const keep = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && context?.source !== undefined ? rawJson(context.source) : value;
  return Buffer.from(JSON.stringify({ ...asObject(JSON.parse(text, keep), "The request's body"), model }));
}

function once<Arguments extends readonly unknown[]>(
  work: (...given: Arguments) => Promise<void>,
): (...given: Arguments) => Promise<void> {
  let done: Promise<void> | undefined;
  return (...given) => (done ??= work(...given));
}

interface Relay {
  readonly server: ModelServer;
  readonly ids: { readonly requestId: string; readonly predictionId: string };
  readonly record: ReturnType<typeof createCallRecord>;
  readonly note: (status: number, end: CallEnd) => Promise<void>;
  readonly signal: AbortSignal | undefined;
  readonly log: Log;
}

/** Headers of a server's answer that are its callers' business. */
const PASSED = ["content-type", "retry-after", "openai-processing-ms"] as const;

function relay(answer: ServiceAnswer, { server, ids, record, note, signal, log }: Relay): ServingResponse {
  // What a server says of other places is not for callers of the platform.
  const isFinal = answer.status >= 200 && !(answer.status >= 300 && answer.status < 400);
  const status = isFinal ? answer.status : 502;
  const isEvents = /^text\/event-stream/i.test(String(answer.headers["content-type"]));
  const failed = (error: unknown): void =>
    log.error("a call of a server could not be logged", { server: nameOf(server), error: messageOf(error) });
  const leave = (): void => {
    answer.body.destroy();
    note(status, "left").catch(failed);
  };
  if (signal?.aborted === true) leave();
  signal?.addEventListener("abort", leave, { once: true });

  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    let isWhole = false;
    try {
      for await (const piece of answer.body) {
        if (!(piece instanceof Uint8Array)) continue;
        record.seen(piece);
        yield piece;
      }
      isWhole = true;
    } catch (error) {
      await note(status, signal?.aborted === true ? "left" : "broken");
      if (!isEvents) throw error;
      const reason = messageOf(error);
      const { message, code } = serverDown({ server: nameOf(server), reason });
      yield Buffer.from(`data: ${JSON.stringify({ error: { message, type: "server_error", param: null, code } })}\n\n`);
      return;
    } finally {
      // Of a reader who stops without a word: what was noted before stands.
      if (!isWhole) {
        answer.body.destroy();
        await note(status, "left").catch(failed);
      }
    }
    // The last byte is the end of the answer: it is sent when the call is durable in the log.
    await note(status, "whole");
  }

  return {
    status,
    headers: {
      ...Object.fromEntries(
        PASSED.flatMap((name) => (answer.headers[name] === undefined ? [] : [[name, String(answer.headers[name])]])),
      ),
      ...(isEvents ? { "cache-control": "no-cache", "x-accel-buffering": "no" } : {}),
      "x-request-id": ids.requestId,
      "x-esteira-prediction-id": ids.predictionId,
    },
    body: pieces(),
  };
}

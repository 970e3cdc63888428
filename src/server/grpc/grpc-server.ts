import { once } from "node:events";
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { authorize, type Identity } from "#access";
import type { Platform } from "#app";
import { EsteiraError, messageOf } from "#base";
import { bodyTooLarge, grpcInvalid, grpcUnimplemented, listenFailed, portInUse } from "../errors.ts";
import { createCallerLimits } from "../security/caller-limits.ts";
import { isLoopback } from "../security/host-and-origin.ts";
import { inferenceProcedures, type Procedure } from "./inference-service.ts";
import { decodeMessage, encodeMessage } from "./protobuf.ts";

const SERVICE = "/inference.GRPCInferenceService/";
const LARGEST_BYTES = 64 * 2 ** 20;
const PREFIX_BYTES = 5;
const MOST_SESSIONS = 256;
const MOST_STREAMS = 128;
const SHUTDOWN_MS = 5000;

export interface GrpcOptions {
  readonly host: string;
  readonly port: number;
  /** Encrypts; without it clients speak HTTP/2 in the clear. */
  readonly tls?: { readonly certificate: Buffer; readonly key: Buffer } | undefined;
}

/** Status codes of gRPC by those of HTTP. */
const CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  413: 8,
  422: 3,
  429: 8,
  499: 1,
  501: 12,
  503: 14,
  504: 4,
};
const OK = 0;
const UNKNOWN = 13;

/**
 * Serves the endpoints of a project by the Open Inference Protocol over gRPC. A token is sent as metadata
 * `authorization: Bearer …`, and asked for the same action as over HTTP, before a message is read.
 *
 * States of a call: let in → its messages are read and answered, one after the other → ended with a status.
 *
 * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED
 */
export async function serveGrpc(
  platform: Platform,
  options: GrpcOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { host, port, tls } = options;
  const procedures = inferenceProcedures(platform);
  const limits = createCallerLimits(platform.config.server);
  const settings = { settings: { maxConcurrentStreams: MOST_STREAMS } };
  const server: Http2Server =
    tls === undefined
      ? createServer(settings)
      : createSecureServer({ ...settings, cert: tls.certificate, key: tls.key, allowHTTP1: false });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => {
    if (sessions.size >= MOST_SESSIONS) return session.destroy();
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => undefined);
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => undefined);
    void answerCall(stream, headers, { platform, procedures, limits });
  });
  await listenOn(server, { host, port });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, SHUTDOWN_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function listenOn(
  server: Http2Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") throw portInUse({ host, port });
    throw listenFailed({ host, port, reason: messageOf(error) });
  }
}

interface Calling {
  readonly platform: Platform;
  readonly procedures: ReadonlyMap<string, Procedure>;
  readonly limits: ReturnType<typeof createCallerLimits>;
}

async function answerCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, calling: Calling): Promise<void> {
  const { platform, procedures, limits } = calling;
  const call = new Call(stream, headers);
  let leave: (() => void) | undefined;
  try {
    const path = headers[":path"] ?? "";
    const procedure = path.startsWith(SERVICE) ? procedures.get(path.slice(SERVICE.length)) : undefined;
    if (procedure === undefined) throw grpcUnimplemented({ procedure: path });
    const address = stream.session?.socket.remoteAddress ?? "unknown";
    const identity = await letIn(platform, procedure, { headers, address });
    leave = limits.enter(identity, address);
    await answerMessages(call, procedure);
    call.end(OK, "");
  } catch (error) {
    const known = error instanceof EsteiraError ? error : undefined;
    if (known === undefined)
      platform.log.error("a call over gRPC failed", {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    call.end(
      known === undefined ? UNKNOWN : (CODES[known.status] ?? UNKNOWN),
      known === undefined ? UNFORESEEN : textOf(known),
    );
  } finally {
    leave?.();
  }
}

const UNFORESEEN = "The request failed; the server's log says why";

function textOf({ message, hint, code }: EsteiraError): string {
  return `${hint === undefined ? message : `${message} ${hint}`} [${code}]`;
}

async function letIn(
  { access, project }: Platform,
  { action }: Procedure,
  { headers, address }: { readonly headers: IncomingHttpHeaders; readonly address: string },
): Promise<Identity> {
  const identity = await access.authenticate({
    authorization: headers.authorization,
    loopback: isLoopback(address.replace(/^::ffff:/, "")),
  });
  authorize(identity, action, { kind: "endpoint", project });
  return identity;
}

async function answerMessages(call: Call, procedure: Procedure): Promise<void> {
  let count = 0;
  for await (const bytes of call.messages()) {
    if (++count > 1 && procedure.isStream !== true) throw grpcInvalid({ problem: "it has more than one message" });
    const answer = async () => procedure.answer(decodeMessage(procedure.request, bytes), call);
    // One request of a stream that is wrong leaves the others alone.
    const given =
      procedure.isStream === true
        ? await answer().catch((error: unknown) => {
            if (error instanceof EsteiraError) return { error_message: textOf(error) };
            throw error;
          })
        : await answer();
    call.send(encodeMessage(procedure.response, given));
  }
  if (count === 0 && procedure.isStream !== true) throw grpcInvalid({ problem: "it has no message" });
}

/** One call of a client: the messages that it sends, and those that it gets. */
class Call {
  readonly #stream: ServerHttp2Stream;
  readonly #encoding: string;
  readonly #gone = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;

  readonly headers: IncomingHttpHeaders;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.headers = headers;
    this.#stream = stream;
    this.#encoding = String(headers["grpc-encoding"] ?? "identity");
    const timeoutMs = readTimeout(headers["grpc-timeout"]);
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.#gone.abort(), timeoutMs);
    stream.once("close", () => {
      clearTimeout(this.#timer);
      this.#gone.abort();
    });
  }

  /** Aborts when the client has left, or its deadline is over. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** @throws SERVER_GRPC_INVALID, SERVER_BODY_TOO_LARGE */
  async *messages(): AsyncGenerator<Buffer, void, undefined> {
    let held: Buffer[] = [];
    let size = 0;
    // A call that is refused halfway is still to be told so.
    for await (const chunk of this.#stream.iterator({ destroyOnReturn: false })) {
      const piece: unknown = chunk;
      if (!Buffer.isBuffer(piece)) continue;
      held.push(piece);
      size += piece.byteLength;
      for (;;) {
        const needed = neededOf(held, size);
        if (needed > LARGEST_BYTES + PREFIX_BYTES) throw bodyTooLarge({ largestBytes: LARGEST_BYTES });
        if (size < needed) break;
        const all = Buffer.concat(held);
        held = [all.subarray(needed)];
        size = all.byteLength - needed;
        // oxlint-disable-next-line no-await-in-loop -- messages are read in their order
        yield await this.#unpack(all.subarray(0, needed));
      }
    }
    if (size > 0) throw grpcInvalid({ problem: "its last message is cut off" });
  }

  async #unpack(framed: Buffer): Promise<Buffer> {
    const body = framed.subarray(PREFIX_BYTES);
    if (framed[0] === 0) return body;
    const unpack = this.#encoding === "gzip" ? gunzip : this.#encoding === "deflate" ? inflate : undefined;
    if (unpack === undefined) throw grpcInvalid({ problem: `it is packed with ${this.#encoding}` });
    try {
      return await promisify<Buffer, object, Buffer>(unpack)(body, { maxOutputLength: LARGEST_BYTES });
    } catch (error) {
      if (error instanceof RangeError) throw bodyTooLarge({ largestBytes: LARGEST_BYTES });
      throw grpcInvalid({ problem: `it cannot be unpacked (${messageOf(error)})` }, error);
    }
  }

  send(message: Buffer): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    this.#respond();
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(message.byteLength, 1);
    this.#stream.write(Buffer.concat([prefix, message]));
  }

  /** Ends the call with its status. */
  end(code: number, message: string): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const status = {
      "grpc-status": String(code),
      ...(message === "" ? {} : { "grpc-message": encodeURIComponent(message) }),
    };
    if (!stream.headersSent) {
      stream.respond({ ...HEADERS, ...status }, { endStream: true });
    } else {
      stream.once("wantTrailers", () => stream.sendTrailers(status));
      stream.end();
    }
    // What the client still sends is not read.
    stream.resume();
  }

  #respond(): void {
    if (!this.#stream.headersSent) this.#stream.respond(HEADERS, { waitForTrailers: true });
  }
}

const HEADERS = { ":status": 200, "content-type": "application/grpc", "grpc-accept-encoding": "identity,gzip,deflate" };

/** Bytes until the end of the first message; its prefix alone where that is not there yet. */
function neededOf(held: readonly Buffer[], size: number): number {
  if (size < PREFIX_BYTES) return PREFIX_BYTES;
  const [first] = held;
  const prefix = first !== undefined && first.byteLength >= PREFIX_BYTES ? first : Buffer.concat(held);
  return PREFIX_BYTES + prefix.readUInt32BE(1);
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

function readTimeout(text: unknown): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(String(text)) ?? [];
  return amount === undefined ? undefined : Math.min(2 ** 31 - 1, Math.ceil(Number(amount) * (UNITS[unit] ?? 1)));
}

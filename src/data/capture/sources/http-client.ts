import type { Agent, IncomingMessage, RequestOptions } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { digestOf, messageOf } from "#base";
import { sourceQueryFailed, sourceSignInRefused, sourceUnreachable } from "../../source-errors.ts";
import { errorCode } from "./error-code.ts";
import type { Authorization } from "./http-auth.ts";
import type { FindHost, ReachableHost } from "./reachable-host.ts";

const ANSWER_LIMIT_MS = 120_000;
const LARGEST_ANSWER_BYTES = 64 << 20;
const MOST_TRIES = 6;
const MOST_REDIRECTS = 5;
const FIRST_WAIT_MS = 500;
/** A server that asks for more patience is asked again by a later run. */
const LONGEST_WAIT_MS = 300_000;

export interface HttpAnswer {
  readonly url: URL;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Of the body as it was sent, without its compression. */
  readonly bodyDigest: string;
  readonly sizeBytes: number;
}

export interface HttpQuestion {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks one service, with patience. Answers are whole and at most 64 MiB. */
export interface HttpClient {
  /**
   * @throws DATA_SOURCE_UNREACHABLE, DATA_SOURCE_SIGN_IN_REFUSED, DATA_SOURCE_QUERY_FAILED, DATA_SOURCE_HOST_REFUSED
   */
  get(url: URL): Promise<HttpAnswer>;
  close(): void;
}

export interface HttpClientOptions {
  readonly source: string;
  readonly findHost: FindHost;
  readonly signal: AbortSignal;
  /** Credentials go to this origin alone. */
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly authorization: Authorization | undefined;
  /** Requests a second. */
  readonly rate: number | undefined;
  readonly log: (text: string) => void;
  /** A status that is an answer as well as one of success. */
  readonly alsoAccept?: number;
}

export async function createHttpClient(options: HttpClientOptions): Promise<HttpClient> {
  const [http, https] = [await import("node:http"), await import("node:https")];
  const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };
  const places = new Map<string, Promise<ReachableHost>>();
  let nextAtMs = 0;
  const pace = async (): Promise<void> => {
    if (options.rate === undefined) return;
    const now = Date.now();
    const atMs = Math.max(now, nextAtMs);
    nextAtMs = atMs + 1000 / options.rate;
    if (atMs > now) await wait(atMs - now, undefined, { signal: options.signal });
  };
  const ask = async (url: URL, question: HttpQuestion): Promise<HttpAnswer> => {
    if (url.protocol !== "http:" && url.protocol !== "https:")
      throw sourceQueryFailed({
        source: options.source,
        reason: `an address is of ${url.protocol}, not of http or https`,
      });
    await pace();
    const place = places.get(url.hostname) ?? options.findHost(url.hostname, options.source);
    places.set(url.hostname, place);
    const open = url.protocol === "https:" ? https.request : http.request;
    return sendQuestion(open, url, {
      question,
      place: await place,
      agent: agents[url.protocol],
      signal: options.signal,
    });
  };
  const patient = (url: URL, question: HttpQuestion): Promise<HttpAnswer> =>
    askPatiently(ask, options, { url, question });
  return {
    get: (url) => getFollowing(patient, options, url),
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

type Ask = (url: URL, question: HttpQuestion) => Promise<HttpAnswer>;

/** Redirects are followed, each to an address that is checked, and without credentials to another host. */
async function getFollowing(ask: Ask, options: HttpClientOptions, first: URL): Promise<HttpAnswer> {
  const { source, authorization } = options;
  let url = first;
  let isRenewed = false;
  for (let redirects = 0; redirects <= MOST_REDIRECTS;) {
    const dressed = url.origin === options.origin ? await authorization?.dress(url, ask) : undefined;
    const answer = await ask(dressed?.url ?? url, { headers: { ...options.headers, ...dressed?.headers } });
    const location = redirectOf(answer, url);
    if (location !== undefined) {
      url = location;
      redirects++;
    } else if (answer.status === 401 && !isRenewed && authorization?.renew?.() === true) isRenewed = true;
    else return { ...accept(answer, options), url };
  }
  throw sourceQueryFailed({ source, reason: `more than ${MOST_REDIRECTS} redirects` });
}

function redirectOf({ status, headers }: HttpAnswer, url: URL): URL | undefined {
  const { location } = headers;
  return status >= 300 && status < 400 && typeof location === "string" && URL.canParse(location, url.href)
    ? new URL(location, url.href)
    : undefined;
}

function accept(answer: HttpAnswer, options: HttpClientOptions): HttpAnswer {
  const { status } = answer;
  if (status === options.alsoAccept) return answer;
  const facts = { source: options.source, reason: describeAnswer(options, answer) };
  if (status === 401 || status === 403) throw sourceSignInRefused(facts);
  if (status === 429 || status >= 500) throw sourceUnreachable(facts);
  if (status < 200 || status >= 300) throw sourceQueryFailed(facts);
  return answer;
}

const EXCERPT = 300;

/** Services repeat what they are sent: secrets are taken out. */
function describeAnswer({ authorization }: HttpClientOptions, { url, status, body }: HttpAnswer): string {
  const said = body.slice(0, EXCERPT).replaceAll(/\s+/g, " ").trim();
  const text = `${url.origin}${url.pathname} answers ${status}${said === "" ? "" : `: ${said}`}`;
  return authorization === undefined ? text : authorization.mask(text);
}

async function askPatiently(
  ask: Ask,
  { source, signal, log, authorization }: HttpClientOptions,
  { url, question }: { readonly url: URL; readonly question: HttpQuestion },
): Promise<HttpAnswer> {
  for (let tries = 1; ; tries++) {
    let reason: string;
    let waitMs = FIRST_WAIT_MS * 2 ** (tries - 1) * (0.75 + Math.random() / 2);
    try {
      const answer = await ask(url, question);
      if (answer.status !== 429 && answer.status < 500) return answer;
      if (tries === MOST_TRIES) return answer;
      reason = `answers ${answer.status}`;
      waitMs = retryAfterMs(answer.headers["retry-after"]) ?? waitMs;
      if (waitMs > LONGEST_WAIT_MS)
        throw sourceUnreachable({ source, reason: `it asks to be left alone for ${Math.ceil(waitMs / 1000)} s` });
    } catch (error) {
      if (signal.aborted || !isOfNetwork(error)) throw error;
      reason = authorization?.mask(messageOf(error)) ?? messageOf(error);
      if (tries === MOST_TRIES) throw sourceUnreachable({ source, reason });
    }
    log(`${url.host} ${reason}; asked again in ${(waitMs / 1000).toFixed(1)} s`);
    await wait(waitMs, undefined, { signal });
  }
}

/** Errors of the network have codes of the system; ours have names. */
function isOfNetwork(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && /^(E[A-Z]+|UND_|HPE_|ERR_SOCKET|ERR_STREAM)/.test(code) && !code.startsWith("ERR_TLS");
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== "string") return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

type OpenRequest = (
  url: URL,
  options: RequestOptions,
  answered: (response: IncomingMessage) => void,
) => import("node:http").ClientRequest;

function sendQuestion(
  open: OpenRequest,
  url: URL,
  of: {
    readonly question: HttpQuestion;
    readonly place: ReachableHost;
    readonly agent: Agent;
    readonly signal: AbortSignal;
  },
): Promise<HttpAnswer> {
  const { question, place, agent } = of;
  const signal = AbortSignal.any([of.signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
  return new Promise((resolve, reject) => {
    const request = open(
      url,
      {
        method: question.method ?? "GET",
        agent,
        signal,
        headers: {
          accept: "application/json",
          "accept-encoding": "gzip",
          "user-agent": "esteira",
          ...question.headers,
          ...(question.body === undefined ? {} : { "content-length": String(Buffer.byteLength(question.body)) }),
        },
        // The address that was checked is the one that is connected to.
        lookup: (_, lookupOptions, done) => {
          const { address, family } = place;
          if (lookupOptions.all === true) done(null, [{ address, family }]);
          else done(null, address, family);
        },
      },
      (response) => {
        readBody(response).then(
          (body) => resolve({ url, status: response.statusCode ?? 0, headers: response.headers, ...body }),
          reject,
        );
      },
    );
    request.on("error", (error) =>
      reject(
        signal.aborted && !of.signal.aborted
          ? Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })
          : error,
      ),
    );
    request.end(question.body);
  });
}

async function readBody(response: IncomingMessage): Promise<Pick<HttpAnswer, "body" | "bodyDigest" | "sizeBytes">> {
  const stream = response.headers["content-encoding"] === "gzip" ? response.pipe(createGunzip()) : response;
  response.on("error", (error) => stream.destroy(error));
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > LARGEST_ANSWER_BYTES) {
      response.destroy();
      throw new RangeError(`an answer is larger than ${LARGEST_ANSWER_BYTES >> 20} MiB: ask for smaller pages`);
    }
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  return { body: bytes.toString("utf8"), bodyDigest: digestOf(bytes), sizeBytes };
}

import { setTimeout as delay } from "node:timers/promises";
import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import { isEsteiraError, messageOf } from "#base";
import { accessDenied, bucketMissing, clockSkewed, regionWrong, storageFailed } from "../errors.ts";
import { systemCodeOf } from "../system-error.ts";
import { transfer } from "./s3-transfer.ts";
import { elementOf } from "./s3-xml.ts";

/** Keys of an account, read again for every request: they may be replaced while the process runs. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface S3Options {
  readonly bucket: string;
  /** Before every key, without slashes at its ends; `""` for none. */
  readonly prefix: string;
  /** `https://host[:port]`; default Amazon's of the region. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  /** `path`: `endpoint/bucket/key`. `virtual`: `bucket.endpoint/key`, as Amazon wants it. Default virtual. */
  readonly addressing?: "path" | "virtual" | undefined;
  /** @throws STORAGE_CREDENTIALS_MISSING */
  readonly credentials: () => S3Credentials;
  /** In ms, for an answer's head once the request was sent, and between two pieces of its body. Default 30 000. */
  readonly timeoutMs?: number;
  /** How often a request is sent, at most. Default 6. */
  readonly attempts?: number;
  /** In ms, before the second attempt; doubled before each later one. Default 100. */
  readonly retryDelayMs?: number;
}

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** With the prefix; undefined for the bucket itself. */
  readonly key?: string | undefined;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Statuses that are answers and not failures, beside 2xx. */
  readonly accept?: readonly number[];
}

export interface S3Answer {
  readonly response: Response;
  /** More than one: an earlier one may have been carried out, though its answer never came. */
  readonly attempts: number;
}

/** Requests to one bucket: signed, sent again when that can help, and failed with an error that says what to do. */
export interface S3Client {
  /** `s3://bucket/prefix`. */
  readonly place: string;
  /** Key of a path below the prefix. */
  key(path: string): string;
  readonly timeoutMs: number;
  readonly attempts: number;
  /** Waits before an attempt, the longer the later. */
  pause(attempt: number): Promise<void>;
  /**
   * @throws STORAGE_BUCKET_MISSING, STORAGE_ACCESS_DENIED, STORAGE_REGION_WRONG, STORAGE_CLOCK_SKEWED,
   *   STORAGE_CREDENTIALS_MISSING, STORAGE_FAILED
   */
  send(request: S3Request): Promise<S3Answer>;
}

/** Says whose content an object is, where an answer was lost. */
export const WRITE_HEADER = "x-amz-meta-esteira-write";
/** What passes when it is asked again. */
const TRANSIENT_STATUSES = new Set([408, 429, 500, 502, 503, 504]);
const TRANSIENT_CODES = new Set(["RequestTimeout", "ConditionalRequestConflict", "OperationAborted", "SlowDown"]);
const LONGEST_PAUSE_MS = 5_000;
/** A line that is slower than this, 100 kB a second, counts as broken. */
const SLOWEST_BYTES_PER_MS = 100;

/** @throws TypeError when the endpoint is no URL */
export function createS3Client(options: S3Options): S3Client {
  const { bucket, prefix, region, timeoutMs = 30_000, attempts = 6, retryDelayMs = 100 } = options;
  const endpoint = new URL(options.endpoint ?? `https://s3.${region}.amazonaws.com`);
  const isPath = options.addressing === "path";
  const base = isPath ? `${endpoint.origin}/${bucket}` : `${endpoint.protocol}//${bucket}.${endpoint.host}`;
  const signingKeys = new Map<string, ArrayBuffer>();
  const place = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;

  async function sendOnce(request: S3Request): Promise<Response> {
    const url = `${base}/${request.key === undefined ? "" : encodeKey(request.key)}${queryOf(request.query)}`;
    const { accessKeyId, secretAccessKey, sessionToken } = options.credentials();
    const signed = await new AwsV4Signer({
      url,
      method: request.method,
      // What arrives is compared with it: a body that was changed on the way is refused.
      headers: { ...request.headers, "x-amz-content-sha256": sha256(request.body ?? Buffer.alloc(0)) },
      service: "s3",
      region,
      cache: signingKeys,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    }).sign();
    const head = new AbortController();
    const patienceMs = timeoutMs + (request.body?.byteLength ?? 0) / SLOWEST_BYTES_PER_MS;
    const timer = setTimeout(() => head.abort(new Error(`no answer within ${timeoutMs} ms`)), patienceMs);
    try {
      const { method, body } = request;
      return await transfer(url, { method, headers: signed.headers, signal: head.signal, body });
    } finally {
      clearTimeout(timer);
    }
  }

  async function failureOf(request: S3Request, response: Response): Promise<{ error: Error; isTransient: boolean }> {
    const text = request.method === "HEAD" ? "" : await response.text().catch(() => "");
    const code = elementOf(text, "Code") ?? "";
    return {
      error: toError({ request, response, text, code }),
      isTransient: TRANSIENT_STATUSES.has(response.status) || TRANSIENT_CODES.has(code),
    };
  }

  function toError(failed: { request: S3Request; response: Response; text: string; code: string }): Error {
    const { request, response, text, code } = failed;
    const { status } = response;
    if (code === "NoSuchBucket" || (status === 404 && request.key === undefined))
      return bucketMissing({ bucket, endpoint: endpoint.origin });
    const inRegion = response.headers.get("x-amz-bucket-region") ?? elementOf(text, "Region") ?? "";
    if ([301, 307].includes(status) || (code === "AuthorizationHeaderMalformed" && inRegion !== ""))
      return regionWrong({ bucket, region, expected: inRegion === region ? "" : inRegion });
    if (code === "RequestTimeTooSkewed")
      return clockSkewed({ here: new Date().toISOString(), there: timeThere(text, response) });
    const operation = VERBS[request.method];
    const where = request.key === undefined ? place : `s3://${bucket}/${request.key}`;
    const reason = saidBy(text, code) || `status ${status}`;
    if ([401, 403].includes(status)) return accessDenied({ operation, place: where, reason });
    return storageFailed({ operation, path: where, reason });
  }

  const client: S3Client = {
    place,
    key: (path) => (prefix === "" ? path : path === "" ? prefix : `${prefix}/${path}`),
    timeoutMs,
    attempts,
    pause: (attempt) =>
      delay(Math.min(LONGEST_PAUSE_MS, retryDelayMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2)),
    async send(request) {
      for (let attempt = 1; ; attempt++) {
        let failure: Awaited<ReturnType<typeof failureOf>>;
        try {
          const response = await sendOnce(request);
          if (response.ok || request.accept?.includes(response.status) === true) return { response, attempts: attempt };
          failure = await failureOf(request, response);
        } catch (error) {
          if (isEsteiraError(error)) throw error;
          const path = request.key === undefined ? place : `s3://${bucket}/${request.key}`;
          const reason = `${endpoint.origin} cannot be reached (${reasonOf(error)})`;
          failure = {
            error: storageFailed({ operation: VERBS[request.method], path, reason }, error),
            isTransient: true,
          };
        }
        if (!failure.isTransient || attempt >= attempts) throw failure.error;
        await client.pause(attempt);
      }
    },
  };
  return client;
}

const VERBS: Readonly<Record<S3Request["method"], string>> = {
  GET: "read",
  HEAD: "read",
  PUT: "write",
  POST: "write",
  DELETE: "remove",
};

function timeThere(text: string, { headers }: Response): string {
  return elementOf(text, "ServerTime") ?? headers.get("date") ?? "another time";
}

function saidBy(text: string, code: string): string {
  return [code, elementOf(text, "Message") ?? ""].filter((part) => part !== "").join(": ");
}

/** What stands behind an error of the line. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : messageOf(cause) || systemCodeOf(cause);
}

/** As the signature spells it: everything but letters, digits, `-._~` and the slash is encoded. */
function encodeKey(key: string): string {
  return encodeText(key).replaceAll("%2F", "/");
}

function encodeText(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function queryOf(query: S3Request["query"]): string {
  const pairs = Object.entries(query ?? {}).map(([name, value]) => `${encodeText(name)}=${encodeText(value)}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

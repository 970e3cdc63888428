import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { MlflowMessage } from "./message.ts";

export const MLFLOW_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type MlflowMethod = (typeof MLFLOW_METHODS)[number];

/** Who calls. The server fills it from `#access`. */
export interface MlflowCaller {
  readonly name: string;
  readonly roles: readonly string[];
}

/** One request, already routed. Bodies are read only when a handler asks for them. */
export interface MlflowRequest {
  readonly method: string;
  /** Path as it was sent: still percent-encoded, without query string. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Decoded values of `:name` and `*` in the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly identity: MlflowCaller;
  /**
   * The call's fields: from the query string for GET, else from the JSON body (which may be absent, or a JSON
   * string that holds JSON).
   *
   * @throws TRACKING_REQUEST_INVALID when the body is no JSON object or its Content-Type is missing
   */
  message(): Promise<MlflowMessage>;
  /** The raw body, for streams. Not together with `message()`. */
  readonly body: Readable;
}

/** Bytes of an open file. Who sends them closes it, also when they are not sent. */
export interface MlflowFile {
  readonly handle: FileHandle;
  /** Offset of the first byte. */
  readonly start: number;
  readonly sizeBytes: number;
}

/** What a handler answers: JSON (unset fields and empty lists left out by the caller), text, a stream or a file. */
export interface MlflowResponse {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written with {@link writeJson}; `{}` when none of the four is given. */
  readonly json?: object;
  /** Sent as it is; content type `text/plain` unless a header says otherwise. */
  readonly text?: string;
  readonly stream?: Readable;
  readonly file?: MlflowFile;
}

export type MlflowHandler = (request: MlflowRequest) => Promise<MlflowResponse>;

/**
 * One call of MLflow's REST API, free of any HTTP framework.
 *
 * `path` decides where it is served:
 * - `mlflow/runs/get` or `mlflow-artifacts/…` (no leading slash): under `/api/2.0/`, `/api/3.0/`, `/ajax-api/2.0/` and `/ajax-api/3.0/`
 * - `/health` (leading slash): at exactly this path
 *
 * `:name` is one path segment, a final `*` the rest of the path.
 */
export interface MlflowRoute {
  readonly method: MlflowMethod;
  readonly path: string;
  readonly handler: MlflowHandler;
  /** True where the query string carries the fields although the method is not GET (`upload-artifact`). */
  readonly fieldsInQuery?: boolean;
}

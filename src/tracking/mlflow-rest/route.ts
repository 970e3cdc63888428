import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { MlflowMessage } from "./message.ts";

export const MLFLOW_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type MlflowMethod = (typeof MLFLOW_METHODS)[number];

/** Verb and path of a call, as HTTP writes them: `POST mlflow/runs/create`. */
export type MlflowLine = `${MlflowMethod} ${string}`;

/**
 * What a call does. Its first word is what the caller's role must allow; the rest says to what, for the token of an
 * attempt, which may write only what is its own. A plain `write` is refused to those.
 */
export const MLFLOW_PERMISSIONS = [
  "open",
  "read",
  "write",
  "write run",
  "write new run",
  "write new experiment",
  "write artifact",
  "write upload",
  "write model",
  "write logged model",
  "write new logged model",
  "administer",
] as const;
export type MlflowPermission = (typeof MLFLOW_PERMISSIONS)[number];

/** The attempt of a step that calls with its own token. */
export interface CallingAttempt {
  readonly attemptId: string;
  readonly pipelineRunId: string;
  readonly project: string;
}

/** Who calls. The server fills it from `#access`. */
export interface MlflowCaller {
  /** As events name who did something. */
  readonly name: string;
  /** The person behind the caller: for an attempt, who started its pipeline run. */
  readonly user: string;
  /** True when a token said who it is, not only the machine it calls from. */
  readonly isSignedIn?: boolean;
  readonly attempt?: CallingAttempt | undefined;
  /** Throws an error of status 403 unless the caller's role allows it. */
  assertMay(action: "read" | "write" | "administer"): void;
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
 * - `mlflow/runs/get` or `mlflow-artifacts/…` (no leading slash): under `/api/2.0/`, `/api/3.0/`, `/ajax-api/2.0/` and
 *   `/ajax-api/3.0/`
 * - `/health` (leading slash): at exactly this path
 *
 * `:name` is one path segment, a final `*` the rest of the path.
 */
export interface MlflowRoute {
  readonly method: MlflowMethod;
  readonly path: string;
  readonly permission: MlflowPermission;
  readonly handler: MlflowHandler;
  /** True where the query string carries the fields although the method is not GET (`upload-artifact`). */
  readonly fieldsInQuery?: boolean;
}

/** A line as method and path. */
export function parseLine(line: MlflowLine): Pick<MlflowRoute, "method" | "path"> {
  const space = line.indexOf(" ");
  return { method: line.slice(0, space) as MlflowMethod, path: line.slice(space + 1) };
}

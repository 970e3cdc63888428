import type { Readable } from "node:stream";
import type { Action, Answered } from "#api";
import type { OpenFile } from "#storage";
import type { MlflowMessage } from "./message.ts";

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
  /** For what shows only in the fields: throws an error of status 403 unless the caller may do this too. */
  assertMay(action: Action): void;
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
  readonly handle: NonNullable<OpenFile["handle"]>;
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

/** One call of MLflow's REST API: its route, which is a value of `#api`, with what answers it. */
export type MlflowCall = Answered<MlflowHandler>;

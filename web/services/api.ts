import type { ApiProblem } from "#api";
import { credentials } from "./credentials.ts";

const BASE = "/api/v1";

/** An answer of the server that is not 2xx, or no answer at all. */
export class ProblemError extends Error {
  readonly problem: ApiProblem;
  readonly status: number;

  constructor(status: number, problem: ApiProblem) {
    super(problem.message);
    this.name = "ProblemError";
    this.status = status;
    this.problem = problem;
  }
}

export type QueryValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** A path below the API with its parts and query encoded: ``path`/models/${name}` ``. */
export function path(texts: TemplateStringsArray, ...parts: readonly (string | number)[]): string {
  return texts.reduce(
    (whole, text, index) => whole + text + (index < parts.length ? encodeURIComponent(String(parts[index])) : ""),
    "",
  );
}

/** @throws ProblemError */
export async function get<Answer>(address: string, query: QueryValues = {}, signal?: AbortSignal): Promise<Answer> {
  return answerOf<Answer>(() =>
    fetch(`${BASE}${address}${queryText(query)}`, {
      headers: { accept: "application/json", ...credentials.headers() },
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

/** @throws ProblemError */
export async function post<Answer>(address: string, body: object = {}): Promise<Answer> {
  return answerOf<Answer>(() =>
    fetch(`${BASE}${address}`, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json", ...credentials.headers() },
      body: JSON.stringify(body),
    }),
  );
}

/** Full address of a stream. */
export function streamAddress(address: string, query: QueryValues = {}): string {
  return `${BASE}${address}${queryText(query)}`;
}

/** Reads the answer to a request as JSON. @throws ProblemError */
export async function answerOf<Answer>(send: () => Promise<Response>): Promise<Answer> {
  let response: Response;
  try {
    response = await send();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ProblemError(0, {
      code: "WEB_SERVER_UNREACHABLE",
      message: error instanceof Error ? error.message : String(error),
      kind: "transient",
    });
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as Answer;
  throw new ProblemError(response.status, problemOf(response, text));
}

function problemOf(response: Response, text: string): ApiProblem {
  try {
    const body = JSON.parse(text) as Partial<ApiProblem> & {
      readonly error?: Partial<ApiProblem>;
      readonly error_code?: string;
    };
    // MLflow's calls name their errors differently.
    if (body.error_code !== undefined && typeof body.message === "string")
      return { code: body.error_code, message: body.message, kind: "terminal" };
    const problem = body.code === undefined && body.error !== undefined ? body.error : body;
    if (typeof problem.message === "string")
      return { ...problem, code: problem.code ?? `HTTP_${response.status}`, message: problem.message };
  } catch {
    // A proxy's page, not our JSON: the status is all there is to say.
  }
  return { code: `HTTP_${response.status}`, message: `${response.status} ${response.statusText}` };
}

function queryText(query: QueryValues): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") values.set(name, String(value));
  const text = values.toString();
  return text === "" ? "" : `?${text}`;
}

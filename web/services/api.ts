import { type ApiProblem, createClient, type HttpCall } from "#api";
import { credentials } from "./credentials.ts";

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

/** Sends one call and reads its answer. @throws ProblemError */
export function send<Answer>({ method, address, body, signal }: HttpCall): Promise<Answer> {
  const headers = { accept: "application/json", ...credentials.headers() };
  return answerOf(() =>
    fetch(address, {
      method,
      headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

/** Calls the API by the name of what it does. @throws ProblemError */
export const call = createClient(send);

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

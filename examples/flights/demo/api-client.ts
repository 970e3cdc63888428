import type { ApiProblem } from "#api";

/** The platform's HTTP API, as any program would call it. */
export interface ApiClient {
  readonly url: string;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: unknown, token?: string): Promise<Answer>;
}

/** @param url base URL of a running server */
export function createApiClient(url: string): ApiClient {
  async function call<Answer>(method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) return (text === "" ? {} : JSON.parse(text)) as Answer;
    const problem = parseProblem(text);
    throw new Error(
      `${method} ${path} answered ${response.status}: ${problem?.message ?? text}${problem?.hint === undefined ? "" : `\n  ${problem.hint}`}`,
    );
  }
  return {
    url,
    get: (path) => call("GET", path),
    post: (path, body, token) => call("POST", path, body, token),
  };
}

function parseProblem(text: string): ApiProblem | undefined {
  try {
    return (JSON.parse(text) as { error?: ApiProblem }).error;
  } catch {
    return undefined;
  }
}

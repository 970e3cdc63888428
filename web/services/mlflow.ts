import { answerOf, type QueryValues } from "./api.ts";
import { credentials } from "./credentials.ts";

const BASE = "/ajax-api/2.0/mlflow/";

type ListQuery = Readonly<Record<string, QueryValues[string] | readonly string[]>>;

/** Address of an MLflow call with its query; a list repeats its name. */
export function mlflowAddress(call: string, query: ListQuery = {}): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [value as QueryValues[string]])
      if (each !== undefined) values.append(name, String(each));
  }
  const text = values.toString();
  return `${BASE}${call}${text === "" ? "" : `?${text}`}`;
}

/** @throws ProblemError with MLflow's `error_code` */
export function mlflowGet<Answer>(call: string, query: ListQuery = {}, signal?: AbortSignal): Promise<Answer> {
  return answerOf(() =>
    fetch(mlflowAddress(call, query), {
      headers: { accept: "application/json", ...credentials.headers() },
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

/** @throws ProblemError with MLflow's `error_code` */
export function mlflowSend<Answer>(
  method: "POST" | "PATCH" | "DELETE",
  call: string,
  body: object,
  signal?: AbortSignal,
): Promise<Answer> {
  return answerOf(() =>
    fetch(`${BASE}${call}`, {
      method,
      headers: { accept: "application/json", "content-type": "application/json", ...credentials.headers() },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

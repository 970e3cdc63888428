import { isEsteiraError } from "#base";

/**
 * HTTP status of each `error_code` (MLflow's table). Clients retry 408, 429 and 5xx for minutes: never for a user's
 * mistake.
 */
export const MLFLOW_ERROR_STATUS: Readonly<Record<string, number>> = {
  INVALID_PARAMETER_VALUE: 400,
  BAD_REQUEST: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  CUSTOMER_UNAUTHORIZED: 401,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  NOT_FOUND: 404,
  ENDPOINT_NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  RESOURCE_CONFLICT: 409,
  ABORTED: 409,
  REQUEST_LIMIT_EXCEEDED: 429,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL_ERROR: 500,
  INVALID_STATE: 500,
  DATA_LOSS: 500,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

const BY_STATUS: Readonly<Record<number, string>> = {
  400: "INVALID_PARAMETER_VALUE",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "RESOURCE_DOES_NOT_EXIST",
  409: "RESOURCE_CONFLICT",
  413: "BAD_REQUEST",
  415: "BAD_REQUEST",
  429: "RESOURCE_EXHAUSTED",
  501: "NOT_IMPLEMENTED",
  503: "TEMPORARILY_UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Errors whose `error_code` does not follow from their status. `…_EXISTS` is always RESOURCE_ALREADY_EXISTS. */
const BY_CODE: Readonly<Record<string, string>> = {
  TRACKING_EXPERIMENT_NAME_TAKEN: "BAD_REQUEST",
  TRACKING_ARTIFACT_STORAGE_FULL: "RESOURCE_EXHAUSTED",
  TRACKING_CALL_MISSING: "ENDPOINT_NOT_FOUND",
  TRACKING_CALL_METHOD_WRONG: "ENDPOINT_NOT_FOUND",
};

/** Statuses that say more than any `error_code`; clients retry neither. */
const OWN_STATUSES = new Set([405, 507]);

export interface MlflowErrorBody {
  readonly error_code: string;
  readonly message: string;
}

/** The answer to anything that was thrown. What is not ours becomes INTERNAL_ERROR without its message. */
export function toMlflowError(error: unknown): { readonly status: number; readonly body: MlflowErrorBody } {
  if (!isEsteiraError(error))
    return {
      status: 500,
      body: { error_code: "INTERNAL_ERROR", message: "Internal error; the server's log says more." },
    };
  const code =
    BY_CODE[error.code] ??
    (error.code.endsWith("_EXISTS") ? "RESOURCE_ALREADY_EXISTS" : (BY_STATUS[error.status] ?? "INTERNAL_ERROR"));
  return {
    status: OWN_STATUSES.has(error.status) ? error.status : (MLFLOW_ERROR_STATUS[code] ?? 500),
    body: { error_code: code, message: error.message },
  };
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { EsteiraError, type Log, messageOf } from "#base";
import type { ErrorForm } from "#api";
import { toMlflowError, writeJson } from "#tracking";
import { bodyTooLarge, requestInvalid, requestRefused, routeMissing } from "../errors.ts";

/** Where no route is, its place says how clients read an error. */
const FORMS: readonly (readonly [RegExp, ErrorForm])[] = [
  [/^\/openai(\/|$)/, "openai"],
  [/^(\/endpoints\/[^/]+\/[^/]+)?\/v2(\/|$)/, "open-inference"],
  [
    /^\/(push|materialize|materialize-incremental|write-to-online-store|retrieve-online-documents)$/,
    // What Feast's feature server answers, and this one does not.
    "feast",
  ],
];

/**
 * Answers every failure in the form that the clients of its route read: `{ error: { code, message, hint, … } }`, Open
 * Inference's `{ error: text }`, Feast's `{ detail: text }`, MLflow's. What we did not foresee is logged and says
 * nothing of its inside.
 */
export function replyWithErrors(server: FastifyInstance, log: Log): void {
  server.setErrorHandler((error: unknown, request, reply) => {
    // The rest of a body that was begun would be taken for the next request; of one that was not, Node sees to it.
    if (request.raw.readableDidRead && !request.raw.readableEnded) request.raw.resume();
    const known = toKnown(error);
    if (known === undefined || isOurFault(request, known)) {
      const { method, url } = request;
      log.error("request failed", { method, url, reason: messageOf(error), stack: (error as Error).stack });
    }
    if (known !== undefined) return send(request, reply, known);
    const message = "The server failed in a way it did not foresee; its log has the details.";
    return reply.code(500).send(bodyOf(formOf(request), { code: "SERVER_INTERNAL", message }));
  });
  server.setNotFoundHandler((request, reply) =>
    send(request, reply, routeMissing({ method: request.method, path: pathOf(request) })),
  );
}

/** MLflow's clients try again for minutes: what is not theirs to mend stands in the log, too. */
function isOurFault(request: FastifyRequest, error: EsteiraError): boolean {
  const { status } = toMlflowError(error);
  return formOf(request) === "mlflow" && status >= 500 && status !== 501;
}

/** The error as one of ours; undefined for what nobody foresaw. */
function toKnown(error: unknown): EsteiraError | undefined {
  if (error instanceof EsteiraError) return error;
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  if (statusCode === undefined || statusCode >= 500) return undefined;
  if (statusCode === 413) return bodyTooLarge({ largestBytes: undefined }, error);
  if (/^Z_|^ERR__ERROR_FORMAT/.test(code ?? ""))
    return requestInvalid({ where: "body", problems: [`it cannot be decompressed (${messageOf(error)})`] }, error);
  return requestRefused({ status: statusCode, reason: messageOf(error) }, error);
}

function send(request: FastifyRequest, reply: FastifyReply, error: EsteiraError): FastifyReply {
  const form = formOf(request);
  const { seconds } = error.context;
  if (error.status === 429 && typeof seconds === "number") reply.header("retry-after", String(seconds));
  if (form === "mlflow") return sendMlflow(reply, error);
  const status =
    typeof error.context["status"] === "number" && error.code === requestRefused.code
      ? error.context["status"]
      : error.status;
  if (error.kind === "transient" && status === 503) reply.header("retry-after", "1");
  if (status === 401) reply.header("www-authenticate", 'Bearer realm="esteira", Basic realm="esteira"');
  if (form === "git") reply.type("text/plain; charset=utf-8");
  return reply.code(status).send(bodyOf(form, error));
}

function sendMlflow(reply: FastifyReply, error: EsteiraError): FastifyReply {
  const { status, body } = toMlflowError(error);
  if (status === 401) reply.header("www-authenticate", 'Basic realm="mlflow"');
  return reply.code(status).type("application/json").send(writeJson(body));
}

function bodyOf(
  form: ErrorForm,
  error: EsteiraError | { readonly code: string; readonly message: string },
): object | string {
  const hint = error instanceof EsteiraError ? error.hint : undefined;
  const text = `${error.message}${hint === undefined ? "" : `. ${hint}`}`;
  switch (form) {
    case "open-inference":
      return { error: `${text} [${error.code}]` };
    case "feast":
      return { detail: text };
    case "openai":
      return { error: { message: text, type: "invalid_request_error", param: null, code: error.code } };
    case "git":
      return `${text}\n`;
    case "mlflow":
      return toMlflowError(error).body;
    case "mlflow-scoring":
      return { ...toMlflowError(error).body, message: text };
    case "esteira":
      return { error: error instanceof EsteiraError ? error.toJSON() : error };
  }
}

function formOf(request: FastifyRequest): ErrorForm {
  const { errors } = request.routeOptions.config;
  if (errors !== undefined) return errors;
  const path = pathOf(request);
  return FORMS.find(([pattern]) => pattern.test(path))?.[1] ?? "esteira";
}

function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? "/").split("?")[0] ?? "/";
}

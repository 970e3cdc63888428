import { EsteiraError, isEsteiraError, messageOf } from "#base";

/** An error as it travels between machines. */
export function toErrorFacts(error: unknown): object {
  return isEsteiraError(error) ? { ...error.toJSON(), status: error.status } : { message: messageOf(error) };
}

/** What {@link toErrorFacts} made on another machine. */
export function fromErrorFacts(said: object): EsteiraError {
  const facts: Readonly<Record<string, unknown>> = { ...said };
  const { code, message, hint, context, kind, status } = facts;
  return new EsteiraError(typeof code === "string" ? code : "EXECUTORS_JOB_ENDED", {
    status: typeof status === "number" ? status : 500,
    kind: kind === "transient" ? "transient" : "terminal",
    context: typeof context === "object" && context !== null ? context : {},
    message: String(message),
    hint: typeof hint === "string" ? hint : undefined,
  });
}

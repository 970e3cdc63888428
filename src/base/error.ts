/** Whether trying the same thing again can help. */
export const ERROR_KINDS = ["terminal", "transient"] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

/** What a module's `errors.ts` says of one error: facts go in, a sentence comes out. */
export interface ErrorDefinition<Context> {
  /** HTTP status that a server answers with. */
  readonly status: number;
  readonly kind?: ErrorKind;
  /** One sentence: where, what was found, what was expected. */
  readonly message: (context: Context) => string;
  /** The key, command or file to change. */
  readonly hint?: (context: Context) => string;
  /** The general cure, for the error catalogue in the documentation. */
  readonly solve: string;
}

/**
 * An error that a user can read and a program can match.
 *
 * `code` is `MODULE_SUBJECT_PROBLEM`; `context` holds the facts the message was built from;
 * `hint` names what to change. Only functions made by {@link defineError} create one.
 */
export class EsteiraError extends Error {
  override readonly name = "EsteiraError";
  readonly code: string;
  readonly status: number;
  readonly kind: ErrorKind;
  readonly context: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(
    code: string,
    facts: { status: number; kind: ErrorKind; context: object; message: string; hint: string | undefined },
    cause?: unknown,
  ) {
    super(facts.message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = facts.status;
    this.kind = facts.kind;
    this.context = facts.context as Readonly<Record<string, unknown>>;
    this.hint = facts.hint;
  }

  /** The form that the HTTP API, `--json` and stored step results use. */
  toJSON(): { code: string; message: string; kind: ErrorKind; hint?: string; context: object } {
    return {
      code: this.code,
      message: this.message,
      kind: this.kind,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      context: this.context,
    };
  }
}

/** Makes one error: call it with the facts, throw what it returns. */
export type ErrorFactory<Context> = ((context: Context, cause?: unknown) => EsteiraError) & {
  readonly code: string;
  readonly status: number;
  readonly solve: string;
};

const catalogue = new Map<string, ErrorFactory<never>>();

/**
 * Defines one error of a module; called only from `errors.ts` files.
 *
 * @param code `MODULE_SUBJECT_PROBLEM`, unique in the program
 * @throws Error when the code is already defined
 */
export function defineError<Context extends object>(
  code: string,
  definition: ErrorDefinition<Context>,
): ErrorFactory<Context> {
  if (catalogue.has(code)) throw new Error(`error code ${code} is defined twice`);
  const create = (context: Context, cause?: unknown): EsteiraError =>
    new EsteiraError(
      code,
      {
        status: definition.status,
        kind: definition.kind ?? "terminal",
        context,
        message: definition.message(context),
        hint: definition.hint?.(context),
      },
      cause,
    );
  const factory = Object.assign(create, { code, status: definition.status, solve: definition.solve });
  catalogue.set(code, factory as unknown as ErrorFactory<never>);
  return factory;
}

/** Every error defined by the modules loaded so far, by code. For the catalogue in the documentation. */
export function definedErrors(): ReadonlyMap<string, { readonly status: number; readonly solve: string }> {
  return catalogue;
}

/** True when `error` is an {@link EsteiraError}, with the given code if one is given. */
export function isEsteiraError(error: unknown, code?: string): error is EsteiraError {
  return error instanceof EsteiraError && (code === undefined || error.code === code);
}

/** The message of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

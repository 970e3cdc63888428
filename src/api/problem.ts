/** The body of every answer that is not 2xx, and the form of stored errors. */
export interface ApiProblem {
  /** `MODULE_SUBJECT_PROBLEM` */
  readonly code: string;
  /** Where, what was found, what was expected. */
  readonly message: string;
  readonly kind?: "terminal" | "transient" | undefined;
  /** The key, command or file to change. */
  readonly hint?: string | undefined;
  readonly context?: Readonly<Record<string, unknown>> | undefined;
}

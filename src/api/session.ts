import type { Action } from "./action.ts";

/** Who is looking, at what, and what they may do. */
export interface Session {
  readonly identity: {
    readonly name: string;
    readonly kind: "user" | "token" | "local" | "attempt";
    readonly roles: readonly string[];
  };
  readonly project: string;
  readonly projectDescription?: string | undefined;
  /** Language of the project, when it names one; else the browser decides. */
  readonly language?: "en" | "pt-BR" | undefined;
  /** What the caller may do in the project. */
  readonly capabilities: readonly Action[];
  /** Version of esteira. */
  readonly version: string;
}

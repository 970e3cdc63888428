export type Capability =
  | "pipeline.run"
  | "pipeline.cancel"
  | "approve"
  | "rollback"
  | "alert.acknowledge"
  | "quarantine.decide"
  | "dataset.restore"
  | "dataset.drop";

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
  readonly capabilities: readonly Capability[];
  /** Version of esteira. */
  readonly version: string;
}

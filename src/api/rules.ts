export type RuleName = "approvals" | "bind" | "signed" | "reviewers" | "sandbox" | "freeze" | "aliases";

export interface RuleChange {
  readonly rule: RuleName;
  readonly before?: string | undefined;
  readonly after: string;
}

/** Rules of an environment that were in force from a moment on. */
export interface RulesVersion {
  readonly number: number;
  readonly digest: string;
  readonly change: "declared" | "raised" | "lowered";
  readonly actor: string;
  readonly atMs: number;
  /** Who agreed to lower them. */
  readonly approvedBy: readonly string[];
  readonly changes: readonly RuleChange[];
}

/** What protects an environment, how it came about, and what the project's file would have instead. */
export interface EnvironmentRules {
  readonly environment: string;
  /** Of the rules in force: what a signed approval names. */
  readonly digest: string;
  readonly rules: readonly { readonly rule: RuleName; readonly value: string }[];
  /** What the file asks less for than what is in force; it waits for the approvals that the rules in force ask for. */
  readonly lowered: readonly RuleChange[];
  /** Digest that is to be approved for it. */
  readonly change?: string | undefined;
  /** Newest first. */
  readonly history: readonly RulesVersion[];
}

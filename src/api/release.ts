import type { VersionReference } from "./asset.ts";

export type ReleaseStatus = "waiting" | "deploying" | "live" | "superseded" | "failed" | "rolled_back";

export interface Release {
  readonly id: string;
  readonly environment: string;
  /** Name of the deployed asset. */
  readonly asset: string;
  readonly status: ReleaseStatus;
  readonly atMs: number;
  readonly untilMs?: number | undefined;
  readonly actor: string;
  /** What is in it: code, data, features, model, dashboards. */
  readonly items: readonly VersionReference[];
  readonly pipelineRunId?: string | undefined;
  readonly commit?: string | undefined;
  /** Release that it replaced. */
  readonly replaces?: string | undefined;
  /** What was in the release that it replaced: what differs from `items` is what this release changed. */
  readonly replacedItems?: readonly VersionReference[] | undefined;
  /** Of the live one: the release that a rollback goes to when none is named, with what comes back. */
  readonly before?: { readonly id: string; readonly items: readonly VersionReference[] } | undefined;
  /** True when it was deployed by a rollback. */
  readonly isRollback: boolean;
  readonly reason?: string | undefined;
  /** Address where it answers. */
  readonly url?: string | undefined;
}

export interface Environment {
  readonly name: string;
  /** Approvals that must be given before something is deployed here. */
  readonly requiredApprovals: number;
  /** What an approval binds to: the notebook or code source, or each version. */
  readonly bind: "recipe" | "version";
  /** The live release of each asset. */
  readonly live: readonly Release[];
  /** Of a protected environment: what is live there though it was made by a process without a sandbox. */
  readonly unisolated: readonly UnisolatedRelease[];
}

/** A live release, and what of it was made without a sandbox: itself, or a version it was made from. */
export interface UnisolatedRelease {
  readonly asset: string;
  readonly version: number;
  readonly made: string;
  readonly madeVersion: number;
  readonly level: "none" | "user";
}

/** Body of `POST releases/rollback`. */
export interface Rollback {
  readonly environment: string;
  readonly asset: string;
  /** Release to go back to; default: the one before. */
  readonly to?: string | undefined;
  readonly reason?: string | undefined;
}

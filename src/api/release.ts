import type { ApiAssetKind, VersionReference } from "./asset.ts";
import type { RecipeChange } from "./recipe.ts";

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

/** What of an environment goes back together. */
export interface EnvironmentRollbackPlan {
  readonly environment: string;
  readonly changes: readonly ReleaseStep[];
  /** What stays as it is. */
  readonly stays: readonly StayingRelease[];
}

/** From one release of an asset to another. */
export interface ReleaseStep {
  readonly asset: string;
  readonly kind: ApiAssetKind;
  readonly from: ReleaseHead;
  readonly to: ReleaseHead;
}

export interface ReleaseHead {
  readonly id: string;
  /** 1, 2, 3, … per environment. */
  readonly number: number;
  /** Of the deployed asset. */
  readonly version: number;
}

export interface StayingRelease {
  readonly asset: string;
  readonly release: ReleaseHead;
  /** True: nothing of it ran there at that time. False: it ran there already then. */
  readonly isNew: boolean;
}

/** Body of `POST environments/:name/rollback`. */
export interface EnvironmentRollbackRequest {
  /**
   * A moment (ISO 8601), or the id of a release; default: before the pipeline run that made the newest of what is live.
   */
  readonly to?: string | undefined;
  /** Why; goes into the record of each deployment. */
  readonly reason?: string | undefined;
}

/** Two releases, or what is live in two environments, side by side. */
export interface ReleaseComparison {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Assets whose versions differ; those that are alike are counted. */
  readonly differences: readonly ReleaseDifference[];
  readonly same: number;
  readonly settings: readonly SettingDifference[];
}

export interface ReleaseDifference {
  readonly asset: string;
  readonly kind: ApiAssetKind;
  /** Empty: only the other side has it. */
  readonly before: readonly VersionReference[];
  readonly after: readonly VersionReference[];
  /** Of code and models that both sides have: what differs within, newest version against newest version. */
  readonly inside?: VersionDifference | undefined;
}

/** What differs between two versions of code or of a model. */
export interface VersionDifference {
  /** Commits that they were made at, where these differ, as far as they are known. */
  readonly commit?: { readonly before?: string | undefined; readonly after?: string | undefined } | undefined;
  /** Files of the repository that differ between the commits, the first of them; missing where git does not know. */
  readonly sources?: readonly string[] | undefined;
  readonly sourceCount?: number | undefined;
  /** Files of the version itself that differ, the first of them. */
  readonly files: readonly FileDifference[];
  readonly fileCount: number;
  /** Numbers of a model that differ: what its training logged, and what its test measured. */
  readonly metrics: readonly MetricDifference[];
  /** Parts of the recipe that differ; missing where one of the two has no recipe. */
  readonly recipe?: readonly RecipeChange[] | undefined;
}

export interface FileDifference {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
}

export interface MetricDifference {
  readonly name: string;
  readonly before?: number | undefined;
  readonly after?: number | undefined;
}

/** One setting of a deployment that differs; values as JSON. */
export interface SettingDifference {
  readonly asset: string;
  readonly key: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** A pull request, with what runs of it and where. */
export interface Preview {
  readonly number: number;
  readonly title: string;
  readonly author: string;
  readonly branch: string;
  /** The branch that it is to be merged into. */
  readonly base: string;
  readonly commit: string;
  readonly url: string;
  readonly state: "open" | "merged" | "closed";
  /** From another repository. */
  readonly isOutside: boolean;
  /** `preview/<name>` */
  readonly environment: string;
  readonly updatedAtMs: number;
  readonly live: readonly {
    readonly asset: string;
    readonly sinceMs: number;
    readonly address?: string | undefined;
  }[];
  /** Its pipeline runs, oldest first. */
  readonly runs: readonly {
    readonly pipelineRunId: string;
    readonly pipeline: string;
    readonly status: string;
    /** What its forge was told last. */
    readonly told?: string | undefined;
    /** Why its forge could not be told. */
    readonly problem?: string | undefined;
  }[];
}

/** Pull requests of which something may be left, newest first, at most 1,000. */
export interface Previews {
  readonly items: readonly Preview[];
  /** There are further ones, which are older. */
  readonly more: boolean;
}

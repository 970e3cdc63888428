import type { TrialRecord } from "./arm-record.ts";
import type { Outcomes } from "./outcome-metric.ts";
import type { TrialPlan } from "./trial-plan.ts";
import type { TrialMove } from "./trial-state.ts";
import type { TrialVerdict } from "./verdict.ts";

/** Where a model answers. */
export interface EndpointPlace {
  readonly project: string;
  readonly environment: string;
  readonly endpoint: string;
}

/** A trial, and what both arms did in it. */
export interface KeptTrial {
  /** ULID: the predictions of the trial have later ones. */
  readonly id: string;
  readonly plan: TrialPlan;
  readonly stableVersionId: string;
  readonly candidateVersionId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly outcome: "promoted" | "aborted" | "ended" | "replaced" | undefined;
  /** Why it ended; undefined while it goes on, and when the endpoint was changed meanwhile. */
  readonly verdict: TrialVerdict | undefined;
  readonly record: TrialRecord;
}

/** A trial that goes on. */
export interface OpenTrial extends KeptTrial {
  readonly place: EndpointPlace;
  /** Grows with every change of the endpoint. */
  readonly generation: number;
}

/** What becomes of a trial. */
export interface TrialChange {
  readonly move: TrialMove;
  /** The plan after `advance`. */
  readonly plan?: TrialPlan;
  readonly verdict: TrialVerdict;
  readonly actor: string;
  readonly atMs: number;
}

/** Endpoints at which versions are tried. Declared here, implemented by `serving`, which keeps what the arms do. */
export interface RolloutTarget {
  /** All trials that go on. */
  listOpen(): Promise<readonly OpenTrial[]>;
  /** The one of an endpoint; undefined when none goes on. */
  findOpen(place: EndpointPlace): Promise<OpenTrial | undefined>;
  /** Trials of an endpoint, newest first. */
  list(place: EndpointPlace): Promise<readonly KeptTrial[]>;
  /** Rows of both arms whose truth has come. */
  outcomes(trial: OpenTrial): Promise<{ readonly stable: Outcomes; readonly candidate: Outcomes }>;
  /**
   * Carries a move out, in one transaction with its event.
   *
   * @returns false when the endpoint was changed since the trial was read: then nothing happened
   */
  move(trial: OpenTrial, change: TrialChange): Promise<boolean>;
}

/** What stands against a candidate beside its own figures. Declared here, implemented by `monitoring`. */
export interface CandidateWatch {
  /** Whether an alert was opened on the endpoint since a time and is not closed. */
  openSince(place: EndpointPlace, sinceMs: number): Promise<boolean>;
  /** Monitors that the rows of one version break, which it answered as a candidate. */
  brokenBy?(
    place: EndpointPlace,
    candidate: { readonly versionId: string; readonly sinceMs: number },
  ): Promise<readonly string[]>;
}

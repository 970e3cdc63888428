import type { PendingApproval, Release, Station, StationName } from "#api";
import type { AssetVersion, Endpoint } from "#metadata-store";

type Subject = Pick<Station, "subject" | "subjectVersion" | "subjectEnvironment">;

export interface LiveFacts {
  readonly captured: readonly AssetVersion[];
  readonly transformed: readonly AssetVersion[];
  readonly joined: readonly AssetVersion[];
  /** Versions of models, newest first for each. */
  readonly models: readonly AssetVersion[];
  /** The model version that was judged last. */
  readonly judged: AssetVersion | undefined;
  /** The model version that answers in production. */
  readonly answering: AssetVersion | undefined;
  readonly endpoint: Pick<Endpoint, "environment"> | undefined;
  readonly pending: readonly PendingApproval[];
  /** What was approved last. */
  readonly approved: Subject | undefined;
  readonly releases: readonly Release[];
}

/** What is live at each station: the newest of what it makes, and in production what answers. */
export function liveSubjects(facts: LiveFacts): Partial<Record<StationName, Subject>> {
  const named = (version: AssetVersion | undefined): Subject => (version === undefined ? {} : { subject: version.asset, subjectVersion: version.version });
  const newest = (versions: readonly AssetVersion[]): Subject => named(versions.toSorted((left, right) => right.madeAtMs - left.madeAtMs || right.version - left.version)[0]);
  const [pending] = facts.pending;
  const [release] = facts.releases;
  return {
    capture: newest(facts.captured),
    transform: newest(facts.transformed),
    features: newest(facts.joined),
    train: newest(facts.models),
    test: named(facts.judged),
    registry: facts.answering === undefined ? newest(facts.models) : named(facts.answering),
    approve: pending === undefined ? (facts.approved ?? {}) : { subject: pending.subject, subjectEnvironment: pending.environment },
    deploy: releaseSubject(release),
    production: { ...named(facts.answering), subjectEnvironment: facts.endpoint?.environment },
  };
}

/** @param named an asset and its version: `delay 2` */
export function approvedSubject(named: string | undefined): Subject | undefined {
  const [, subject, version] = /^(.*) (\d+)$/.exec(named ?? "") ?? [];
  return subject === undefined ? undefined : { subject, subjectVersion: Number(version) };
}

/** A release is named by the version that it deploys, not by what that was made from. */
export function releaseSubject(release: Release | undefined): Subject {
  if (release === undefined) return {};
  return { subject: release.asset, subjectVersion: deployedItem(release)?.version, subjectEnvironment: release.environment };
}

function deployedItem({ asset, items }: Release): Release["items"][number] | undefined {
  return items.find(({ role }) => role === "deployed") ?? items.find((item) => item.asset === asset);
}

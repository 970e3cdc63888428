import type { PendingApproval, Release, Station, StationName } from "#api";
import type { VersionHead } from "#metadata-store";
import type { Endpoint } from "#metadata-store/serving";

type Subject = Pick<Station, "subject" | "subjectVersion" | "subjectEnvironment">;

/** The newest version of each sort. */
export interface LiveFacts {
  readonly captured: VersionHead | undefined;
  readonly transformed: VersionHead | undefined;
  readonly joined: VersionHead | undefined;
  readonly model: VersionHead | undefined;
  /** The newest model version that was judged. */
  readonly judged: VersionHead | undefined;
  /** The model version that answers in production. */
  readonly answering: VersionHead | undefined;
  readonly endpoint: Pick<Endpoint, "environment"> | undefined;
  readonly pending: readonly PendingApproval[];
  /** What was approved last. */
  readonly approved: Subject | undefined;
  readonly releases: readonly Release[];
}

/** What is live at each station: the newest of what it makes, and in production what answers. */
export function liveSubjects(facts: LiveFacts): Partial<Record<StationName, Subject>> {
  const named = (version: VersionHead | undefined): Subject =>
    version === undefined ? {} : { subject: version.asset, subjectVersion: version.version };
  const [pending] = facts.pending;
  const [release] = facts.releases;
  return {
    capture: named(facts.captured),
    transform: named(facts.transformed),
    features: named(facts.joined),
    train: named(facts.model),
    test: named(facts.judged),
    registry: named(facts.answering ?? facts.model),
    approve:
      pending === undefined
        ? (facts.approved ?? {})
        : { subject: pending.subject, subjectEnvironment: pending.environment },
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
  return {
    subject: release.asset,
    subjectVersion: deployedItem(release)?.version,
    subjectEnvironment: release.environment,
  };
}

function deployedItem({ asset, items }: Release): Release["items"][number] | undefined {
  return items.find(({ role }) => role === "deployed") ?? items.find((item) => item.asset === asset);
}

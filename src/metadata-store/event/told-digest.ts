import { type Digest, digestOf } from "#base";

/** How a token's secret is told in an event: who holds the event cannot find the stored hash. */
export function fingerprintOf(secretHash: string): Digest {
  return digestOf(secretHash);
}

/** Digest of the content of a verdict or of the settings of a release, as it is stored. */
export function contentDigest(stored: object): Digest {
  return digestOf(JSON.stringify(stored));
}

/** Digest of the versions of a release. */
export function versionsDigest(
  versions: readonly { readonly versionId: string; readonly digest: string; readonly role: string }[],
): Digest {
  const lines = versions.map(({ versionId, digest, role }) => `${versionId} ${digest} ${role}`);
  return digestOf(lines.toSorted().join("\n"));
}

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

/** Digest of what a version was made from. */
export function inputsDigest(inputs: readonly { readonly versionId: string; readonly role: string }[]): Digest {
  return digestOf([...new Set(inputs.map(({ versionId, role }) => `${versionId} ${role}`))].toSorted().join("\n"));
}

/**
 * Digest of the content of a version, as it is stored, but for its recipe: a version that was made before recipes gets
 * one when its step makes it again.
 */
export function settledContent(stored: string): Digest {
  try {
    const parsed: { readonly recipe?: unknown } = JSON.parse(stored);
    const { recipe: _recipe, ...content } = parsed;
    return digestOf(JSON.stringify(content));
  } catch {
    // Somebody edited it.
    return digestOf(stored);
  }
}

const unknown = new WeakSet<object>();

/** Keeps of an error that it came while a change was committed: it may have been kept all the same. */
export function markCommitUnknown(error: unknown): void {
  if (typeof error === "object" && error !== null) unknown.add(error);
}

/**
 * True when nobody knows whether the change of a failed `write` was kept: its connection ended between the commit and
 * the answer. Doing it again is right only for what finds out by itself that it was done.
 */
export function isCommitUnknown(error: unknown): boolean {
  return typeof error === "object" && error !== null && unknown.has(error);
}

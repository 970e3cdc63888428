import { createHash } from "node:crypto";

const BUCKETS = 10_000;

/**
 * Whether a routing unit belongs to the candidate. Sticky: the same unit gets the same answer in every process, as long
 * as the candidate and its share stay; a larger share keeps the units that were in.
 *
 * @param trial the candidate's version id
 * @param unit entity key, or whatever the caller routes by
 */
export function isCandidateUnit(trial: string, unit: string, sharePercent: number): boolean {
  const bucket = createHash("sha256").update(`${trial}\u0000${unit}`).digest().readUInt32BE(0) % BUCKETS;
  return bucket < (sharePercent / 100) * BUCKETS;
}

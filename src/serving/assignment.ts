import type { PredictRequest } from "./endpoints.ts";
import type { PredictionArm } from "#metadata-store/serving";
import { isCandidateUnit } from "./candidate-unit.ts";
import { requestInvalid } from "./errors.ts";
import type { LiveEndpoint } from "./live-endpoints.ts";

/** Which rows of a request are the candidate's, and how it came to that. */
export interface Assignment {
  readonly rows: ReadonlySet<number>;
  /** The candidate's share, 0–1, with which each row was drawn; undefined where no chance decided. */
  readonly share: number | undefined;
  /** The caller chose the version. */
  readonly chosen: boolean;
}

const NONE: Assignment = { rows: new Set(), share: undefined, chosen: false };

/**
 * Draws the rows of the candidate, by the strategy of the endpoint: the unit of a row is always given to the same arm.
 *
 * @throws SERVING_REQUEST_INVALID when the header that chooses names neither version
 */
export function assignRows(
  { endpoint, candidate }: LiveEndpoint,
  request: PredictRequest,
  requestId: string,
): Assignment {
  const { strategy } = endpoint;
  if (candidate === undefined || strategy.kind === "direct" || strategy.kind === "shadow") return NONE;
  const { header, stickyBy, percent } = strategy;
  const rows = Array.from({ length: request.source.rowCount }, (_, row) => row);
  const chosen = header === undefined ? undefined : request.header?.(header)?.trim();
  if (header !== undefined && chosen !== undefined && chosen !== "") {
    if (chosen !== "stable" && chosen !== "candidate")
      throw requestInvalid({ where: `The header ${header}`, found: `"${chosen}"`, expected: "stable or candidate" });
    return { rows: new Set(chosen === "candidate" ? rows : []), share: undefined, chosen: true };
  }
  const asker = stickyBy === undefined ? undefined : request.header?.(stickyBy);
  return {
    rows: new Set(
      rows.filter((row) =>
        isCandidateUnit(candidate.version.id, asker ?? request.entityKeys?.[row] ?? requestId, percent),
      ),
    ),
    share: percent / 100,
    chosen: false,
  };
}

/**
 * With what chance a row came to the arm that answered it; undefined where no chance decided, and where the stable
 * version stood in for a candidate that failed.
 */
export function chanceOf({ rows, share }: Assignment, arm: PredictionArm, row: number): number | undefined {
  if (share === undefined || arm === "shadow") return undefined;
  const isDrawn = rows.has(row);
  if (arm === "candidate") return isDrawn ? share : undefined;
  return isDrawn ? undefined : 1 - share;
}

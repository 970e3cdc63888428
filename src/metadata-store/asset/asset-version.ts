import type { Selectable } from "kysely";
import type { Digest } from "#base";
import type { AssetTables } from "./tables.ts";

export const ASSET_KINDS = ["data", "features", "notebook", "model", "code", "report"] as const;
export type AssetKind = (typeof ASSET_KINDS)[number];

/** One immutable version of a named thing. */
export interface AssetVersion {
  /** ULID */
  readonly id: string;
  readonly project: string;
  readonly asset: string;
  readonly kind: AssetKind;
  /** 1, 2, 3, … per asset. */
  readonly version: number;
  /** Digest of the content; equal content, equal digest. */
  readonly digest: Digest;
  /** Epoch milliseconds. */
  readonly madeAtMs: number;
  readonly pipelineRunId: string | undefined;
  /** The step run that made it; undefined for what was registered from outside. */
  readonly stepRunId: string | undefined;
  readonly rowCount: number | undefined;
  readonly sizeBytes: number | undefined;
  /** Its rows are kept no longer since then; what it was stays known. Undefined: they are there. */
  readonly expiredAtMs: number | undefined;
  /**
   * Where the content is and what it looks like; its shape belongs to the module that made it (`data`: table path and
   * Delta version; `model`: files by digest; …).
   */
  readonly content: object;
}

export function toAssetVersion(row: Selectable<AssetTables["asset_version"]>): AssetVersion {
  return {
    id: row.id,
    project: row.project,
    asset: row.asset,
    kind: row.kind,
    version: row.version,
    digest: row.digest as Digest,
    madeAtMs: row.made_at_ms,
    pipelineRunId: row.pipeline_run_id ?? undefined,
    stepRunId: row.step_run_id ?? undefined,
    rowCount: row.row_count ?? undefined,
    sizeBytes: row.size_bytes ?? undefined,
    expiredAtMs: row.expired_at_ms ?? undefined,
    content: JSON.parse(row.content) as object,
  };
}

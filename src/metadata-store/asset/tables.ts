import type { AssetKind } from "./asset-version.ts";

export interface AssetTables {
  asset: {
    project: string;
    name: string;
    kind: AssetKind;
    latest_version: number;
    created_at_ms: number;
    /** Its versions stay; it is no longer listed until it is made again. */
    dropped_at_ms: number | null;
  };
  asset_version: {
    id: string;
    project: string;
    asset: string;
    kind: AssetKind;
    version: number;
    digest: string;
    made_at_ms: number;
    pipeline_run_id: string | null;
    step_run_id: string | null;
    row_count: number | null;
    size_bytes: number | null;
    /** JSON */
    content: string;
    /** Its rows are kept no longer since then. */
    expired_at_ms: number | null;
  };
  asset_partition: {
    project: string;
    asset: string;
    partition: string;
    version_id: string;
    step_run_id: string;
    identity: string;
    made_at_ms: number;
  };
  asset_version_input: {
    version_id: string;
    input_version_id: string;
    role: string;
  };
}

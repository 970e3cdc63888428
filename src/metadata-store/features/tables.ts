export interface FeatureTables {
  /** What of each feature view is online. */
  feature_view_state: {
    project: string;
    view: string;
    /** Digest of the view's definition: a changed one is materialized anew. */
    definition_digest: string;
    /** Version of the source dataset that is online, the watermark. */
    source_version_id: string;
    source_version: number;
    /** Rows of other generations are not read. */
    generation: number;
    materialized_at_ms: number;
    /** Rows written by the last materialization. */
    row_count: number;
  };
  /** The last value per key. */
  online_feature: {
    project: string;
    view: string;
    generation: number;
    /** JSON list of the join keys' values as text. */
    entity_key: string;
    /** Epoch microseconds. */
    event_us: number;
    created_us: number | null;
    /** JSON of the features by column; whole numbers are exact. */
    payload: string;
  };
  /** Whether rows of a dataset version are unique on (keys, time), found once. */
  dataset_order: {
    version_id: string;
    order_digest: string;
    is_unique: number;
  };
}

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
  /** The last value per key that was pushed and that no version of the source has overtaken. */
  pushed_feature: {
    project: string;
    view: string;
    /** As in `online_feature`. */
    entity_key: string;
    /** JSON list of the join keys' names: under others the key means something else. */
    key_columns: string;
    /** Event time as it was pushed, without the view's `available_after`; epoch microseconds. */
    event_us: number;
    created_us: number | null;
    payload: string;
    pushed_at_ms: number;
  };
  /** Whether rows of a dataset version are unique on (keys, time), found once. */
  dataset_order: {
    version_id: string;
    order_digest: string;
    is_unique: number;
  };
}

/** What an endpoint does where a feature has no value. */
export interface MissingPolicy {
  readonly action: "refuse" | "default" | "null";
  readonly value?: string | number | boolean | undefined;
}

/** What a feature service asks of its callers, and gives. */
export interface ServiceDescription {
  /** Join keys that each row must bring. */
  readonly keys: readonly string[];
  /** Features by name, with their policy; undefined: the endpoint decides. */
  readonly features: ReadonlyMap<string, MissingPolicy | undefined>;
}

export type FeatureStatus = "PRESENT" | "NULL_VALUE" | "NOT_FOUND" | "OUTSIDE_MAX_AGE";

/** Features by name, one value and status per row; the value is null where the status is not PRESENT. */
export type ServedFeatures = ReadonlyMap<
  string,
  { readonly values: readonly unknown[]; readonly statuses: readonly FeatureStatus[] }
>;

/** Reads features online for an endpoint that names a feature service. Declared here, implemented by `features`. */
export interface OnlineFeatures {
  /** @param request `rows` hold the join keys and whatever the request brought beside them */
  read(request: {
    readonly project: string;
    readonly service: string;
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    /** Each row's own time, by which a value may have outlived its view's TTL; default now. Epoch ms. */
    readonly atMs?: readonly number[];
    readonly signal?: AbortSignal;
  }): Promise<ServedFeatures>;
  describeService(service: string): Promise<ServiceDescription>;
  /** Join keys that the store knows, and a time at which their values are fresh; undefined when it holds nothing. */
  exampleKeys(
    service: string,
  ): Promise<{ readonly keys: Readonly<Record<string, string>>; readonly atMs: number } | undefined>;
}

/**
 * Columns of a model's training data that held nulls; undefined when that is not known. Declared here, implemented over
 * the dataset's profile.
 */
export type TrainingNulls = (modelVersionId: string) => Promise<ReadonlySet<string> | undefined>;

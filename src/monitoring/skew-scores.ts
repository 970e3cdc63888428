import { isEsteiraError, messageOf, type Log } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { MonitorScore } from "#metadata-store/monitoring";
import { type EndpointKey, getEndpoint, type ScannedPrediction } from "#metadata-store/serving";
import type { ModelDescription } from "#models";
import { createStatusReader } from "./feature-scores.ts";
import type { MonitorRule } from "./monitor-file.ts";
import { createRowSample, sampledOf } from "./row-sample.ts";
import { isEqual, textOf } from "./served-value.ts";
import { SKEW, type SkewExample } from "./skew-example.ts";

/** What the offline join gives one feature of some rows. */
interface Recomputed {
  readonly keys: readonly string[];
  readonly isSingle: boolean;
  /** By row: values of the versions that may have been online; a text says why it is not known. */
  readonly rows: readonly (readonly unknown[] | string)[];
}

/** Joins rows again as training does. Declared here, implemented by `features`, wired by `app`. */
export interface OfflineFeatures {
  describeService(service: string): Promise<{ readonly features: ReadonlyMap<string, unknown> }>;
  recompute(request: {
    readonly service: string;
    readonly features: readonly string[];
    readonly rows: readonly {
      readonly record: Readonly<Record<string, unknown>>;
      readonly atMs: number;
      readonly answeredMs: number;
    }[];
  }): Promise<ReadonlyMap<string, Recomputed>>;
}

/** Takes rows of a window, then compares a sample of them. */
export interface SkewCheck {
  see(row: ScannedPrediction): void;
  scores(): Promise<readonly MonitorScore[]>;
}

interface Sources {
  readonly store: MetadataStore;
  readonly offline: OfflineFeatures | undefined;
  readonly log: Log;
}

type Input = ModelDescription["inputs"][number];

/**
 * Prepares the comparison of what an endpoint read online with the offline join; undefined when no rule asks for it.
 *
 * The feature service is the one that the endpoint has now.
 */
export async function openSkewCheck(
  key: EndpointKey,
  { rules, model }: { readonly rules: readonly MonitorRule[]; readonly model: Pick<ModelDescription, "inputs"> },
  { store, offline, log }: Sources,
): Promise<SkewCheck | undefined> {
  const asked = rules.flatMap((rule) => ("skew" in rule ? [rule.skew] : []));
  if (asked.length === 0) return undefined;
  const { project, environment, endpoint: name } = key;
  const endpoint = await store.read((transaction) =>
    getEndpoint(transaction, { project, environment, endpoint: name }),
  );
  const service = endpoint?.options.featureService;
  if (service === undefined || offline === undefined)
    return withoutScores(
      service === undefined ? "the endpoint has no feature service" : "there is no offline join to compare with",
    );
  try {
    const { features } = await offline.describeService(service);
    const inputs = model.inputs.filter((input) => features.has(input.name));
    if (inputs.length === 0) return withoutScores(`the model reads no feature of the service ${service}`);
    return compare({ service, inputs, atMost: Math.max(...asked.map(({ sample }) => sample)), offline, log });
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    return withoutScores(messageOf(error));
  }
}

function withoutScores(reason: string): SkewCheck {
  return {
    see: () => {},
    scores: () => Promise.resolve([scoreOf("", { value: undefined, n: 0, method: { reason } })]),
  };
}

function scoreOf(subject: string, found: Pick<MonitorScore, "value" | "n" | "method">): MonitorScore {
  return {
    ...found,
    metric: SKEW,
    subject,
    segment: "",
    baseline: undefined,
    threshold: undefined,
    breached: undefined,
    nReference: undefined,
  };
}

interface Comparison {
  readonly service: string;
  /** Features of the service that the model reads. */
  readonly inputs: readonly Input[];
  readonly atMost: number;
  readonly offline: OfflineFeatures;
  readonly log: Log;
}

function compare({ service, inputs, atMost, offline, log }: Comparison): SkewCheck {
  const sample = createRowSample(atMost);
  const rows: ScannedPrediction[] = [];
  const read = createStatusReader();
  return {
    see(row) {
      const statuses = read(row.feature_status);
      if (statuses === undefined || !inputs.some(({ name }) => wasRead(statuses.get(name)))) return;
      const place = sample.next();
      if (place !== undefined) rows[place] = row;
    },
    async scores() {
      const given = rows.map((row) => parseExact(row.features));
      const records = rows.map((row, index) => ({ ...parseExact(row.context ?? "{}"), ...given[index] }));
      const request = rows.map((row, index) => ({
        record: records[index] ?? {},
        atMs: row.at_ms,
        answeredMs: row.received_at_ms,
      }));
      const features = inputs.map(({ name }) => name);
      let found: ReadonlyMap<string, Recomputed> | undefined;
      let failure = "no row of the window read the feature as the online store has it";
      try {
        if (rows.length > 0) found = await offline.recompute({ service, features, rows: request });
      } catch (error) {
        // The other monitors of the window have their verdict.
        if (!isEsteiraError(error)) throw error;
        failure = `the offline join failed: ${messageOf(error)}`;
        log.warn("online features could not be compared with the offline join", { service, error: messageOf(error) });
      }
      return inputs.map((input) => {
        const own = found?.get(input.name);
        const counted =
          own === undefined
            ? undefined
            : count(input, own, { rows, records, given, statusOf: (row) => read(row.feature_status)?.get(input.name) });
        if (counted === undefined || counted.n === 0)
          return scoreOf(input.name, { value: undefined, n: 0, method: { reason: counted?.reason ?? failure } });
        const { n, different, unknown, reason, example } = counted;
        return scoreOf(input.name, {
          value: different / n,
          n,
          method: {
            ...sampledOf(sample.size, sample.seen),
            ...(example === undefined ? {} : { example }),
            ...(unknown === 0 ? {} : { unknown, reason }),
          },
        });
      });
    },
  };
}

/** Read as it is stored; a stored null has its own status. */
function wasRead(status: unknown): boolean {
  return status === undefined || status === "NULL_VALUE";
}

interface Counted {
  readonly n: number;
  readonly different: number;
  /** Rows that could not be compared, and why, of the last one. */
  readonly unknown: number;
  readonly reason: string | undefined;
  readonly example: SkewExample | undefined;
}

function count(
  input: Input,
  { keys, isSingle, rows: recomputed }: Recomputed,
  logged: {
    readonly rows: readonly ScannedPrediction[];
    readonly records: readonly Readonly<Record<string, unknown>>[];
    /** What the model was given. */
    readonly given: readonly Readonly<Record<string, unknown>>[];
    readonly statusOf: (row: ScannedPrediction) => unknown;
  },
): Counted {
  let [n, different, unknown] = [0, 0, 0];
  let reason: string | undefined;
  let example: SkewExample | undefined;
  for (const [index, row] of logged.rows.entries()) {
    const status = logged.statusOf(row);
    const values = logged.given[index] ?? {};
    // Another version of the model may have read other features.
    if (!wasRead(status) || !Object.hasOwn(values, input.name)) continue;
    const offline = recomputed[index] ?? [];
    if (typeof offline === "string") {
      unknown++;
      reason = offline;
      continue;
    }
    n++;
    const record = logged.records[index] ?? {};
    // The log holds what the model was given: of a null that may be an empty text.
    const online = status === "NULL_VALUE" ? null : values[input.name];
    if (offline.some((value) => isEqual(online, value, { type: input.type, isSingle }))) continue;
    different++;
    // The latest: the one that can still be looked up.
    if (example === undefined || row.at_ms > example.atMs)
      example = {
        entity: Object.fromEntries(keys.map((key) => [key, String(record[key])])),
        atMs: row.at_ms,
        online: textOf(online, isSingle),
        offline: textOf(offline[0], isSingle),
      };
  }
  return { n, different, unknown, reason, example };
}

/** Whole numbers beyond 2^53 are read from their digits. */
function parseExact(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text, (_key, part: unknown, context?: { readonly source?: string }): unknown =>
    typeof part === "number" && !Number.isSafeInteger(part) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? "0")
      : part,
  );
  return typeof value === "object" && value !== null ? { ...value } : {};
}

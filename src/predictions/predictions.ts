import { type Clock, type Log, systemClock } from "#base";
import type { Analytics } from "#data";
import type { MetadataStore } from "#metadata-store";
import type {
  EndpointKey,
  LabelReport,
  NewLabel,
  Outcome,
  Prediction,
  PredictionQuery,
  ScannedPrediction,
} from "#metadata-store/serving";
import type { LocalFiles } from "#storage";
import { createHistoryReader } from "./history.ts";
import { createHistoryTables } from "./history-table.ts";
import { labelWhole } from "./label-predictions.ts";
import { getWhole, listWhole } from "./list-whole.ts";
import { createMover, type MovedEndpoint, type MoveRequest } from "./move-predictions.ts";
import { type ScanRange, scanWhole } from "./scan.ts";

/** A batch of labels of one endpoint. */
export interface LabelBatch extends EndpointKey {
  readonly labels: readonly NewLabel[];
  readonly receivedAtMs: number;
  readonly actor: string;
}

/** Data files that went, or would go. */
export interface RemovedFiles extends EndpointKey {
  readonly removed: readonly string[];
  readonly sizeBytes: number;
}

/**
 * The predictions of all endpoints, wherever they lie: new ones in the metadata database, earlier ones in a Delta table
 * per endpoint, each seen once.
 */
export interface Predictions {
  /** Newest event time first. */
  list(query: PredictionQuery): Promise<readonly Prediction[]>;
  /** Undefined when no prediction has this id. */
  get(id: string): Promise<Prediction | undefined>;
  /** Oldest first, in parts; memory is bounded however many there are. */
  scan(range: ScanRange): AsyncGenerator<readonly ScannedPrediction[], void, undefined>;
  /** See `recordLabels` of the metadata store. */
  recordLabels(batch: LabelBatch): Promise<LabelReport & { readonly outcomes: readonly Outcome[] }>;
  /**
   * Moves what was received a while ago out of the database. Killed anywhere, nothing is lost or doubled; the next call
   * goes on.
   *
   * @throws DATA_STORAGE_FAILED, METADATA_STORE_WRITE_FAILED
   */
  move(request: MoveRequest): Promise<readonly MovedEndpoint[]>;
  /** Removes files all of whose predictions were made and received before a time, and labels. @returns predictions */
  expire(request: {
    readonly project: string;
    readonly beforeMs: number;
    readonly signal: AbortSignal;
  }): Promise<number>;
  /** Removes data files that no version that is read names. */
  vacuum(request: {
    readonly project: string;
    readonly retentionMs: number;
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
  }): Promise<readonly RemovedFiles[]>;
}

export interface PredictionsOptions {
  readonly store: MetadataStore;
  readonly analytics: Analytics;
  /** Of the Delta tables. */
  readonly files: LocalFiles;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Reads and opens nothing yet. */
export function createPredictions({ clock = systemClock, ...options }: PredictionsOptions): Predictions {
  const { store, analytics } = options;
  const tables = createHistoryTables({ ...options, clock });
  const history = createHistoryReader({ analytics, tables });
  const parts = { store, history };
  return {
    list: (query) => listWhole(parts, query),
    get: (id) => getWhole(parts, id),
    scan: (range) => scanWhole(parts, range),
    recordLabels: (batch) => labelWhole(parts, batch),
    ...createMover({ ...options, clock, tables }),
  };
}

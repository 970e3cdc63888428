import { after } from "node:test";
import { type AssetVersion, recordAssetVersion, type StoreKind } from "#metadata-store";
import type { ColumnBatch, DatasetReader, Scorer } from "#models";
import { createOutbox } from "#outbox";
import { type AlertRoutes, createMonitoring, type Monitoring } from "#monitoring";
import { type Clock, digestOf, silentLog, systemClock, type Log } from "#base";
import { sourceOfRecords } from "#serving";
import { openTestPredictions } from "../setup/predictions.ts";
import { deploy, registerModel, startServing, type TestServing } from "../serving/served.ts";

export const KEY = { project: "p", environment: "production", endpoint: "delay" } as const;
export const MONDAY_MS: number = Date.UTC(2001, 3, 2);
export const WEEK_MS: number = 7 * 86_400_000;

export interface Flight {
  readonly distance: number;
  readonly hour: number;
  readonly origin: string;
  readonly late: number;
}

/** A small linear congruential generator: the same flights in every run. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
}

export function makeFlights(
  count: number,
  options: {
    readonly seed: number;
    readonly shift?: number;
    readonly flip?: number;
    readonly origins?: readonly string[];
  },
): Flight[] {
  const random = createRandom(options.seed);
  const origins = options.origins ?? ["ATL", "DEN", "ORD", "JFK"];
  return Array.from({ length: count }, () => {
    const hour = Math.floor(random() * 24);
    const origin = origins[Math.floor(random() * origins.length)] ?? "ATL";
    const late = hour / 24 + (origin === "ORD" ? 0.5 : 0) + (random() - 0.5) * 0.8 > 0.8 ? 1 : 0;
    return {
      distance: Math.round(100 + random() * 2400) + (options.shift ?? 0),
      hour,
      origin,
      late: random() < (options.flip ?? 0) ? 1 - late : late,
    };
  });
}

/** Rows in memory as a dataset. */
export function createRowReader(rows: readonly (Flight & { readonly split: string })[]): DatasetReader {
  return {
    async readColumns(_version, { columns, where = {} }): Promise<ColumnBatch> {
      const kept = rows.filter((row) =>
        Object.entries(where).every(([name, value]) => row[name as keyof Flight] === value),
      );
      return {
        rowCount: kept.length,
        columns: new Map(columns.map((name) => [name, kept.map((row) => row[name as keyof Flight])])),
      };
    },
    describe: async () =>
      ["distance", "hour", "origin", "late", "split"].map((name) => ({
        name,
        type: name === "origin" || name === "split" ? "VARCHAR" : "BIGINT",
      })),
    files: async () => [],
  };
}

export interface TestMonitoring extends TestServing {
  readonly monitoring: Monitoring;
  readonly version: AssetVersion;
  readonly training: AssetVersion;
  /** Makes a version of the dataset that the training set was made from. */
  readonly capture: () => Promise<AssetVersion>;
  /** Sets the clock of the monitors forward. */
  forward(ms: number): void;
  /** Sends flights as predictions of a week, then their labels; returns the prediction ids. */
  play(week: number, flights: readonly Flight[], options?: { readonly labels?: boolean }): Promise<readonly string[]>;
  /** Registers and deploys another version of the same model. */
  redeploy(): Promise<AssetVersion>;
}

export async function startMonitoring(
  kind: StoreKind,
  options: {
    readonly clock?: Clock;
    readonly secret?: (name: string) => string | undefined;
    readonly routes?: AlertRoutes;
    readonly datasets?: DatasetReader;
    readonly log?: Log;
    readonly wrapScorer?: (scorer: Scorer) => Scorer;
  } = {},
): Promise<TestMonitoring> {
  const test = await startServing(kind);
  const { store, serving } = test;
  const rows = makeFlights(4000, { seed: 1 }).map((flight, row) => ({
    ...flight,
    split: row < 3000 ? "train" : "test",
  }));
  let captured = 0;
  const capture = async (): Promise<AssetVersion> =>
    (
      await store.write((transaction) =>
        recordAssetVersion(transaction, {
          project: "p",
          asset: "flights",
          kind: "data",
          digest: digestOf(`flights ${++captured}`),
          madeAtMs: systemClock.now(),
          actor: "ana",
          content: {},
          rowCount: captured * 1000,
          inputs: [],
        }),
      )
    ).version;
  const flights = await capture();
  const { version: training } = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: "p",
      asset: "training_set",
      kind: "data",
      digest: digestOf("training"),
      madeAtMs: systemClock.now(),
      actor: "ana",
      content: {},
      inputs: [{ versionId: flights.id, role: "spine" }],
    }),
  );
  const record = {
    training: { versionId: training.id, asset: "training_set", kind: "data", version: 1, digest: training.digest },
  };
  const register = (): Promise<AssetVersion> =>
    registerModel(test, "late-by-columns", { record, inputs: [{ versionId: training.id, role: "input" }] });
  const version = await register();
  await deploy(serving, version);
  let forwardMs = 0;
  const clock: Clock = { now: () => systemClock.now() + forwardMs, monotonic: systemClock.monotonic };
  const outbox = createOutbox({
    store,
    log: silentLog,
    clock: options.clock ?? clock,
    privateNetworks: ["127.0.0.0/8", "::1"],
  });
  after(() => outbox.close());
  const monitoring = createMonitoring({
    outbox,
    store,
    predictions: await openTestPredictions(store),
    datasets: createRowReader(rows),
    scorer: (options.wrapScorer ?? ((scorer) => scorer))(serving.scorer),
    log: silentLog,
    clock,
    ...options,
  });
  return {
    ...test,
    monitoring,
    version,
    training,
    capture,
    forward(ms) {
      forwardMs += ms;
    },
    async play(week, flights, { labels = true } = {}) {
      const startMs = MONDAY_MS + week * WEEK_MS;
      const atMs = flights.map((_, row) => startMs + Math.floor((row / flights.length) * WEEK_MS));
      const source = sourceOfRecords(flights.map(({ distance, hour, origin }) => ({ distance, hour, origin })));
      const { predictionIds } = await serving.endpoints.predict(KEY, {
        source,
        atMs,
        entityKeys: flights.map((_, row) => `w${week}-${row}`),
      });
      if (labels) {
        await monitoring.recordLabels({
          ...KEY,
          actor: "ana",
          untilMs: undefined,
          labels: flights.map(({ late }, row) => ({ id: predictionIds[row], label: late, atMs: startMs + WEEK_MS })),
        });
      }
      return predictionIds;
    },
    async redeploy() {
      const next = await register();
      await deploy(serving, next);
      return next;
    },
  };
}

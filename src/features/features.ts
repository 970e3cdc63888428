import type { Clock, Log } from "#base";
import type { Analytics, Datasets } from "#data";
import type { MetadataStore } from "#metadata-store";
import { definitionsInvalid } from "./errors.ts";
import { type CellExplanation, explainCell } from "./explain.ts";
import type { FeatureDefinitions, FeatureView } from "./feature-definitions.ts";
import { createFeaturePushes, type PushPorts } from "./feature-pushes.ts";
import {
  answerGetOnlineFeatures,
  answerMaterialize,
  answerPush,
  type FeatureServerResponse,
  type PushRoute,
} from "./feature-server.ts";
import type { JoinedView } from "./join-plan.ts";
import type { MaterializeRoute } from "./materialize-request.ts";
import { type Materialization, materialize, materializeAll } from "./materialize.ts";
import {
  type OnlineFeatureRows,
  type FeatureStatus,
  findExampleKeys,
  type OnlineRequest,
  type OnlineValue,
  planOnlineRead,
  readOnlineFeatures,
} from "./online-read.ts";
import { recomputeOffline, type RecomputedFeature, type RecomputeRequest } from "./recompute.ts";
import { describeService, type ServiceDescription } from "./service-description.ts";
import { readProjectFeatures } from "./project-features.ts";
import { type FeatureViewStatus, listViewStatus } from "./view-status.ts";

const WATCH_EVERY_MS = 500;

export interface FeaturesOptions {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly analytics: Analytics;
  readonly clock: Clock;
  readonly log: Log;
  readonly project: string;
  readonly projectFolder: string;
  /** Keys of one view that may have a pushed value; default 1,000,000. */
  readonly mostKeys?: number | undefined;
}

/** The feature store of a project. */
export interface Features {
  /** What `features/*.yaml` defines, as read last; read on first use. @throws FEATURES_DEFINITIONS_INVALID */
  definitions(): Promise<FeatureDefinitions>;
  /** Reads the files again, for reads from now on. @throws FEATURES_DEFINITIONS_INVALID */
  reload(): Promise<FeatureDefinitions>;
  /** Every view, with how far it is online. @throws FEATURES_DEFINITIONS_INVALID */
  viewStatus(): Promise<readonly FeatureViewStatus[]>;
  /** Brings every view whose source has a new version online. Idempotent; calls at once are merged. */
  catchUp(): Promise<readonly Materialization[]>;
  /** Keeps views online: catches up now and whenever the store changes. @returns a function that ends it */
  watch(): () => Promise<void>;
  /** Last values per key. @throws FEATURES_NAME_UNKNOWN, FEATURES_NAME_COLLISION, FEATURES_REQUEST_INVALID */
  readOnline(request: OnlineRequest): Promise<OnlineFeatureRows>;
  /** `POST /get-online-features` of Feast's feature server; mount it with the raw body. */
  handleGetOnlineFeatures(body: string): Promise<FeatureServerResponse>;
  /** `POST /push` and `POST /write-to-online-store` of Feast's feature server: rows are durable when it resolves. */
  handlePush(route: PushRoute, body: string, ports: PushPorts): Promise<FeatureServerResponse>;
  /**
   * `POST /materialize` and `POST /materialize-incremental` of Feast's feature server: views follow their sources by
   * themselves, and have done so when it resolves.
   */
  handleMaterialize(
    route: MaterializeRoute,
    request: { readonly body: string; readonly isAsync: boolean; readonly isForced: boolean },
  ): Promise<FeatureServerResponse>;
  /** Features of a service by name, for endpoints: implements the port `OnlineFeatures` of `serving`. */
  read(request: {
    readonly project: string;
    readonly service: string;
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    readonly atMs?: readonly number[];
    readonly signal?: AbortSignal;
  }): Promise<
    ReadonlyMap<string, { readonly values: readonly OnlineValue[]; readonly statuses: readonly FeatureStatus[] }>
  >;
  /** What the offline join gives rows that were answered: implements the port `OfflineFeatures` of `monitoring`. */
  recompute(request: RecomputeRequest): Promise<ReadonlyMap<string, RecomputedFeature>>;
  /** What a service asks of its callers: implements the same port. @throws FEATURES_NAME_UNKNOWN */
  describeService(service: string): Promise<ServiceDescription>;
  /** A row of join keys that the online store knows, and when its values are fresh; undefined when it is empty. */
  exampleKeys(
    service: string,
  ): Promise<{ readonly keys: Readonly<Record<string, string>>; readonly atMs: number } | undefined>;
  /** Which source row gave a cell of a training set. @throws FEATURES_CELL_UNKNOWN */
  explain(cell: {
    readonly versionId: string;
    readonly row: number;
    readonly column: string;
  }): Promise<CellExplanation>;
}

/** Opens nothing: definitions are read, and DuckDB is loaded, on first use. */
export function createFeatures(options: FeaturesOptions): Features {
  const { store, project, clock } = options;
  const pushes = createFeaturePushes(options);
  const underWay = new Set<string>();
  let known: Promise<FeatureDefinitions> | undefined;
  let plans = new Map<string, readonly JoinedView[]>();
  let running: Promise<readonly Materialization[]> | undefined;
  let again = false;

  async function load(): Promise<FeatureDefinitions> {
    const { definitions, problems } = await readProjectFeatures(options.projectFolder);
    if (problems.length > 0)
      throw definitionsInvalid({
        problems: problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`),
      });
    plans = new Map();
    return definitions;
  }
  function reload(): Promise<FeatureDefinitions> {
    known = load();
    known.catch(() => (known = undefined));
    return known;
  }
  const definitions = (): Promise<FeatureDefinitions> => known ?? reload();

  function catchUp(): Promise<readonly Materialization[]> {
    if (running !== undefined) {
      again = true;
      return running;
    }
    running = (async () => {
      const done: Materialization[] = [];
      do {
        again = false;
        done.push(...(await materializeAll(options, (await definitions()).views.values())));
      } while (again);
      return done;
    })().finally(() => (running = undefined));
    return running;
  }

  /** What follows the sources is let end first: it may be reading the same rows. */
  async function materializeNow(views: readonly FeatureView[]): Promise<void> {
    await running?.catch(() => {});
    for (const view of views) await materialize(options, view);
  }

  async function readOnline(request: OnlineRequest): Promise<OnlineFeatureRows> {
    const found = await definitions();
    const key = JSON.stringify([request.features, request.fullNames ?? null]);
    const joined = plans.get(key) ?? planOnlineRead(found, request.features, request.fullNames);
    // Plans are few: one per service and per list of features that a client uses.
    if (plans.size < 1_000) plans.set(key, joined);
    return readOnlineFeatures(store, {
      project,
      joined,
      isPushed: (view) => found.views.get(view)?.push !== undefined,
      entities: request.entities,
      atMs: request.atMs ?? clock.now(),
    });
  }

  return {
    definitions,
    reload,
    viewStatus: async () => listViewStatus(store, project, (await definitions()).views.values()),
    catchUp,
    watch() {
      const run = (): void =>
        void catchUp().catch((error: unknown) =>
          options.log.error("feature views could not be materialized", { error: String(error) }),
        );
      let timer: NodeJS.Timeout | undefined;
      run();
      // A busy store changes hundreds of times a second; new dataset versions are rarer than that.
      const end = store.onChange(() => {
        timer ??= setTimeout(() => {
          timer = undefined;
          run();
        }, WATCH_EVERY_MS).unref();
      });
      return async () => {
        end();
        clearTimeout(timer);
        await running?.catch(() => {});
      };
    },
    readOnline,
    handleGetOnlineFeatures: (body) => answerGetOnlineFeatures(body, readOnline),
    handlePush: (route, body, ports) =>
      answerPush(route, body, async (push) => pushes.push(await definitions(), push, ports)),
    handleMaterialize: (route, request) =>
      answerMaterialize(route, request, {
        definitions,
        materialize: materializeNow,
        underWay,
        failed: (error) => options.log.error("feature views could not be materialized", { error: String(error) }),
      }),
    async read({ service, rows, atMs }) {
      const names = new Set(rows.flatMap((row) => Object.keys(row)));
      const entities = Object.fromEntries([...names].map((name) => [name, rows.map((row) => row[name] ?? null)]));
      const found = await readOnline({ features: service, entities, ...(atMs === undefined ? {} : { atMs }) });
      return new Map(found.columns.map(({ name, values, statuses }) => [name, { values, statuses }]));
    },
    recompute: async (request) => recomputeOffline(options, await definitions(), request),
    describeService: async (service) => describeService(await definitions(), service),
    exampleKeys: async (service) =>
      findExampleKeys(store, { project, joined: planOnlineRead(await definitions(), service) }),
    explain: (cell) => explainCell(options, cell),
  };
}

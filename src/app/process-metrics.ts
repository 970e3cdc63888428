import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metrics, Reading } from "#base";
import { listEvents, type MetadataStore } from "#metadata-store";

const NANOSECONDS = 1e9;
const QUANTILES = [0.5, 0.9, 0.99] as const;
const EVENTS_PER_PAGE = 1000;
/** Of one reading; what is left is counted with the next. */
const LARGEST_PAGES = 20;

/** What the process itself costs, and how late its event loop is. Returns a function that stops the watching. */
export function measureProcess(metrics: Metrics, roles: readonly string[]): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const startSeconds = Date.now() / 1000 - process.uptime();
  const one = (value: number): readonly Reading[] => [{ labels: {}, value }];
  metrics.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", () =>
    one(startSeconds),
  );
  metrics.gauge("esteira_server_role", "1 for each role that the process has.", () =>
    roles.map((role) => ({ labels: { role }, value: 1 })),
  );
  metrics.gauge("process_resident_memory_bytes", "Memory that the process holds.", () =>
    one(process.memoryUsage.rss()),
  );
  metrics.gauge("nodejs_heap_used_bytes", "Memory that JavaScript uses.", () => one(process.memoryUsage().heapUsed));
  metrics.gauge(
    "process_cpu_seconds_total",
    "Processor time, of user and system.",
    () => {
      const { user, system } = process.cpuUsage();
      return one((user + system) / 1e6);
    },
    "counter",
  );
  metrics.gauge(
    "nodejs_eventloop_delay_seconds",
    "How late the event loop was since the metrics were last read.",
    () => {
      const readings = QUANTILES.map((quantile) => ({
        labels: { quantile: String(quantile) },
        value: delay.percentile(quantile * 100) / NANOSECONDS,
      }));
      const all = [...readings, { labels: { quantile: "1" }, value: delay.max / NANOSECONDS }];
      delay.reset();
      return all;
    },
    "summary",
  );
  return () => delay.disable();
}

/**
 * Counts step runs by how they ended, or that they began, from the event log: of every engine on the store, since this
 * process started.
 */
export function measureStepRuns(
  metrics: Metrics,
  { store, project }: { readonly store: MetadataStore; readonly project: string },
): void {
  const counts = new Map<string, number>();
  let last = store.read(
    async (transaction) => (await listEvents(transaction, { newestFirst: true, limit: 1 }))[0]?.sequence ?? 0,
  );
  last.catch(() => undefined);
  const count = async (): Promise<void> => {
    for (let pages = 0; pages < LARGEST_PAGES; pages++) {
      const after = await last;
      const events = await store.read((transaction) =>
        listEvents(transaction, { after, project, subjectKind: "step_run", limit: EVENTS_PER_PAGE }),
      );
      for (const { type } of events) {
        const status = type.replace(/^step_run\./, "");
        counts.set(status, (counts.get(status) ?? 0) + 1);
      }
      last = Promise.resolve(events.at(-1)?.sequence ?? after);
      if (events.length < EVENTS_PER_PAGE) return;
    }
  };
  // Two who read at once must not count the same events.
  let counting: Promise<void> | undefined;
  const read = async (): Promise<readonly Reading[]> => {
    counting ??= count().finally(() => (counting = undefined));
    await counting;
    return [...counts].map(([status, value]) => ({ labels: { status }, value }));
  };
  metrics.gauge(
    "esteira_step_runs_total",
    "Step runs since this process started, by what became of them.",
    read,
    "counter",
  );
}

/** The store, with its failures counted. */
export function countStoreErrors(store: MetadataStore, metrics: Metrics): MetadataStore {
  const errors = metrics.counter(
    "esteira_metadata_store_errors_total",
    "Reads and writes of the metadata store that failed by its own fault.",
  );
  const counted = async <Result>(operation: string, work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      if (String((error as { code?: unknown }).code).startsWith("METADATA_STORE_")) errors.add({ operation });
      throw error;
    }
  };
  return {
    ...store,
    read: (work) => counted("read", store.read(work)),
    readLong: (work) => counted("read", store.readLong(work)),
    write: (work) => counted("write", store.write(work)),
  };
}

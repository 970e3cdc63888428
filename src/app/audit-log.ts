import type { Clock, Log } from "#base";
import type { ProjectConfig, Settings } from "#config";
import type { AuditLog } from "#governance";
import type { MetadataStore } from "#metadata-store";
import { createKeepers, type SendCheckpoint } from "./checkpoint-keepers.ts";

const GATHER_MS = 500;

/** A store whose changes are taken into the event log after they were committed. */
export interface FollowedStore {
  readonly store: MetadataStore;
  /** Takes what earlier processes left. */
  start(): void;
  /** The log itself, loaded with the first call. */
  readonly log: () => Promise<AuditLog>;
  /** Takes and signs what was written through this process. */
  close(): Promise<void>;
}

/** Nobody who writes waits for the log; a process that writes nothing does not load it. */
export function followStore(
  store: MetadataStore,
  facts: {
    readonly config: ProjectConfig;
    readonly settings: Settings;
    readonly clock: Clock;
    readonly log: Log;
    readonly send: SendCheckpoint;
  },
): FollowedStore {
  let loading: Promise<AuditLog> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let hasWritten = false;
  const load = (): Promise<AuditLog> => (loading ??= loadLog(store, facts));
  const wake = (): void => {
    hasWritten = true;
    timer ??= setTimeout(() => {
      timer = undefined;
      void load().then((log) => log.wake());
    }, GATHER_MS).unref();
  };
  const watch =
    (write: MetadataStore["write"]): MetadataStore["write"] =>
    async (work) => {
      const result = await write(work);
      wake();
      return result;
    };
  return {
    store: { ...store, write: watch(store.write), urgent: { ...store.urgent, write: watch(store.urgent.write) } },
    start: wake,
    log: load,
    async close() {
      clearTimeout(timer);
      if (hasWritten || loading !== undefined) await (await load()).close();
    },
  };
}

async function loadLog(
  store: MetadataStore,
  { config, settings, clock, log, send }: Parameters<typeof followStore>[1],
): Promise<AuditLog> {
  const { createAuditLog } = await import("#governance");
  return createAuditLog({
    store,
    storeFolder: config.storeFolder,
    keyFile: config.audit.key,
    origin: `esteira/${config.name}`,
    clock,
    log,
    keepers: createKeepers(config, settings, send),
  });
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createAccess } from "#access";
import { SERVER_ROLES, type ServerRole } from "#api";
import { type Clock, createMetrics, type Log, messageOf, systemClock } from "#base";
import type { Files } from "#storage";
import type { ProjectConfig, Settings } from "#config";
import { openMetadataStore } from "#metadata-store";
import { createOutbox, type SecretBox } from "#outbox";
import { createRegistryCalls, createWebhookSender, sealWebhookSecrets, type WebhookSender } from "#registry";
import {
  type ArtifactFolder,
  createArtifactFolder,
  createArtifactCalls,
  createAttemptScope,
  createTracking,
  createTrackingCalls,
  type MlflowCall,
} from "#tracking";
import { followStore } from "./audit-log.ts";
import { keepRetention } from "./collect-garbage.ts";
import { keepMoving } from "./keep-moving.ts";
import { keepScrubbed } from "./keep-scrubbed.ts";
import type { OwnedPlatform } from "./create-platform.ts";
import { checkProject, checkStore, type HealthCheck } from "./health.ts";
import type { Platform, StorePlatform } from "./platform.ts";
import { openStorage } from "./open-storage.ts";
import { openSecretBox } from "./secret-keys.ts";
import type { TaskTokens } from "./task-tokens.ts";
import { openPrivateStore } from "./private-store.ts";
import { countStoreErrors, measureProcess, measureStepRuns } from "./process-metrics.ts";
import { promotionCheck } from "./promotion-check.ts";

/** Where artifacts of MLflow runs go by default: through this server. */
const PROXIED_ROOT = "mlflow-artifacts:/";

export interface ArtifactPlaces {
  /**
   * Root of the artifact locations of new experiments, with its folder where it is one of this machine. Default:
   * `mlflow-artifacts:/`.
   */
  readonly root?: { readonly uri: string; readonly folder?: string | undefined } | undefined;
  /** Folder that `mlflow-artifacts:/` stands for; default `artifacts/` in the store. */
  readonly destination?: string | undefined;
}

export interface PlatformOptions {
  readonly config: ProjectConfig;
  /** False for a bare store: tracking and registry only. */
  readonly isProject: boolean;
  readonly artifacts?: ArtifactPlaces | undefined;
  /** What a server of it does; default everything. */
  readonly roles?: readonly ServerRole[] | undefined;
  readonly settings: Settings;
  readonly log: Log;
  readonly clock?: Clock;
  /** Starts an HTTP server on a free loopback port and answers its URL: for steps, when no server listens yet. */
  readonly startServer?: (platform: StorePlatform) => Promise<{ readonly url: string; close(): Promise<void> }>;
}

/**
 * Opens the stores of one process and builds what a bare store needs; the rest is loaded with the first call of
 * `whole()`.
 *
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_TOO_NEW
 */
export async function openStorePlatform(options: PlatformOptions): Promise<StorePlatform> {
  const { config, settings, log, isProject, clock = systemClock, roles = SERVER_ROLES } = options;
  const metrics = createMetrics();
  await openPrivateStore(config.storeFolder, log);
  const opened = countStoreErrors(await openMetadataStore(config.metadataAddress), metrics);
  const audit = followStore(opened, {
    config,
    settings,
    clock,
    log,
    send: (message, dress) => outbox.send(message, dress),
  });
  const { store } = audit;
  const { loopback } = config.access;
  const artifactRoot = options.artifacts?.root?.uri ?? PROXIED_ROOT;
  const storage = await openStorage(config, settings);
  const artifacts = openArtifacts(options.artifacts, config, storage.artifactFiles);
  const outbox = createOutbox({ store, clock, log, ...sendingOf(config, roles) });
  const secrets = openSecretBox(config, settings);
  const webhooks = createWebhookSender({ store, clock, outbox, secrets });
  let taskTokens: Promise<TaskTokens> | undefined;
  const tokensOfTasks = (): Promise<TaskTokens> =>
    (taskTokens ??= import("./task-tokens.ts").then((module) => module.createTaskTokens(store, config, settings)));
  const address = createAddress(() => options.startServer?.(platform));
  let building: Promise<OwnedPlatform> | undefined;
  let starting: Promise<void> | undefined;
  let isStarted = false;
  const build = (): Promise<OwnedPlatform> =>
    (building ??= import("./create-platform.ts")
      .then(({ createPlatform }) => createPlatform(platform, settings))
      .catch((error: unknown) => {
        building = undefined;
        throw error;
      }));
  const startWhole = async (): Promise<void> => (starting ??= (await build()).start());

  let endMeasuring: (() => void) | undefined;
  let endTrimming: (() => void) | undefined;
  let endUpkeep: (() => Promise<void>) | undefined;
  const checkWhole = async (): Promise<readonly HealthCheck[]> => {
    if (!isProject) return [];
    const name = roles.includes("engine") ? "engine" : "project";
    if (!isStarted || building === undefined) return [{ name, problem: "the project is not started yet" }];
    const failed = await problemOfStart(startWhole());
    return failed === undefined ? checkProject(await platform.whole()) : [{ name, problem: failed }];
  };

  const platform: StorePlatform = {
    metrics,
    health: async () => [await checkStore(store), ...(await checkWhole())],
    config,
    project: config.name,
    isProject,
    roles,
    version: readVersion(),
    clock,
    log,
    store,
    objects: storage.objects,
    tableFiles: storage.tableFiles,
    access: createAccess({
      store,
      clock,
      localUser: settings.user,
      loopbackRole: loopback === "none" ? undefined : loopback,
      openTaskToken: async (sealed) => (await tokensOfTasks()).open(sealed),
    }),
    tracking: createTracking({ store, clock, artifactRoot }),
    attemptScope: createAttemptScope({ store, artifacts }),
    outbox,
    artifacts,
    artifactRoot,
    auditLog: audit.log,
    mlflowCalls: () => createMlflowCalls(platform, { webhooks }),
    setUrl: address.set,
    url: address.url,
    async whole() {
      const { platform: whole } = await build();
      // A bare store starts what nobody asked for until now; a project is started by start() alone, which tells what is
      // wrong with it.
      if (isStarted && !isProject) await startWhole();
      return whole;
    },
    async check() {
      if (isProject) await (await build()).check();
    },
    async start() {
      isStarted = true;
      endMeasuring ??= measureProcess(metrics, roles);
      endTrimming ??= storage.keepCacheSmall(clock, log);
      if (roles.includes("engine")) endUpkeep ??= keepUp(platform);
      measureStepRuns(metrics, { store, project: config.name });
      await sealClearText(store, secrets, log);
      outbox.wake();
      audit.start();
      if (isProject || building !== undefined) await startWhole();
    },
    async close() {
      const whole = await building?.catch(() => undefined);
      await starting?.catch(() => undefined);
      await whole?.stop();
      endMeasuring?.();
      endTrimming?.();
      await endUpkeep?.();
      await address.close();
      await outbox.close();
      await whole?.close();
      await audit.close();
      await store.close();
    },
  };
  return platform;
}

/**
 * Builds the whole platform of one process from its configuration.
 *
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_TOO_NEW
 */
export async function openPlatform(options: PlatformOptions): Promise<Platform> {
  return (await openStorePlatform(options)).whole();
}

/** Clients write to a folder root with their own rights, so what this server writes there follows the umask too. */
function openArtifacts(
  places: ArtifactPlaces | undefined,
  { storeFolder, bucket }: ProjectConfig,
  files: Files,
): ArtifactFolder {
  const folder = places?.root?.folder;
  const direct = folder === undefined ? [] : [createArtifactFolder({ root: folder, isShared: true })];
  if (bucket !== undefined && places?.destination === undefined) return createArtifactFolder({ files, direct });
  return createArtifactFolder({ root: places?.destination ?? join(storeFolder, "artifacts"), direct });
}

function createMlflowCalls(
  {
    store,
    clock,
    log,
    project,
    config,
    artifacts,
    artifactRoot,
  }: Pick<StorePlatform, "store" | "clock" | "log" | "project" | "config" | "artifacts" | "artifactRoot">,
  facts: { readonly webhooks: WebhookSender },
): readonly MlflowCall[] {
  return [
    ...createTrackingCalls({ store, clock, artifactRoot, project }),
    ...createArtifactCalls({ store, artifacts }),
    ...createRegistryCalls({
      store,
      clock,
      log,
      project,
      artifactRoot,
      artifacts,
      promotion: promotionCheck,
      protectedAliases: config.models.protected_aliases,
      webhooks: facts.webhooks,
    }),
  ];
}

/** Secrets of routes and webhooks are with those who run pipelines or are asked to. */
function sendingOf(
  { outbox }: ProjectConfig,
  roles: readonly ServerRole[],
): Pick<Parameters<typeof createOutbox>[0], "privateNetworks" | "isQuiet"> {
  const isQuiet = !roles.includes("api") && !roles.includes("engine");
  return { privateNetworks: outbox.private_networks, isQuiet };
}

/** Why a project that is being started does not work yet; undefined when it does. */
function problemOfStart(starting: Promise<void>): Promise<string | undefined> {
  return Promise.race([
    starting.then(
      () => undefined,
      (error: unknown) => messageOf(error),
    ),
    new Promise<string>((resolve) => setImmediate(() => resolve("the project is being started"))),
  ]);
}

/** What keeps the store whole and small while the platform runs. */
function keepUp(platform: StorePlatform): () => Promise<void> {
  const ends = [...(platform.isProject ? [keepRetention(platform), keepMoving(platform)] : []), keepScrubbed(platform)];
  return async () => {
    await Promise.all(ends.map((end) => end()));
  };
}

/** What earlier versions wrote so: with the start of a server, not with every command. */
async function sealClearText(store: StorePlatform["store"], secrets: SecretBox, log: Log): Promise<void> {
  await sealWebhookSecrets(store, secrets).catch((error: unknown) =>
    log.warn("secrets could not be sealed", { error: messageOf(error) }),
  );
}

/** Where this process's server listens; starts one when somebody asks and none does. */
function createAddress(start: () => Promise<{ readonly url: string; close(): Promise<void> }> | undefined): {
  readonly url: () => Promise<string>;
  readonly set: (url: string) => void;
  close(): Promise<void>;
} {
  let known: Promise<string> | undefined;
  let own: Promise<{ readonly url: string; close(): Promise<void> }> | undefined;
  return {
    set(url) {
      known = Promise.resolve(url);
    },
    url() {
      if (known !== undefined) return known;
      own ??= start();
      if (own === undefined)
        return Promise.reject(new Error("this process has no HTTP server, and nothing that could start one"));
      known = own.then(({ url }) => url);
      return known;
    },
    async close() {
      await (await own)?.close();
    },
  };
}

/** Version of esteira. */
export function readVersion(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string })
    .version;
}

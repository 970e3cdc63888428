import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import Fastify, { type FastifyInstance } from "fastify";
import { type Log, silentLog, systemClock } from "#base";
import type { Identity } from "#access";
import type { StoreKind } from "#metadata-store";
import { createRegistryCalls, createWebhookSender, type RegistryCallsOptions } from "#registry";
import { createOutbox } from "#outbox";
import { createArtifactFolder, createArtifactCalls, createTrackingCalls } from "#tracking";
import { mountMlflow } from "../../src/server/mlflow/mlflow-mounts.ts";
import { replyWithErrors } from "../../src/server/security/error-reply.ts";
import { openTestStore, type TestStore } from "./stores.ts";
import { testSecrets } from "./secrets.ts";

export interface TestMlflowServer extends TestStore {
  readonly server: FastifyInstance;
  /** Base URL, when it listens. */
  readonly url: string;
  readonly artifactFolder: string;
}

/**
 * MLflow's calls on an empty store, closed after the current suite. `localWebhooks`: webhooks may reach this machine,
 * where tests listen.
 */
export async function openMlflowServer(
  kind: StoreKind,
  options: {
    readonly listen?: boolean;
    readonly localWebhooks?: boolean;
    readonly log?: Log;
    readonly registry?: Partial<RegistryCallsOptions>;
    readonly caller?: Identity;
  } = {},
): Promise<TestMlflowServer> {
  const { log = silentLog } = options;
  const testStore = await openTestStore(kind);
  const { store, folder } = testStore;
  const artifactFolder = join(folder, "artifacts");
  await mkdir(artifactFolder);
  const artifacts = createArtifactFolder({ root: artifactFolder });
  const isLocal = options.localWebhooks === true;
  const outbox = createOutbox({
    store,
    clock: systemClock,
    log,
    privateNetworks: isLocal ? ["127.0.0.0/8", "::1"] : [],
  });
  const webhooks = createWebhookSender({
    store,
    clock: systemClock,
    outbox,
    secrets: testSecrets,
    ...(isLocal ? { schemes: ["http", "https"] } : {}),
  });
  after(() => outbox.close());
  const calls = [
    ...createTrackingCalls({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" }),
    ...createArtifactCalls({ store, artifacts }),
    ...createRegistryCalls({ store, clock: systemClock, log, artifacts, webhooks, ...options.registry }),
  ];
  const server = Fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 2000 } });
  const identity: Identity = options.caller ?? {
    name: "tester",
    kind: "local",
    roles: [{ project: "*", role: "admin" }],
  };
  replyWithErrors(server, log);
  mountMlflow(server, { calls, log }, { project: "default", identify: async () => identity });
  const url = options.listen === true ? await server.listen({ port: 0, host: "127.0.0.1" }) : "";
  if (options.listen !== true) await server.ready();
  after(() => server.close());
  return { ...testStore, server, url, artifactFolder };
}

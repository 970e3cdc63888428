/**
 * A server of MLflow's calls as a process of its own: `node serve-mlflow.ts <metadata address> <artifact folder>
 * [port]`. Says its URL on stdout.
 */
import Fastify from "fastify";
import { silentLog, systemClock } from "#base";
import { openMetadataStore } from "#metadata-store";
import { createRegistryRoutes, createWebhookSender } from "#models";
import { createArtifactFolder, createArtifactRoutes, createTrackingRoutes } from "#tracking";
import { createMlflowPlugin } from "../../src/server/mlflow/mlflow-plugin.ts";

const [address = "", folder = "", port = "0"] = process.argv.slice(2);
const store = await openMetadataStore(address);
const artifacts = createArtifactFolder({ root: folder });
const webhooks = createWebhookSender({ store, clock: systemClock, log: silentLog });
const log = { ...silentLog, error: (message: string, facts?: object): void => console.error(message, facts) };
const routes = [
  ...createTrackingRoutes({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" }),
  ...createArtifactRoutes({ store, artifacts }),
  ...createRegistryRoutes({ store, clock: systemClock, log, artifacts, webhooks }),
];
const server = Fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 2000 } });
await server.register(async (scope) =>
  createMlflowPlugin({ routes, identify: () => ({ name: "tester", user: "tester", assertMay: () => undefined }), log })(
    scope,
  ),
);
console.log(await server.listen({ port: Number(port), host: "127.0.0.1" }));
process.on(
  "SIGTERM",
  () =>
    void server
      .close()
      .then(() => store.close())
      .then(() => process.exit(0)),
);

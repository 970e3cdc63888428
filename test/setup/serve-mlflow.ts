/**
 * A server of MLflow's calls as a process of its own: `node serve-mlflow.ts <metadata address> <artifact folder>
 * [port]`. Says its URL on stdout.
 */
import Fastify from "fastify";
import { silentLog, systemClock } from "#base";
import { openMetadataStore } from "#metadata-store";
import { createRegistryCalls, createWebhookSender } from "#registry";
import { createOutbox } from "#outbox";
import { createArtifactFolder, createArtifactCalls, createTrackingCalls } from "#tracking";
import type { Identity } from "#access";
import { mountMlflow } from "../../src/server/mlflow/mlflow-mounts.ts";
import { replyWithErrors } from "../../src/server/security/error-reply.ts";
import { testSecrets } from "./secrets.ts";

const [address = "", folder = "", port = "0"] = process.argv.slice(2);
const store = await openMetadataStore(address);
const artifacts = createArtifactFolder({ root: folder });
const webhooks = createWebhookSender({
  store,
  clock: systemClock,
  secrets: testSecrets,
  outbox: createOutbox({ store, clock: systemClock, log: silentLog }),
});
const log = { ...silentLog, error: (message: string, facts?: object): void => console.error(message, facts) };
const calls = [
  ...createTrackingCalls({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" }),
  ...createArtifactCalls({ store, artifacts }),
  ...createRegistryCalls({ store, clock: systemClock, log, artifacts, webhooks }),
];
const server = Fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 2000 } });
const tester: Identity = { name: "tester", kind: "local", roles: [{ project: "*", role: "admin" }] };
replyWithErrors(server, log);
mountMlflow(server, { calls, log }, { project: "default", identify: async () => tester });
console.log(await server.listen({ port: Number(port), host: "127.0.0.1" }));
process.on(
  "SIGTERM",
  () =>
    void server
      .close()
      .then(() => store.close())
      .then(() => process.exit(0)),
);

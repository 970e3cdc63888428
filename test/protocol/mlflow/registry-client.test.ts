import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { MLFLOW_CLIENTS, mlflowPython, runPython } from "../../setup/mlflow-client.ts";
import { openMlflowServer } from "../../setup/mlflow-server.ts";
import { storeKinds } from "../../setup/stores.ts";
import { openWebhookTarget } from "../../setup/webhook-target.ts";

const script = await readFile(new URL("client/registry.py", import.meta.url), "utf8");
const servers = await Promise.all(
  storeKinds.map(async (kind) => ({
    kind,
    server: await openMlflowServer(kind, { listen: true, localWebhooks: true }),
    target: await openWebhookTarget(),
  })),
);

for (const { kind, server, target } of servers) {
  describe(`the registry, driven by MLflow's client (${kind})`, () => {
    // The old client speaks to the same code on both databases: once is enough.
    for (const version of kind === storeKinds[0] ? MLFLOW_CLIENTS : MLFLOW_CLIENTS.slice(0, 1)) {
      it(`registers, searches, tags, aliases, stages, loads and deletes models with client ${version}`, async () => {
        assert.match(
          await runPython(await mlflowPython(version), script, { arguments: [server.url, target.url] }),
          /ok$/,
        );
      });
    }

    it("signed the deliveries that MLflow's client asked for", async () => {
      await target.waitFor(2);
      const [test, delivery] = target.received;
      assert.deepEqual(JSON.parse(test?.body ?? "{}"), {
        ...(JSON.parse(test?.body ?? "{}") as object),
        entity: "model_version",
        action: "created",
      });
      const { headers, body } = delivery ?? { headers: {}, body: "" };
      const signed = `${String(headers["x-mlflow-delivery-id"])}.${String(headers["x-mlflow-timestamp"])}.${body}`;
      assert.equal(headers["x-mlflow-signature"], `v1,${createHmac("sha256", "shh").update(signed).digest("base64")}`);
      assert.equal((JSON.parse(body) as { data: { version: string } }).data.version, "4");
    });
  });
}

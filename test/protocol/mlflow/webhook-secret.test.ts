import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import type { Log } from "#base";
import { listEvents } from "#metadata-store";
import { openMlflowServer } from "../../setup/mlflow-server.ts";
import { storeKinds } from "../../setup/stores.ts";
import { openWebhookTarget } from "../../setup/webhook-target.ts";

const FIRST = "hush-4711-first";
const SECOND = "hush-4711-second";
/** Sent where a string is expected; its digits must not come back either. */
const NUMBER = 947_114_711;
const EVENTS = [{ entity: "REGISTERED_MODEL", action: "CREATED" }];

for (const kind of storeKinds) {
  describe(`the secret of a webhook (${kind})`, () => {
    it("signs what is sent, and is in no answer, event, log line or delivery", async () => {
      const said: string[] = [];
      const note = (message: string, facts?: object): void =>
        void said.push(`log: ${message} ${JSON.stringify(facts)}`);
      const log: Log = { debug: note, info: note, warn: note, error: note };
      const { server, store } = await openMlflowServer(kind, { localWebhooks: true, log });
      // 401 ends a delivery at once, which is logged.
      const target = await openWebhookTarget(() => 401);
      const call = async (
        method: "GET" | "POST" | "PATCH" | "DELETE",
        path: string,
        payload?: object | string,
      ): Promise<{ status: number; json: { webhook: { webhook_id: string } } }> => {
        const body =
          payload === undefined
            ? {}
            : {
                payload: typeof payload === "string" ? payload : JSON.stringify(payload),
                headers: { "content-type": "application/json" },
              };
        const answer = await server.inject({ method, url: `/api/2.0/mlflow/${path}`, ...body });
        said.push(`${method} ${path}: ${answer.body} ${JSON.stringify(answer.headers)}`);
        return { status: answer.statusCode, json: JSON.parse(answer.body) as { webhook: { webhook_id: string } } };
      };

      const hook = { name: "hook", url: target.url, events: EVENTS };
      for (const secret of [NUMBER, [FIRST], { FIRST }, true])
        assert.equal((await call("POST", "webhooks", { ...hook, secret })).status, 400);
      assert.equal((await call("POST", "webhooks", `{"name":"hook","secret":"${FIRST}"}}`)).status, 400);
      assert.equal((await call("POST", "webhooks", `{"secret":${FIRST}}`)).status, 400);
      const { webhook_id: id } = (await call("POST", "webhooks", { ...hook, secret: FIRST })).json.webhook;
      assert.equal((await call("PATCH", `webhooks/${id}`, { secret: NUMBER })).status, 400);
      assert.equal((await call("PATCH", `webhooks/${id}`, { secret: SECOND, description: "d" })).status, 200);
      await call("GET", `webhooks/${id}`);
      await call("GET", "webhooks");
      await call("POST", `webhooks/${id}/test`, {});
      await call("POST", "registered-models/create", { name: "told" });
      await target.waitFor(2);
      while (!said.some((line) => line.includes("a message could not be delivered")))
        await new Promise((resolve) => setTimeout(resolve, 20));
      for (const { headers, body } of target.received) {
        const timestamp = String(headers["x-mlflow-timestamp"]);
        const signed = createHmac("sha256", SECOND)
          .update(`${String(headers["x-mlflow-delivery-id"])}.${timestamp}.${body}`)
          .digest("base64");
        assert.equal(headers["x-mlflow-signature"], `v1,${signed}`);
        said.push(`delivery: ${JSON.stringify(headers)} ${body}`);
      }
      await call("DELETE", `webhooks/${id}`);
      const events = await store.read((transaction) => listEvents(transaction, {}));
      assert.deepEqual(
        events.filter(({ subjectKind }) => subjectKind === "webhook").map(({ type }) => type),
        ["webhook.created", "webhook.updated", "webhook.deleted"],
      );
      said.push(...events.map((event) => `event: ${JSON.stringify(event)}`));

      assert.deepEqual(
        said.filter((line) => /hush|4711/.test(line)),
        [],
      );
    });
  });
}

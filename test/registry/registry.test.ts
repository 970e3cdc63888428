import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { silentLog, systemClock } from "#base";
import { listEvents } from "#metadata-store";
import {
  createModelVersion,
  createRegisteredModel,
  createWebhook,
  getModelVersionByAlias,
  getRegisteredModel,
  type Position,
  searchModelVersions,
  searchRegisteredModels,
  setModelVersionTag,
  setRegisteredModelAlias,
} from "#metadata-store/registry";
import { createOutbox } from "#outbox";
import { createWebhookSender, type Promotion } from "#registry";
import { openMlflowServer } from "../setup/mlflow-server.ts";
import { openTestStore, storeKinds } from "../setup/stores.ts";
import { openWebhookTarget } from "../setup/webhook-target.ts";
import { testSecrets } from "../setup/secrets.ts";

const who = { project: "p", actor: "ana", atMs: 1000 };
const asked: Promotion[] = [];
const stores = await Promise.all(
  storeKinds.map(async (kind) => ({
    kind,
    opened: await openTestStore(kind),
    server: await openMlflowServer(kind, {
      registry: {
        promotion: {
          protects: () => Promise.resolve(false),
          async refuse(_transaction, promotion) {
            asked.push(promotion);
            return promotion.version?.version === 2
              ? undefined
              : { reason: "it has no approval.", hint: "Approve it: esteira approve model m:1 --for production" };
          },
        },
      },
    }),
    target: await openWebhookTarget((received) => (received.length === 1 ? 503 : 200)),
  })),
);

for (const { kind, opened, server, target } of stores) {
  describe(`registered models in the metadata store (${kind})`, () => {
    const { store } = opened;

    it("give numbers without gaps or repeats to versions made at once", async () => {
      await store.write((transaction) => createRegisteredModel(transaction, { ...who, name: "busy" }));
      const made = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          store.write((transaction) =>
            createModelVersion(transaction, {
              ...who,
              name: "busy",
              source: `mlflow-artifacts:/${index}`,
              tags: [{ key: "i", value: String(index) }],
            }),
          ),
        ),
      );
      assert.deepEqual(
        made.map(({ version }) => version).sort((left, right) => left - right),
        Array.from({ length: 40 }, (_, index) => index + 1),
      );
    });

    it("compose into one change that is kept or lost as a whole, with its events", async () => {
      const publish = (fails: boolean): Promise<void> =>
        store.write(async (transaction) => {
          await createRegisteredModel(transaction, { ...who, name: "whole", whenExists: "keep" });
          const { version } = await createModelVersion(transaction, {
            ...who,
            name: "whole",
            source: "mlflow-artifacts:/x",
            assetVersionId: "01A",
          });
          await setModelVersionTag(transaction, {
            ...who,
            name: "whole",
            version,
            key: "esteira.digest",
            value: "sha256:0",
          });
          await setRegisteredModelAlias(transaction, { ...who, name: "whole", alias: "champion", version });
          if (fails) throw new Error("the step's lease was lost");
        });
      await assert.rejects(publish(true), /lease/);
      await assert.rejects(
        store.read((transaction) => getRegisteredModel(transaction, "whole")),
        { code: "METADATA_STORE_REGISTERED_MODEL_MISSING" },
      );
      await publish(false);
      await publish(false);
      const { version, tags } = await store.read((transaction) =>
        getModelVersionByAlias(transaction, { name: "whole", alias: "champion" }),
      );
      assert.deepEqual([version, tags], [2, [{ key: "esteira.digest", value: "sha256:0" }]]);
      const events = await store.read((transaction) =>
        listEvents(transaction, { subjectKind: "registered_model", subject: "whole" }),
      );
      const round = ["model_version.created", "model_version.tag_set", "model_alias.set"];
      assert.deepEqual(
        events.map(({ type }) => type),
        ["registered_model.created", ...round, ...round],
      );
    });

    it("are found page by page, each once, in any order", async () => {
      for (const name of ["a", "B", "b_", "bx", "b%"])
        await store.write((transaction) =>
          createRegisteredModel(transaction, { ...who, name, atMs: name.length * 100 }),
        );
      const names = async (pattern: string, comparator: "LIKE" | "ILIKE"): Promise<readonly string[]> =>
        (
          await store.read((transaction) =>
            searchRegisteredModels(transaction, { conditions: [{ on: "name", comparator, value: pattern }] }),
          )
        ).models
          .map(({ name }) => name)
          .sort();
      assert.deepEqual(await names("b_", "LIKE"), ["b%", "b_", "bx"]);
      assert.deepEqual(await names("B%", "LIKE"), ["B"]);
      assert.deepEqual(await names("b%", "ILIKE"), ["B", "b%", "b_", "busy", "bx"]);
      for (const descending of [true, false]) {
        const seen: number[] = [];
        for (let after: Position | undefined; ;) {
          const { versions, next }: Awaited<ReturnType<typeof searchModelVersions>> = await store.read((transaction) =>
            searchModelVersions(transaction, {
              conditions: [{ on: "name", comparator: "=", value: "busy" }],
              orderBy: [{ by: "version", descending }],
              limit: 7,
              ...(after === undefined ? {} : { after }),
            }),
          );
          seen.push(...versions.map(({ version }) => version));
          if (next === undefined) break;
          after = next;
        }
        assert.deepEqual(
          seen,
          Array.from({ length: 40 }, (_, index) => (descending ? 40 - index : index + 1)),
        );
      }
    });
  });

  describe(`webhooks (${kind})`, () => {
    it("are sent for what was kept only, signed, and again after a 503", async () => {
      const { store } = opened;
      let nowMs = Date.now();
      const clock = { now: () => nowMs, monotonic: () => nowMs };
      const outbox = createOutbox({ store, clock, log: silentLog, privateNetworks: ["127.0.0.0/8"] });
      const sender = createWebhookSender({ store, clock, outbox, secrets: testSecrets });
      await store.write((transaction) =>
        createWebhook(transaction, {
          ...who,
          name: "w",
          url: target.url,
          events: [{ entity: "REGISTERED_MODEL", action: "CREATED" }],
          secret: "s",
        }),
      );
      await assert.rejects(
        store.write(async (transaction) => {
          await createRegisteredModel(transaction, { ...who, name: "lost" });
          throw new Error("rolled back");
        }),
      );
      await store.write((transaction) =>
        createRegisteredModel(transaction, {
          ...who,
          name: "hooked",
          tags: [{ key: "k", value: "v" }],
          description: "d",
          atMs: Date.UTC(2026, 0, 2),
        }),
      );
      sender.wake();
      await target.waitFor(1);
      // The second try comes due after the backoff; the clock is ours.
      while (target.received.length < 2) {
        nowMs += 1000;
        sender.wake();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await outbox.close();
      const [first, second] = target.received;
      assert.deepEqual(JSON.parse(first?.body ?? ""), {
        entity: "registered_model",
        action: "created",
        timestamp: "2026-01-02T00:00:00.000Z",
        data: { name: "hooked", tags: { k: "v" }, description: "d" },
      });
      assert.equal(first?.body, second?.body);
      assert.equal(first?.headers["x-mlflow-delivery-id"], second?.headers["x-mlflow-delivery-id"]);
      const timestamp = String(second?.headers["x-mlflow-timestamp"]);
      const signature = createHmac("sha256", "s")
        .update(`${String(second?.headers["x-mlflow-delivery-id"])}.${timestamp}.${second?.body}`)
        .digest("base64");
      assert.equal(second?.headers["x-mlflow-signature"], `v1,${signature}`);
    });

    it("reach no private address unless the operator allows it", async () => {
      const { store } = opened;
      const outbox = createOutbox({ store, clock: systemClock, log: silentLog });
      const sender = createWebhookSender({
        store,
        clock: systemClock,
        outbox,
        secrets: testSecrets,
        schemes: ["http"],
      });
      for (const url of [
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
      ]) {
        await assert.rejects(sender.assertTarget(url), { code: "MODELS_WEBHOOK_TARGET_REFUSED" }, url);
      }
      const { id } = await opened.store.write((transaction) =>
        createWebhook(transaction, {
          ...who,
          name: "inside",
          url: target.url,
          events: [{ entity: "MODEL_VERSION", action: "CREATED" }],
        }),
      );
      const before = target.received.length;
      const outcome = await sender.test(id);
      assert.ok("error" in outcome && /not a public address/.test(outcome.error), JSON.stringify(outcome));
      assert.equal(target.received.length, before);
      await outbox.close();
    });
  });

  describe(`protected aliases (${kind})`, () => {
    const call = async (
      method: "POST" | "DELETE",
      path: string,
      body: object,
    ): Promise<{ status: number; body: string }> => {
      const response = await server.server.inject({ method, url: `/api/2.0/mlflow/${path}`, payload: body });
      return { status: response.statusCode, body: response.body };
    };

    it("of models that a pipeline made move with approval only, and the refusal says how to get it", async () => {
      await server.store.write(async (transaction) => {
        await createRegisteredModel(transaction, { ...who, name: "made" });
        for (const assetVersionId of ["01A", "01B"])
          await createModelVersion(transaction, {
            ...who,
            name: "made",
            source: "mlflow-artifacts:/x",
            assetVersionId,
          });
      });
      const refused = await call("POST", "registered-models/alias", { name: "made", alias: "champion", version: "1" });
      assert.equal(refused.status, 403);
      assert.match(
        refused.body,
        /"error_code":"PERMISSION_DENIED".*'champion' of 'made' is protected.*esteira approve/,
      );
      assert.equal(
        (await call("POST", "registered-models/alias", { name: "made", alias: "mine", version: "1" })).status,
        200,
      );
      assert.equal(
        (await call("POST", "registered-models/alias", { name: "made", alias: "champion", version: "2" })).status,
        200,
      );
      assert.deepEqual(asked.at(-1)?.version?.version, 2);
      assert.equal(
        (await call("POST", "registered-models/alias", { name: "made", alias: "champion", version: "2" })).status,
        200,
        "it is there already",
      );
      for (const [path, body] of [
        ["registered-models/alias", { name: "made", alias: "champion" }],
        ["model-versions/delete", { name: "made", version: "2" }],
        ["registered-models/delete", { name: "made" }],
      ] as const) {
        assert.equal((await call("DELETE", path, body)).status, 403, path);
      }
      assert.equal((await call("DELETE", "model-versions/delete", { name: "made", version: "1" })).status, 200);
    });

    it("of models that plain MLflow clients made are theirs", async () => {
      await call("POST", "registered-models/create", { name: "plain" });
      await call("POST", "model-versions/create", { name: "plain", source: "mlflow-artifacts:/x" });
      assert.equal(
        (await call("POST", "registered-models/alias", { name: "plain", alias: "champion", version: "1" })).status,
        200,
      );
      assert.equal((await call("DELETE", "registered-models/delete", { name: "plain" })).status, 200);
    });
  });
}

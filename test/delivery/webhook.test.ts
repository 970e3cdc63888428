// Signed calls start the pipelines that name the webhook, each delivery once; without a secret there is no webhook.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { promisify } from "node:util";
import { isEsteiraError, systemClock } from "#base";
import { createWebhookHandler, LARGEST_WEBHOOK_BYTES, type PushRequest, type WebhookAnswer } from "#delivery";
import type { StoreKind } from "#metadata-store";
import { getPipelineRun, listPipelineRuns, readLog } from "#engine";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { startServer } from "../setup/started-server.ts";
import { describeStores, temporaryFolder } from "../setup/stores.ts";

const SECRET = "webhook s3cret";
const PIPELINE = `on: { webhook: restock }\nsteps:\n  note: { run: [echo, "shop \${{ trigger.body.shop.name }}, delivery \${{ trigger.delivery }}"] }\n`;

interface Call {
  readonly delivery?: string;
  readonly timestamp?: string;
  readonly body?: string;
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

function requestOf({
  delivery = "d-1",
  timestamp = String(Math.floor(Date.now() / 1000)),
  body = '{"shop":{"name":"north"}}',
  secret = SECRET,
  headers = {},
}: Call): PushRequest {
  const signature = `sha256=${createHmac("sha256", secret).update(`${delivery}.${timestamp}.${body}`).digest("hex")}`;
  return {
    headers: {
      "x-esteira-delivery": delivery,
      "x-esteira-timestamp": timestamp,
      "x-esteira-signature": signature,
      ...headers,
    },
    body: Buffer.from(body),
  };
}

async function open(kind: StoreKind): Promise<
  TestProject & {
    call(webhook: string, call?: Call): Promise<WebhookAnswer>;
    refused(code: string, webhook: string, call?: Call): Promise<void>;
  }
> {
  const project = await createTestProject(kind, { "pipelines/restock.yaml": PIPELINE });
  await project.register();
  const secrets = new Map([
    ["WEBHOOK_RESTOCK", SECRET],
    ["WEBHOOK_UNUSED", SECRET],
    ["WEBHOOK_EMPTY", ""],
    ["RESTOCK", "another"],
  ]);
  const handle = createWebhookHandler({
    store: project.store,
    project: "p",
    clock: systemClock,
    secret: (name) => secrets.get(name),
  });
  const call = (webhook: string, made: Call = {}): Promise<WebhookAnswer> => handle(webhook, requestOf(made));
  return {
    ...project,
    call,
    refused: (code, webhook, made) =>
      assert.rejects(
        call(webhook, made),
        (error) =>
          isEsteiraError(error, code) && !String(error.hint).includes(SECRET) && !error.message.includes(SECRET),
      ),
  };
}

describeStores("a webhook", (kind) => {
  it(
    "starts its pipelines with the call's JSON, each delivery once however often and at once it comes",
    { timeout: 180_000 },
    async () => {
      const { call, store, objects, engine } = await open(kind);
      const first = await call("restock");
      assert.equal(first.status, 202);
      assert.deepEqual(await call("restock"), { status: 200, json: first.json });
      const together = await Promise.all([1, 2, 3, 4].map(() => call("restock", { delivery: "d-2" })));
      assert.equal(new Set(together.map(({ json }) => JSON.stringify(json))).size, 1);
      assert.deepEqual(
        together.map(({ status }) => status).sort((left, right) => left - right),
        [200, 200, 200, 202],
      );
      assert.equal((await listPipelineRuns(store, { project: "p" })).length, 2);
      const worker = engine();
      await worker.start();
      const id = first.json.pipelineRuns?.[0] ?? "";
      await worker.runToEnd(id);
      const { run, stepRuns } = await getPipelineRun(store, id);
      assert.deepEqual([run.status, run.actor], ["succeeded", "webhook:restock"]);
      assert.match(
        JSON.stringify(await readLog({ store, objects }, { stepRunId: stepRuns[0]?.id ?? "" })),
        /shop north, delivery d-1/,
      );
    },
  );

  it("refuses calls that are not signed for this moment, and starts nothing", async () => {
    const { refused, store } = await open(kind);
    const now = Math.floor(Date.now() / 1000);
    for (const wrong of [
      { secret: "another" },
      { secret: "" },
      { headers: { "x-esteira-signature": undefined } },
      { headers: { "x-esteira-signature": "" } },
      { headers: { "x-esteira-delivery": undefined } },
      { headers: { "x-esteira-timestamp": undefined } },
      { headers: { "x-esteira-delivery": "d-9" } },
      { headers: { "x-esteira-timestamp": String(now + 1) } },
      { timestamp: String(now - 400) },
      { timestamp: String(now + 400) },
      { timestamp: "soon" },
      { delivery: "two words" },
      { delivery: "d".repeat(201) },
    ]) {
      await refused("DELIVERY_WEBHOOK_UNSIGNED", "restock", wrong);
    }
    await refused("DELIVERY_WEBHOOK_INVALID", "restock", { body: "{shop: 1}" });
    await refused("DELIVERY_WEBHOOK_INVALID", "restock", { body: JSON.stringify("x".repeat(LARGEST_WEBHOOK_BYTES)) });
    assert.deepEqual(await listPipelineRuns(store, { project: "p" }), []);
  });

  it("is not there without a secret of its own, and says so when no pipeline listens", async () => {
    const { refused } = await open(kind);
    for (const name of ["other", "empty", "push", "__proto__", "re stock", "../restock"])
      await refused("DELIVERY_WEBHOOK_CLOSED", name);
    await refused("DELIVERY_WEBHOOK_UNUSED", "unused");
  });

  it("has a name that can be called, or the pipeline is refused", async () => {
    const project = await createTestProject(kind, {
      "pipelines/a.yaml": 'on: { webhook: [push, "a b", "re*", fine-1] }\nsteps:\n  a: { run: "true" }\n',
    });
    const { problems } = await project.load();
    assert.deepEqual(
      problems.map(({ line, message }) => [line, message]),
      [
        [1, '"push" cannot name a webhook: /hooks/push takes the pushes'],
        [1, '"a b" cannot name a webhook'],
      ],
    );
  });
});

it(
  "a webhook is called over HTTP with curl and openssl, and a body that is too large is not read",
  { timeout: 180_000 },
  async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: p\n");
    await writeFile(join(folder, "pipelines/restock.yaml"), PIPELINE);
    const server = await startServer(folder, { ESTEIRA_SECRET_WEBHOOK_RESTOCK: SECRET });
    after(() => server.stop());
    const script = `delivery=d-7 timestamp=$(date +%s) body='{"shop": {"name": "north"}}'
signature=$(printf %s "$delivery.$timestamp.$body" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl -s "$URL/hooks/restock" -H "x-esteira-delivery: $delivery" -H "x-esteira-timestamp: $timestamp" \\
  -H "x-esteira-signature: sha256=$signature" -d "$body"`;
    const { stdout } = await promisify(execFile)("bash", ["-c", script], {
      env: { ...process.env, SECRET, URL: server.url },
    });
    assert.match(stdout, /^\{"pipelineRuns":\["[0-9A-Z]{26}"\]\}$/);
    const large = { method: "POST", body: "x".repeat(LARGEST_WEBHOOK_BYTES + 1) };
    const signed = { "x-esteira-delivery": "d-8", "x-esteira-timestamp": "1", "x-esteira-signature": "sha256=0" };
    assert.equal((await fetch(`${server.url}/hooks/restock`, { ...large, headers: signed })).status, 413);
    assert.equal((await fetch(`${server.url}/hooks/restock`, large)).status, 401);
    const closed = await fetch(`${server.url}/hooks/other`, { method: "POST", body: "{}" });
    assert.equal(closed.status, 404);
    assert.match(await closed.text(), /DELIVERY_WEBHOOK_CLOSED.*ESTEIRA_SECRET_WEBHOOK_OTHER/);
  },
);

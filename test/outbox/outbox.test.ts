import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { isEsteiraError, silentLog, systemClock } from "#base";
import { claimAlertNotices, openAlert } from "#metadata-store/monitoring";
import { type Channel, createOutbox, type Message, type Outbox, type Outcome } from "#outbox";
import { describeStores, openTestStore } from "../setup/stores.ts";
import { openWebhookTarget } from "../setup/webhook-target.ts";

const HERE = ["127.0.0.0/8"];

/** Messages in memory, claimed as the stores of the modules claim theirs. */
function createChannel(urls: readonly string[]): Channel & { readonly outcomes: Outcome[] } {
  const waiting = urls.map((url, index) => ({ id: `m${index}`, url, body: "{}", attempts: 0, dueAtMs: 0 }));
  const outcomes: Outcome[] = [];
  return {
    name: "test",
    mostAttempts: 3,
    outcomes,
    nextDueMs: async () => (waiting.length === 0 ? undefined : Math.min(...waiting.map(({ dueAtMs }) => dueAtMs))),
    async claim(_, { nowMs, claimUntilMs, limit }): Promise<readonly Message[]> {
      const due = waiting.filter(({ dueAtMs }) => dueAtMs <= nowMs).slice(0, limit);
      for (const message of due) message.dueAtMs = claimUntilMs;
      return due.map((message) => ({ ...message }));
    },
    dress: async () => ({
      secret: "s",
      signatureForm: "sha256",
      headers: { id: "x-id", timestamp: "x-time", signature: "x-signature" },
    }),
    pauseMs: () => 60_000,
    async record(_, { id }, outcome) {
      outcomes.push(outcome);
      const index = waiting.findIndex((message) => message.id === id);
      const message = waiting[index];
      if (outcome.state !== "pending") waiting.splice(index, 1);
      else if (message !== undefined) Object.assign(message, { attempts: outcome.attempts, dueAtMs: outcome.dueAtMs });
    },
  };
}

describeStores("the outbox", async (kind) => {
  const opened = await openTestStore(kind);

  function open(options: { readonly networks?: readonly string[]; readonly now?: () => number } = {}): Outbox {
    const outbox = createOutbox({
      store: opened.store,
      clock: { ...systemClock, now: options.now ?? systemClock.now },
      log: silentLog,
      privateNetworks: options.networks ?? HERE,
    });
    after(() => outbox.close());
    return outbox;
  }

  it("sends each message once though two of them look, and more than are claimed at once", async () => {
    const target = await openWebhookTarget();
    const channel = createChannel(Array.from({ length: 35 }, () => target.url));
    const [one, two] = [open(), open()];
    one.add(channel);
    two.add(channel);
    await Promise.all([one.flush(), two.flush()]);
    const ids = target.received.map(({ headers }) => headers["x-id"]);
    assert.equal(ids.length, 35);
    assert.equal(new Set(ids).size, 35);
    assert.ok(channel.outcomes.every(({ state }) => state === "delivered"));
  });

  it("tries again what a busy receiver refused, as often as the channel says, and not what it did not want", async () => {
    let nowMs = Date.now();
    const busy = await openWebhookTarget(() => 503);
    const unwilling = await openWebhookTarget(() => 410);
    const moved = await openWebhookTarget(() => 302);
    const channel = createChannel([busy.url, unwilling.url, moved.url]);
    const outbox = open({ now: () => nowMs });
    outbox.add(channel);
    for (let turn = 0; turn < 5; turn++) {
      await outbox.flush();
      nowMs += 120_000;
    }
    assert.deepEqual([busy.received.length, unwilling.received.length, moved.received.length], [3, 1, 1]);
    assert.deepEqual(channel.outcomes.filter(({ state }) => state === "failed").length, 3);
  });

  it("reaches nothing of the inside but the networks that are listed", async () => {
    const target = await openWebhookTarget();
    const channel = createChannel([target.url, target.url.replace("127.0.0.1", "localhost")]);
    const outbox = open({ networks: ["10.0.0.0/8"] });
    outbox.add(channel);
    await outbox.flush();
    assert.equal(target.received.length, 0);
    assert.ok(channel.outcomes.every(({ error = "" }) => error.includes("not a public address")));
    await assert.rejects(outbox.assertTarget("http://192.168.1.1/"), { code: "MODELS_WEBHOOK_TARGET_REFUSED" });
    await outbox.assertTarget("http://10.9.8.7/");
  });

  it("gives an alert to one of two processes, and to the other once the first is gone", async () => {
    const { store } = opened;
    const { alert } = await store.write((transaction) =>
      openAlert(transaction, {
        project: "p",
        environment: "production",
        endpoint: "e",
        monitor: "m",
        metric: "psi",
        subject: "",
        segment: "",
        value: 1,
        threshold: 0.2,
        windowStartMs: 0,
        windowEndMs: 1,
        n: 10,
        modelVersionId: undefined,
        message: "drifted",
        atMs: 5,
        targets: ["https://one.example/", "https://two.example/"],
      }),
    );
    const claim = (nowMs: number) =>
      store.write((transaction) => claimAlertNotices(transaction, { nowMs, claimUntilMs: nowMs + 90_000, limit: 10 }));
    const claimed = (await Promise.all([claim(10), claim(10)])).flat();
    assert.deepEqual(
      claimed.map(({ alert: { id }, target }) => `${id} ${target}`).sort(),
      ["https://one.example/", "https://two.example/"].map((target) => `${alert.id} ${target}`),
    );
    assert.deepEqual(await claim(90_000), []);
    assert.equal((await claim(90_010)).length, 2);
  });
});

describe("networks of the inside", () => {
  it("are refused when they are none", () => {
    for (const network of ["", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/8/8", "10.0.0.0/", "all"])
      assert.throws(
        () =>
          createOutbox({ store: undefined as never, clock: systemClock, log: silentLog, privateNetworks: [network] }),
        (error) => isEsteiraError(error, "OUTBOX_NETWORK_INVALID"),
        network,
      );
  });
});

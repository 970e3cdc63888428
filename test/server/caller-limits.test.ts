// One caller never takes all of a server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { openTestServer, signIn } from "../setup/opened-server.ts";
import { createCallerLimits } from "../../src/server/security/caller-limits.ts";

const ana = { name: "ana", kind: "user", roles: [] } as const;
const rui = { name: "rui", kind: "user", roles: [] } as const;

/** The head of a request whose body never comes whole, which keeps it busy. */
async function hold(url: string, authorization: string): Promise<() => void> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write(
    `POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\ncontent-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n{`,
  );
  await once(socket, "data");
  return () => void socket.destroy();
}

describe("the limits of one caller", () => {
  it("hold for requests that are answered at once, and let go of each once", () => {
    const limits = createCallerLimits({ concurrency: 2 });
    const leave = limits.enter(ana, "10.0.0.1");
    limits.enter(ana, "10.0.0.2");
    assert.throws(() => limits.enter(ana, "10.0.0.3"), {
      code: "SERVER_REQUESTS_TOO_MANY",
      message: "There are more requests of user ana than the 2 at once that one caller may make",
    });
    limits.enter(rui, "10.0.0.1");
    limits.enter(undefined, "10.0.0.1");
    leave();
    leave();
    limits.enter(ana, "10.0.0.1");
    assert.throws(() => limits.enter(ana, "10.0.0.1"), { code: "SERVER_REQUESTS_TOO_MANY" });
  });

  it("hold for requests a second, with as many at once after a rest", () => {
    let now = 0;
    const limits = createCallerLimits({ concurrency: 100, rate: 2 }, () => now);
    const ask = (): void => limits.enter(ana, "10.0.0.1")();
    ask();
    ask();
    assert.throws(ask, ({ context }: { context: { seconds: number } }) => context.seconds === 1);
    limits.enter(rui, "10.0.0.1");
    now += 500;
    ask();
    assert.throws(ask);
    now += 60_000;
    ask();
    ask();
    assert.throws(ask);
  });

  it("hold for less than one request a second, too", () => {
    let now = 0;
    const limits = createCallerLimits({ concurrency: 100, rate: 0.1 }, () => now);
    limits.enter(ana, "10.0.0.1");
    now += 2000;
    assert.throws(
      () => limits.enter(ana, "10.0.0.1"),
      ({ context }: { context: { seconds: number } }) => context.seconds === 8,
    );
    now += 8001;
    limits.enter(ana, "10.0.0.1");
  });

  it("answer 429 with the time to wait, in the form of each surface, while others and probes are answered", async () => {
    const opened = await openTestServer({ yaml: "server: { concurrency: 3 }\n", start: true });
    const mine = await signIn(opened, "ana", "admin");
    const others = await signIn(opened, "rui", "viewer");
    const held = [];
    for (let count = 0; count < 3; count++) held.push(await hold(opened.url, mine["authorization"] ?? ""));
    const ask = (path: string, headers: Record<string, string>): Promise<Response> =>
      fetch(opened.url + path, { headers });
    const refused = await ask("/api/v1/pipelines", mine);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal(((await refused.json()) as { error: { code: string } }).error.code, "SERVER_REQUESTS_TOO_MANY");
    const mlflow = await ask("/api/2.0/mlflow/experiments/get?experiment_id=0", mine);
    assert.equal(mlflow.status, 429);
    assert.equal(mlflow.headers.get("retry-after"), "1");
    assert.equal(((await mlflow.json()) as { error_code: string }).error_code, "RESOURCE_EXHAUSTED");
    assert.equal((await ask("/api/v1/pipelines", others)).status, 200);
    assert.equal((await ask("/metrics", mine)).status, 200);
    assert.equal((await ask("/livez", {})).status, 200);
    for (const release of held) release();
    let answered = 429;
    while (answered === 429) answered = (await ask("/api/v1/pipelines", mine)).status;
    assert.equal(answered, 200);
  });

  it("are refused in esteira.yaml when nobody could ask any more", async () => {
    await assert.rejects(openTestServer({ yaml: "server: { concurrency: 0 }\n" }), { code: "CONFIG_PROJECT_INVALID" });
    await assert.rejects(openTestServer({ yaml: "server: { rate: -1 }\n" }), { code: "CONFIG_PROJECT_INVALID" });
  });
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { describeStores, openTestStore } from "../setup/stores.ts";

const SERVER = join(import.meta.dirname, "../setup/serve-mlflow.ts");
const CLIENTS = 64;

interface Serving {
  readonly url: string;
  kill(): Promise<void>;
}

async function serve(address: string, folder: string): Promise<Serving> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", SERVER, address, join(folder, "artifacts")],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const exit = once(child, "exit");
  return {
    url,
    async kill() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

async function call(
  url: string,
  path: string,
  body?: object,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(
    `${url}/api/2.0/mlflow/${path}`,
    body === undefined
      ? {}
      : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } },
  );
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

async function newRun(url: string): Promise<string> {
  const { json } = await call(url, "runs/create", { experiment_id: "0", start_time: 1 });
  return (json["run"] as { info: { run_id: string } }).info.run_id;
}

async function history(url: string, runId: string, key: string): Promise<number[]> {
  const { json } = await call(url, `metrics/get-history?run_id=${runId}&metric_key=${key}&max_results=25000`);
  return ((json["metrics"] ?? []) as { step: number }[]).map(({ step }) => step);
}

describeStores("clients that log at once", (kind) => {
  it(`meet no lock: ${CLIENTS} of them, on two servers of one store`, async () => {
    const { address, folder } = await openTestStore(kind);
    const servers = [await serve(address, folder), await serve(address, folder)];
    try {
      const shared = await newRun(servers[0]?.url ?? "");
      await Promise.all(
        Array.from({ length: CLIENTS }, async (_, client) => {
          const url = servers[client % 2]?.url ?? "";
          const own = await newRun(url);
          for (let step = 0; step < 5; step++) {
            const metrics = Array.from({ length: 20 }, (__, index) => ({
              key: `k${(index + client) % 20}`,
              value: client,
              timestamp: 1,
              step: client * 5 + step,
            }));
            assert.equal((await call(url, "runs/log-batch", { run_id: shared, metrics })).status, 200);
            assert.equal(
              (await call(url, "runs/log-metric", { run_id: own, key: "m", value: 1, timestamp: 1, step })).status,
              200,
            );
          }
          assert.equal((await history(url, own, "m")).length, 5);
        }),
      );
      assert.equal((await history(servers[1]?.url ?? "", shared, "k0")).length, CLIENTS * 5);
      const { json } = await call(servers[0]?.url ?? "", `runs/get?run_id=${shared}`);
      const latest = (json["run"] as { data: { metrics: { step: number }[] } }).data.metrics;
      assert.deepEqual(new Set(latest.map(({ step }) => step)), new Set([CLIENTS * 5 - 1]));
    } finally {
      for (const server of servers) await server.kill();
    }
  });

  it("lose nothing that was acknowledged when the server is killed", async () => {
    const { address, folder } = await openTestStore(kind);
    let server = await serve(address, folder);
    const runId = await newRun(server.url);
    for (let round = 0; round < 2; round++) {
      const acknowledged: { single: number[]; batch: number[] } = { single: [], batch: [] };
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        try {
          for (let step = writer; ; step += 8) {
            const at = round * 1_000_000 + step;
            if (
              (
                await call(server.url, "runs/log-metric", {
                  run_id: runId,
                  key: "single",
                  value: 1,
                  timestamp: 1,
                  step: at,
                })
              ).status === 200
            )
              acknowledged.single.push(at);
            const metrics = Array.from({ length: 10 }, (__, index) => ({
              key: "batch",
              value: 1,
              timestamp: 1,
              step: at * 10 + index,
            }));
            if ((await call(server.url, "runs/log-batch", { run_id: runId, metrics })).status === 200)
              acknowledged.batch.push(at);
          }
        } catch {
          // The server is gone.
        }
      });
      while (acknowledged.single.length < 40) await new Promise(setImmediate);
      await server.kill();
      await Promise.all(writers);
      server = await serve(address, folder);
      const singles = new Set(await history(server.url, runId, "single"));
      const batched = new Set(await history(server.url, runId, "batch"));
      assert.deepEqual(
        acknowledged.single.filter((step) => !singles.has(step)),
        [],
      );
      assert.deepEqual(
        acknowledged.batch.filter((step) =>
          Array.from({ length: 10 }, (_, index) => step * 10 + index).some((at) => !batched.has(at)),
        ),
        [],
      );
      // A batch is there as a whole or not at all.
      assert.equal(batched.size % 10, 0);
    }
    await server.kill();
  });
});

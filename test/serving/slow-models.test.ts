// Models that take long, or never come back in time: nobody else waits for them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import { type ServingOptions, sourceOfRecords } from "#serving";
import { temporaryFolder } from "../setup/stores.ts";
import { deploy, registerModel, startServing, type TestServing } from "./served.ts";
import { writeSlowModel } from "./slow-model.ts";

/** Several seconds: far beyond the time limit of these tests. */
const FAR_TOO_LONG = 12_000;

interface Slow extends TestServing {
  /** Asks a slow model in an environment; `turns` says how long it computes. */
  ask(environment: string, turns: number): Promise<unknown>;
  readonly first: AssetVersion;
}

/** Slow models in `staging` and `dev`, a quick one in `production`. */
async function open(options: Partial<ServingOptions> = {}): Promise<Slow> {
  const test = await startServing("sqlite", options);
  const onnx = join(await temporaryFolder(), "slow.onnx");
  await writeSlowModel(onnx);
  const first = await registerModel(test, "late-by-matrix", { asset: "slow", onnx });
  await deploy(test.serving, first, { environment: "staging" });
  await deploy(test.serving, await registerModel(test, "late-by-matrix", { asset: "slower", onnx }), {
    environment: "dev",
  });
  await deploy(test.serving, await registerModel(test, "late-by-matrix"));
  const ask = (environment: string, turns: number): Promise<unknown> =>
    test.serving.endpoints.predict(
      { project: "p", environment, endpoint: "delay" },
      { source: sourceOfRecords([{ distance: turns, hour: 0 }]) },
    );
  return { ...test, first, ask };
}

describe("a model that takes long", () => {
  it("keeps no other model waiting, nor do several of them", async () => {
    const { ask } = await open();
    const order: string[] = [];
    const slow = ["staging", "dev"].map((environment) => ask(environment, 1500).then(() => order.push("slow")));
    for (let row = 0; row < 3; row++) await ask("production", row);
    order.push("quick");
    await Promise.all(slow);
    assert.deepEqual(order, ["quick", "slow", "slow"]);
  });

  it("has no second thread while it computes: its own requests wait for it", async () => {
    const { ask } = await open();
    const order: string[] = [];
    const long = ask("staging", 800).then(() => order.push("first"));
    const short = ask("staging", 1).then(() => order.push("second"));
    await Promise.all([long, short]);
    assert.deepEqual(order, ["first", "second"]);
  });
});

describe("a model that does not answer in time", () => {
  it("loses its thread, is refused while it still computes, and then answers again", async () => {
    const { ask } = await open({ timeoutMs: 1500 });
    await assert.rejects(ask("staging", FAR_TOO_LONG), (error) => isEsteiraError(error, "SERVING_TIME_EXCEEDED"));
    const isStuck = (error: unknown): boolean => isEsteiraError(error, "SERVING_MODEL_STUCK");
    await assert.rejects(ask("staging", 1), isStuck);
    await Promise.all([ask("production", 1), ask("dev", 1)]);
    for (let answered = false; !answered;) {
      answered = await ask("staging", 1).then(
        () => true,
        (error: unknown) => {
          if (!isStuck(error)) throw error;
          return false;
        },
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});

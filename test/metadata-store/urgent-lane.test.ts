// What engines write goes before what many clients log, and neither waits for the end of the other.
import assert from "node:assert/strict";
import { it } from "node:test";
import { describeStores, openTestStore } from "../setup/stores.ts";

describeStores("the urgent lane of a store", (kind) => {
  it("goes before the others that wait, of which some go on in every commit", { timeout: 60_000 }, async () => {
    const { store } = await openTestStore(kind);
    const order: string[] = [];
    const write = (name: string, lane = store): Promise<void> =>
      lane.write(() => Promise.resolve(void order.push(name)));
    // Connections are open: a busy machine may take long over the first of each lane.
    await Promise.all([write("opened"), write("opened", store.urgent)]);
    const others = Array.from({ length: 600 }, (_, index) => write(`other ${index}`));
    const first = write("urgent", store.urgent);
    await first;
    assert.ok(order.indexOf("urgent") < 300, `${order.indexOf("urgent")} others went before`);
    // An engine that never stops writing: the others come to their end all the same.
    let isDone = false;
    const engine = (async () => {
      while (!isDone) await write("engine", store.urgent);
    })();
    await Promise.all(others);
    isDone = true;
    await engine;
    assert.equal(order.filter((name) => name.startsWith("other")).length, 600);
  });

  it("keeps the answers of all when a change among them fails", async () => {
    const { store } = await openTestStore(kind);
    const results = await Promise.allSettled([
      store.write(() => Promise.resolve(1)),
      store.urgent.write(() => Promise.reject(new Error("no"))),
      store.urgent.urgent.write(() => Promise.resolve(2)),
    ]);
    assert.deepEqual(
      results.map((result) => (result.status === "fulfilled" ? result.value : (result.reason as Error).message)),
      [1, "no", 2],
    );
  });
});

import assert from "node:assert/strict";
import { availableParallelism, totalmem } from "node:os";
import { describe, it } from "node:test";
import { createResourcePool } from "../../src/executors/resource-pool.ts";

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const open = Symbol("open");
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(open)])) !== open;
};

describe("the resources of a machine", () => {
  it("are all of it, or the part that was given", () => {
    const { cpus, memoryBytes } = createResourcePool().total;
    assert.deepEqual([cpus, memoryBytes], [availableParallelism(), totalmem()]);
    assert.deepEqual(createResourcePool({ cpus: 3, gpus: 0, memoryBytes: 10 }).total, {
      cpus: 3,
      gpus: 0,
      memoryBytes: 10,
    });
  });

  it("are given in turn, and come back once", async () => {
    const pool = createResourcePool({ cpus: 4, gpus: 0, memoryBytes: 100 });
    const first = await pool.take({ cpus: 3 });
    const large = pool.take({ cpus: 4 });
    const small = pool.take({ cpus: 1 });
    assert.deepEqual([await settled(large), await settled(small)], [false, false], "the small one does not pass");
    first.release();
    first.release();
    const second = await large;
    assert.equal(await settled(small), false);
    second.release();
    (await small).release();
    await pool.take({ cpus: 4, memoryBytes: 100 });
  });

  it("are not waited for any longer by what was given up", async () => {
    const pool = createResourcePool({ cpus: 1 });
    const first = await pool.take({ cpus: 1 });
    const controller = new AbortController();
    const given = pool.take({ cpus: 1 }, controller.signal);
    const next = pool.take({ cpus: 1 });
    controller.abort(new Error("cancelled"));
    await assert.rejects(given, /cancelled/);
    first.release();
    await next;
  });
});

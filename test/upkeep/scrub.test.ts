import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { type Clock, digestOf, systemClock } from "#base";
import { listEvents, recordAssetVersion } from "#metadata-store";
import { createFileSystemFiles } from "#storage";
import { createArtifactFolder } from "#tracking";
import { findLastVerification, scrubStore } from "#upkeep";
import { describeStores, openTestStore } from "../setup/stores.ts";

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

describeStores("a store that is verified by itself", (kind) => {
  const open = async () => {
    const { store, objects, folder } = await openTestStore(kind);
    let nowMs = Date.now();
    const clock: Clock = { now: () => nowMs, monotonic: systemClock.monotonic };
    const parts = {
      store,
      objects,
      clock,
      folder,
      project: "p",
      tableFiles: createFileSystemFiles({ root: join(folder, "datasets") }),
      artifacts: createArtifactFolder({ root: join(folder, "artifacts") }),
    };
    return {
      ...parts,
      wait: (ms: number) => (nowMs += ms),
      scrub: (options: { readonly bytesPerSecond?: number; readonly signal?: AbortSignal } = {}) =>
        scrubStore(parts, {
          everyMs: 7 * DAY_MS,
          bytesPerSecond: 1e9,
          actor: "engine",
          signal: new AbortController().signal,
          ...options,
        }),
      events: async () => (await store.read((tx) => listEvents(tx, { subjectKind: "store" }))).map(({ type }) => type),
    };
  };

  it("is read once a week, by one of two servers, and names what is damaged with what it is in", async () => {
    const { store, objects, scrub, wait, folder } = await open();
    const weights = await objects.put("weights");
    const tree = { files: [{ path: "m", digest: weights.digest, sizeBytes: 7 }] };
    await store.write((tx) =>
      recordAssetVersion(tx, {
        project: "p",
        asset: "delay",
        kind: "model",
        inputs: [],
        actor: "ana",
        content: { format: "model/1", tree },
        digest: digestOf("delay"),
        madeAtMs: 1,
      }),
    );
    for (let week = 0; week < 5; week++) {
      const all = await Promise.all([scrub(), scrub(), scrub(), scrub()]);
      assert.deepEqual(
        all.flatMap((found) => found?.damages ?? []),
        [],
      );
      assert.equal(all.filter((found) => found !== undefined).length, 1);
      wait(8 * DAY_MS);
    }
    await scrub();
    assert.equal((await findLastVerification(store))?.damaged, 0);
    wait(6 * DAY_MS);
    assert.equal(await scrub(), undefined);
    wait(DAY_MS);
    const file = `objects/sha256/${weights.digest.slice(7, 9)}/${weights.digest.slice(9)}`;
    await writeFile(join(folder, file), "WEIGHTS");
    await scrub();
    const last = await findLastVerification(store);
    assert.deepEqual(
      last?.damages.map(({ file: found, versions }) => [found, versions]),
      [[file, ["delay 1"]]],
    );
    assert.equal(last?.damaged, 1);
    await writeFile(join(folder, file), "weights");
    wait(DAY_MS / 2);
    assert.equal(await scrub(), undefined);
    wait(DAY_MS / 2 + 1);
    assert.deepEqual((await scrub())?.damages, []);
  });

  it("is read again after a day when the one who began was killed, and ends where its server ends", async () => {
    const { objects, scrub, wait, events } = await open();
    await objects.put(Buffer.alloc(5_000_000));
    const stopped = new AbortController();
    const cut = scrub({ bytesPerSecond: 1000, signal: stopped.signal });
    while ((await events()).length === 0) await new Promise(setImmediate);
    stopped.abort();
    await assert.rejects(cut, { name: "AbortError" });
    assert.equal(await scrub(), undefined);
    wait(DAY_MS + 1);
    assert.notEqual(await scrub(), undefined);
    assert.deepEqual(await events(), ["store.verification_began", "store.verification_began", "store.verified"]);
  });
});

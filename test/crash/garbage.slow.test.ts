// Garbage is collected twice at once and killed at random moments, while others store and name what it takes.
import assert from "node:assert/strict";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Digest, digestOf } from "#base";
import { type MetadataStore, openMetadataStore, recordAssetVersion } from "#metadata-store";
import { type Blobs, createFileSystemBlobs, createFileSystemFiles } from "#storage";
import { createArtifactFolder } from "#tracking";
import { verifyStore } from "#upkeep";
import { runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";

const ROUNDS = 12;
const DAY_MS = 24 * 3600_000;

describeStores("garbage collection that is killed", (kind) => {
  it("takes nothing that a row names, and in the end everything that none does", async () => {
    const folder = await temporaryFolder();
    const storeFolder = join(folder, ".esteira");
    const address = kind === "sqlite" ? join(storeFolder, "metadata.sqlite") : await createPostgresSchema();
    await writeFile(
      join(folder, "esteira.yaml"),
      kind === "sqlite" ? "name: p\n" : `name: p\nstore: { metadata: "${address}" }\n`,
    );
    assert.equal((await runEsteira(folder, ["user", "list"])).code, 0);
    const store = await openMetadataStore(address);
    const objects = createFileSystemBlobs(join(storeFolder, "objects"));
    const kept: Digest[] = [];
    const lost: Digest[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 20; i++) {
        const [named, orphan] = [await objects.put(`named ${round} ${i}`), await objects.put(`orphan ${round} ${i}`)];
        await name(store, [named.digest]);
        kept.push(named.digest);
        lost.push(orphan.digest);
        for (const { digest } of [named, orphan]) await age(storeFolder, digest);
      }
      const collectors = [0, 1].map(() => startEsteira(folder, ["gc", "--older", "24h"]));
      const storing = storeAgain({ store, objects, kept }, lost.splice(0, 5));
      await delay(200 + Math.random() * 3500);
      const killed = collectors[round % 2];
      if (killed !== undefined) signalGroup(killed.child, "SIGKILL");
      await Promise.all([...collectors.map(({ ended }) => ended), storing]);
    }
    const last = await runEsteira(folder, ["gc", "--older", "24h"]);
    assert.equal(last.code, 0, last.stderr);
    for (const digest of kept) assert.notEqual(await objects.stat(digest), undefined, digest);
    for (const digest of lost) assert.equal(await objects.stat(digest), undefined, digest);
    const verified = await verifyStore({
      store,
      objects,
      depth: "bytes",
      tableFiles: createFileSystemFiles({ root: join(storeFolder, "datasets") }),
      artifacts: createArtifactFolder({ root: join(storeFolder, "artifacts") }),
    });
    assert.deepEqual(verified.damages, []);
    await store.close();
  });
});

async function age(storeFolder: string, digest: Digest): Promise<void> {
  const then = new Date(Date.now() - 3 * DAY_MS);
  await utimes(join(storeFolder, "objects/sha256", digest.slice(7, 9), digest.slice(9)), then, then);
}

async function name(store: MetadataStore, digests: readonly Digest[]): Promise<void> {
  const files = digests.map((digest, index) => ({ path: `f${index}`, digest }));
  const content = { format: "tree/1", files };
  await store.write((tx) =>
    recordAssetVersion(tx, {
      project: "p",
      asset: "kept",
      kind: "code",
      digest: digestOf(JSON.stringify(content)),
      madeAtMs: Date.now(),
      actor: "ana",
      content,
      inputs: [],
    }),
  );
}

/** What was garbage a moment ago is stored again and named, while it is being taken away. */
async function storeAgain(
  { store, objects, kept }: { readonly store: MetadataStore; readonly objects: Blobs; readonly kept: Digest[] },
  orphans: readonly Digest[],
): Promise<void> {
  for (const digest of orphans) {
    await delay(Math.random() * 400);
    const bytes = await objects.get(digest).catch(() => undefined);
    // Gone already: whoever had its content would have stored it.
    if (bytes === undefined) continue;
    await objects.put(bytes);
    await delay(Math.random() * 50);
    await name(store, [digest]);
    kept.push(digest);
  }
}

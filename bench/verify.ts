// How fast a whole store is verified, beside `sha256sum` over the same bytes: 400 MB in objects of 10 kB to 20 MB.
import { randomBytes } from "node:crypto";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMetadataStore } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import { createArtifactFolder } from "#tracking";
import { verifyStore } from "#upkeep";

const SIZES = [...Array.from({ length: 1000 }, () => 10_000), ...Array.from({ length: 90 }, () => 1_000_000)];
const LARGE = Array.from({ length: 15 }, () => 20_000_000);
const ROUNDS = 5;

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
try {
  const store = await openMetadataStore(join(folder, "metadata.sqlite"));
  const objects = createFileSystemBlobs(join(folder, "objects"));
  for (const size of [...SIZES, ...LARGE]) await objects.put(randomBytes(size));
  const options = {
    store,
    objects,
    tableFiles: createFileSystemFiles({ root: join(folder, "datasets") }),
    artifacts: createArtifactFolder({ root: join(folder, "artifacts") }),
    depth: "bytes" as const,
  };
  const times: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let start = performance.now();
    const { damages, bytes: read } = await verifyStore(options);
    times.ours.push(performance.now() - start);
    if (damages.length > 0) throw new Error("the store is damaged");
    bytes = read;
    start = performance.now();
    const peer = spawnSync("sh", ["-c", "find objects/sha256 -type f -print0 | xargs -0 sha256sum > /dev/null"], {
      cwd: folder,
    });
    times.peer.push(performance.now() - start);
    if (peer.status !== 0) throw new Error(String(peer.stderr));
  }
  await store.close();
  const [ours, peer] = [Math.min(...times.ours), Math.min(...times.peer)];
  const rate = (ms: number): string => `${(bytes / 1e6 / (ms / 1000)).toFixed(0)} MB/s`;
  process.stdout.write(
    `verify ${rate(ours)}, sha256sum ${rate(peer)}: ratio ${(peer / ours).toFixed(2)} (aim: at least 0.8)\n`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

/**
 * Appends rows to one dataset beside other processes. Arguments: store address, store folder, number of the process,
 * appends.
 */
import { join } from "node:path";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";

const [address = "", folder = "", number = "", appends = ""] = process.argv.slice(2);
const store = await openMetadataStore(address);
const analytics = createAnalytics({ folder: join(folder, "spill"), threads: 1, memoryBytes: 256 << 20 });
const datasets = createDatasets({
  store,
  objects: createFileSystemBlobs(join(folder, "objects")),
  files: createFileSystemFiles({ root: join(folder, "datasets") }),
  analytics,
  clock: systemClock,
  log: silentLog,
});
for (let count = 0; count < Number(appends); count++) {
  const operation = { project: "p", asset: "d", operationId: newId() + number };
  const made = await datasets.write({
    ...operation,
    disposition: "append",
    select: `select ${number}::bigint as writer, ${count}::bigint as count`,
  });
  await store.write(async (transaction) => {
    await datasets.settle(transaction, operation);
    await recordAssetVersion(transaction, { project: "p", madeAtMs: Date.now(), actor: "engine", inputs: [], ...made });
  });
}
await store.close();
process.exit(0);

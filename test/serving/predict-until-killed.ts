/**
 * Predicts without end on the store given by its arguments and prints the ids of what was answered. Started, and
 * killed, by durable.test.ts.
 */
import { silentLog } from "#base";
import { openMetadataStore } from "#metadata-store";
import { createFileSystemBlobs } from "#storage";
import { createServing, sourceOfRecords } from "#serving";
import { pythonServing } from "./python-served.ts";

const [address = "", folder = "", runtime] = process.argv.slice(2);
const objects = createFileSystemBlobs(folder);
const serving = createServing({
  store: await openMetadataStore(address),
  objects,
  log: silentLog,
  ...(runtime === "python" ? { python: await pythonServing(objects) } : {}),
});
const row = { distance: 500, hour: 12, origin: "ATL" };
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (;;) {
      const { predictionIds } = await serving.endpoints.predict(
        { project: "p", environment: "production", endpoint: "delay" },
        { source: sourceOfRecords([row, row, row]) },
      );
      process.stdout.write(`${predictionIds.join("\n")}\n`);
    }
  }),
);

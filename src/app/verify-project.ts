import { join } from "node:path";
import type { StoreVerification, VerifyProgress } from "#upkeep";
import type { StorePlatform } from "./platform.ts";

/** Compares what a store keeps with what its metadata say of it. Nothing is changed. */
export async function verifyPlatformStore(
  platform: StorePlatform,
  request: {
    /** `quick`: there, with its size. `bytes`: as its digest says. `deep`: also rows, artifacts of models, logs. */
    readonly depth: "quick" | "bytes" | "deep";
    readonly signal: AbortSignal;
    readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  },
): Promise<StoreVerification> {
  const { verifyStore } = await import("#upkeep");
  const { store, objects, tableFiles, artifacts } = platform;
  const options = { store, objects, tableFiles, artifacts, ...request };
  if (request.depth !== "deep") return verifyStore(options);
  const { createAnalytics } = await import("#data");
  const analytics = createAnalytics({ folder: join(platform.config.storeFolder, "cache/duckdb") });
  try {
    const connection = await analytics.connect();
    return await verifyStore({
      ...options,
      async countRows(path) {
        const [row] = await connection.rows("select num_rows from parquet_file_metadata(?)", [path]);
        return Number(row?.["num_rows"]);
      },
    });
  } finally {
    analytics.close();
  }
}

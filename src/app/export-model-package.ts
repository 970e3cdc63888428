import { resolve } from "node:path";
import { type ExportedModel, exportModel } from "#packaging";
import type { Platform } from "./platform.ts";

/**
 * Writes a model version with its data as an OCI ModelPack. @throws MODELS_VERSION_MISSING,
 * MODELS_PACKAGE_TARGET_EXISTS
 */
export async function exportModelPackage(
  platform: Platform,
  request: {
    readonly name: string;
    readonly to: string;
    readonly version?: number | undefined;
    readonly data?: "value" | "reference" | undefined;
  },
): Promise<ExportedModel> {
  const { store, objects, project, config } = platform;
  const { name, version } = request;
  const { createTableExporter } = await import("./table-exporter.ts");
  return exportModel(
    {
      project,
      name,
      version,
      to: resolve(request.to),
      data: request.data ?? config.packaging.data,
      limitBytes: config.packaging.limit,
    },
    {
      store,
      objects,
      tables: createTableExporter({ analytics: platform.analytics, files: platform.tableFiles }),
    },
  );
}

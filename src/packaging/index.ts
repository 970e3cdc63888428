export { type ExportedModel, exportModel, type ExportRequest } from "./export-model.ts";
export { importMlflow, type ImportOptions, type ImportProgress, type ImportReport } from "./import/import-mlflow.ts";
export type { ArtifactCounts } from "./import/imported-artifacts.ts";
export type { TableExporter } from "./ports.ts";
export { readPackage, unpackPackage, type VerifiedPackage } from "./read-package.ts";

export { createPackageKind, type PackageDeclaration } from "./code/package-kind.ts";
export { exportCode, type ExportedCode } from "./code/export-code.ts";
export { type ExportedModel, exportModel, type ExportRequest } from "./export-model.ts";
export { importMlflow, type ImportOptions, type ImportProgress, type ImportReport } from "./import/import-mlflow.ts";
export type { ArtifactCounts } from "./import/imported-artifacts.ts";
export type { TableExporter } from "./ports.ts";
export { readPackage, unpackPackage, type VerifiedPackage } from "./read-package.ts";

export { notebookUnreadable } from "./errors.ts";
export { parseNotebook, type Notebook, type NotebookCell, type NotebookOutput } from "./notebook.ts";
export { digestOfNotebook, strippedNotebook } from "./source-digest.ts";
export {
  checkParameters,
  type DeclaredParameters,
  injectedSource,
  type NotebookParameter,
  type ParameterProblem,
  readParameters,
} from "./parameters.ts";
export type { ParameterType } from "./parameter-type.ts";
export { createNotebookKind, type NotebookDeclaration, type NotebookKindDependencies } from "./notebook-kind.ts";
export type { ExecutedNotebook, ExecuteOptions } from "./execute-notebook.ts";
export type { Kernel, KernelOptions } from "./kernel.ts";
export { findSecrets, redactSecrets, scanNotebook, type SecretFinding } from "./secret-scan.ts";
export { type CellChange, changesSource, diffNotebooks, type LineChange } from "./notebook-diff.ts";
export {
  type CellEdge,
  type HiddenStateFinding,
  type HiddenStateReport,
  type HiddenStateRule,
  reportHiddenState,
} from "./hidden-state.ts";

import type { Approval } from "./approval.ts";

/** What a cell showed, already reduced to the richest form that is safe to keep. */
export interface NotebookOutput {
  readonly kind: "text" | "error" | "image" | "html" | "json";
  /** `image/png`, `text/html`, … */
  readonly mimeType: string;
  /** Text (may hold ANSI colours), HTML (show it in a sandbox only), or base64 for images other than SVG. */
  readonly data: string;
}

export interface NotebookCell {
  readonly id: string;
  readonly type: "code" | "markdown" | "raw";
  readonly source: string;
  readonly tags: readonly string[];
  readonly executionCount?: number | undefined;
  readonly outputs: readonly NotebookOutput[];
  /** Compared with the version before. */
  readonly change?: "added" | "changed" | "unchanged" | undefined;
  readonly sourceBefore?: string | undefined;
}

export interface NotebookVersion {
  readonly versionId: string;
  readonly asset: string;
  readonly version: number;
  readonly path?: string | undefined;
  /** Digest of the source: cells, tags, kernel, parameter schema; no outputs. */
  readonly sourceDigest: string;
  readonly kernel?: string | undefined;
  /** True: outputs are the evidence of an execution. */
  readonly isExecuted: boolean;
  /** Digest of the executed notebook whose outputs are shown: the step run has it as its fact `executedNotebook`. */
  readonly executedDigest?: string | undefined;
  /** The step run that executed it. */
  readonly stepRunId?: string | undefined;
  readonly executedAtMs?: number | undefined;
  readonly pipelineRunId?: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly cells: readonly NotebookCell[];
  readonly approvals: readonly Approval[];
}

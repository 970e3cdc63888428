/** Main thread → reader thread: a statement, or that the next rows of its answer can be taken. */
export type ReaderRequest =
  | { readonly kind: "read"; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly kind: "more" };

/** Reader thread → main thread. */
export type ReaderAnswer =
  | {
      readonly ok: true;
      readonly rows: readonly Record<string, unknown>[];
      /** Rows are left: they are sent when they are asked for. */
      readonly more: boolean;
      /** What the statement took, ms. */
      readonly tookMs: number;
    }
  | { readonly ok: false; readonly message: string; readonly code: string | undefined };

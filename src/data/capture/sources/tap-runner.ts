import type { Digest, Json } from "#base";
import type { AttemptContext, ProcessResult } from "#pipeline";

/** Runs Singer taps, each as a process of its step in a locked Python environment of its own. Executors know how. */
export interface TapRunner {
  /**
   * Selects a stream and reads it. What the tap said of it is in the file that the request names as `result`, its
   * records as CSV in `dump`; both are below `folder`.
   *
   * @throws what making the environment throws
   */
  run(
    attempt: Pick<AttemptContext<unknown>, "signal" | "log" | "runProcess">,
    tap: {
      readonly step: string;
      /** Lines of a requirements file. */
      readonly requirements: readonly string[];
      /** Name of the program that the package brings. */
      readonly executable: string;
      /** JSON; it may hold secrets and is never written to a disk. */
      readonly config: string;
      /** Values in it that must never appear in a log. */
      readonly secrets: readonly string[];
      /** Absolute; the process works in it. */
      readonly folder: string;
      readonly request: Readonly<Record<string, Json>>;
    },
  ): Promise<{ readonly ended: ProcessResult; readonly environmentLock: Digest }>;
}

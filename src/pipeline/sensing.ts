import type { Json } from "#base";
import type { SensorDefinition } from "./define/definition.ts";
import type { Problem } from "./step-kind.ts";

/** What a look at something outside gave. Times are epoch milliseconds. */
export type Observation =
  | {
      readonly kind: "file";
      /** Those that match, sorted by path. */
      readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly modifiedMs: number }[];
    }
  /** The service says that nothing has changed since `Seen`. */
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "url";
      /** Of the content. */
      readonly digest: string;
      readonly sizeBytes: number;
      readonly etag?: string;
      readonly lastModified?: string;
    }
  | {
      readonly kind: "rows";
      /** Of the rows, in whatever order they came. */
      readonly digest: string;
      readonly count: number;
      /** The first 100, each by column. */
      readonly rows: readonly Readonly<Record<string, Json>>[];
    };

/** What a service is told of the last look, so that it may answer that nothing has changed. */
export interface Seen {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** Looks at what is outside of the project's own runs. */
export interface Sensing {
  /** Mistakes that can be seen without looking; paths are below the sensor's own declaration. */
  check(sensor: SensorDefinition): readonly Problem[];
  /** @throws what tells why it cannot be looked at, without what is secret */
  look(sensor: SensorDefinition, seen: Seen, signal: AbortSignal): Promise<Observation>;
}

import type { Clock, Log } from "#base";
import type { AssetKind, MetadataStore } from "#metadata-store";
import type { Blobs } from "#storage";
import type { PipelineDefinition, KnownKinds, AssetStorage } from "#pipeline";
import type { Executor } from "./executor.ts";
import type { EnginePorts } from "./ports.ts";
import type { RecipeBook } from "./recipe-book.ts";

/** What the parts of one engine share. */
export interface EngineParts {
  /** Id of this engine in the store: owner of its attempts. */
  readonly id: string;
  /** By its urgent lane: leases, claims and ends of attempts do not wait for what others log. */
  readonly store: MetadataStore;
  /** For what is much and can wait: the steps' logs and progress. */
  readonly patientStore: MetadataStore;
  /** What step logs are sealed into. */
  readonly objects: Blobs;
  readonly project: string;
  readonly projectFolder: string;
  readonly storeFolder: string;
  readonly kinds: KnownKinds;
  /** The first is this machine. */
  readonly executors: readonly [Executor, ...Executor[]];
  readonly ports: EnginePorts;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly leaseMs: number;
  readonly recipes: RecipeBook;
  storageOf(kind: AssetKind): AssetStorage;
  definitionOf(digest: string): Promise<PipelineDefinition>;
  /** Commit of the work tree a pipeline run reads, asked once per run. */
  commitOf(
    pipelineRunId: string,
    folder: string,
  ): Promise<{ readonly id: string; readonly dirty: boolean } | undefined>;
  /** Work that nobody waits for, except the end of the engine. Its failure is logged. */
  later(work: Promise<unknown>): void;
}

import type { Digest, Json } from "#base";
import type { AssetVersion, WriteTransaction } from "#metadata-store";
import type { CapturedFile } from "#metadata-store/data";
import type { AnalysisContext, AttemptContext, Problem } from "#pipeline";
import type { WriteDisposition } from "../../dataset.ts";
import type { IdentifiedFile } from "../capture.ts";

/**
 * Where the rows of a capture come from, as one step declares it. One file of this folder makes one kind of source.
 *
 * A source brings rows as files, whatever it reads them from: everything behind it (types, contract, quarantine,
 * versions) is the same for all.
 */
export interface Source {
  /** One line for plans, pages and lineage, without anything that is secret. */
  readonly description: string;
  /** How its rows meet those that are there, where the step does not say. */
  readonly write: WriteDisposition;
  /** Of rows with an equal key the last one stays, where the step does not say. Default: they are an error. */
  readonly duplicates?: "last";
  /**
   * What is held back where something breaks what was declared. `files` (default): also a whole file, which is there to
   * be read again. `rows`: only rows, for nothing is there to be read again; beyond a limit the run fails.
   */
  readonly keeps?: "files" | "rows";
  /** What `esteira lint` says, without asking what is outside the project. */
  analyse(context: AnalysisContext): Promise<SourceAnalysis>;
  /** What a run would find, in one line, for `esteira plan`; nothing is read. */
  preview(context: SourceContext): Promise<string>;
  /**
   * @throws what tells that the source cannot be reached, or not by these credentials
   */
  open(context: SourceContext): Promise<OpenSource>;
}

export interface SourceAnalysis {
  readonly problems: readonly Problem[];
  /** What tells that there may be something new; undefined when only reading tells: the step then always runs. */
  readonly fingerprint: Json | undefined;
}

/** The dataset that a source is read for. */
export interface SourceContext extends Pick<AttemptContext<unknown>, "project" | "step" | "projectFolder"> {
  readonly position: SourcePosition;
  /** How the step says that rows are written. */
  readonly disposition: WriteDisposition;
}

/** What a dataset has of its source already. */
export interface SourcePosition {
  readonly ledger: readonly CapturedFile[];
  /** Where the reading ended that the dataset's latest version holds; undefined to begin at the beginning. */
  readonly cursor: () => Promise<Json | undefined>;
  /** Undefined before the first version. */
  readonly latest: AssetVersion | undefined;
}

/** States: open → closed. `read` is called once. */
export interface OpenSource {
  /**
   * Everything that the position does not have. The same source, unchanged, gives the same bytes again, so that an
   * attempt that follows a dead one finds what that one wrote.
   */
  read(reader: SourceReader): Promise<SourceReading>;
  /** Called when what was read could not be published, before `close`. What it throws is not reported. */
  failed?(log: (text: string) => void): Promise<void>;
  close(): Promise<void>;
}

/** What reads a source. */
export interface SourceReader extends Pick<
  AttemptContext<unknown>,
  "workFolder" | "signal" | "log" | "progress" | "runProcess"
> {}

/** Rows that are gone from a source. */
export interface GoneRows {
  /** All that the dataset has, but those that come. */
  readonly isAll: boolean;
  /** Parquet file of their keys. */
  readonly file: IdentifiedFile | undefined;
}

/** What is new, as files to capture. */
export interface SourceReading {
  /** In the order in which they are captured. */
  readonly files: readonly IdentifiedFile[];
  /** Goes into the version that the files become, or stays unsaved with them. */
  readonly cursor: Json | undefined;
  /** Captured content that has another name now. */
  readonly moved: readonly { readonly digest: string; readonly path: string }[];
  /** For people, of what was found. */
  readonly notes: readonly string[];
  /** For people, when there is nothing to capture. */
  readonly nothingNew: string;
  /** Rows that are not in the source any more, where it says so; the dataset has a key then. */
  readonly gone?: GoneRows;
  /**
   * The source may forget what was read: called when the version is recorded, or it is recorded that there is nothing
   * new. What is missed because of a crash, the next reading makes up for.
   */
  readonly published?: () => Promise<void>;
  /** Digest of what was installed for reading it. */
  readonly environmentLock?: Digest;
  /**
   * What the source lets go of, in the transaction that records what its files became; such files are in no ledger,
   * since nobody can read them again. Throws when another run has taken them.
   */
  readonly take?: (transaction: WriteTransaction) => Promise<void>;
}

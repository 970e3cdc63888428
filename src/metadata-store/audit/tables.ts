export interface AuditTables {
  /** One row: how far events were taken into the tree. */
  event_log: {
    id: number;
    /** Leaves of the tree. */
    size: number;
    /** Highest sequence of an event that was taken. */
    last_sequence: number;
    /** JSON `[first, last, sinceMs][]`: sequences below it that were not there yet: rolled back, or still open. */
    holes: string;
    /** Name of the log in its checkpoints; null until the first one. */
    origin: string | null;
    /** C2SP verifier key of the checkpoints; null until the first one. */
    verifier_key: string | null;
  };
  /** Hashes of the tree: at level 0 those of events, above each that of a full tile below. */
  event_tile: {
    level: number;
    number: number;
    /** Base64 of up to 256 hashes of 32 bytes; only the last tile of a level has fewer. */
    hashes: string;
    /** Level 0: sequences of the events, in the order of the leaves, as ranges `1-200,203`. */
    sequences: string | null;
  };
}

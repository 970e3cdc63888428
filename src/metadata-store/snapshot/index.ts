export { openSnapshot, openSnapshotTarget } from "./open-snapshot.ts";
export type { Snapshot, SnapshotRow, SnapshotTarget, SnapshotValue } from "./snapshot.ts";

export { type EventLog, getEventLog, type Hole, lockEventLog, saveEventLog } from "./event-log.ts";
export { type EventTile, getEventTile, HASH_BYTES, listEventTiles, saveEventTiles, TILE_WIDTH } from "./event-tile.ts";
export { getLastSequence, listRawEvents, type RawEvent } from "./raw-event.ts";
export {
  aliasKey,
  DECIDING_TABLES,
  type DecidingRow,
  type DecidingTable,
  deployedKey,
  endpointKey,
  type Fact,
  grantKey,
  listDecidingRows,
} from "./deciding-row.ts";

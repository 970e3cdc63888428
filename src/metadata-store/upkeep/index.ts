export { listHeldObjects, listLogGaps, listModelSources, listVersionsAfter } from "./stored-bytes.ts";

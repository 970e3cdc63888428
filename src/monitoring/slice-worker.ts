import { parentPort } from "node:worker_threads";
import { type CodedSlices, searchCoded } from "./statistics/slice-search.ts";

/** Runs in a thread of its own: one search, one answer. */
parentPort?.once("message", (coded: CodedSlices) => {
  void searchCoded(coded).then((found) => parentPort?.postMessage(found));
});

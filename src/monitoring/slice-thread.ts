import { Worker } from "node:worker_threads";
import { entryFile } from "#base";
import { type CodedSlices, searchCoded, type SliceSearch } from "./statistics/slice-search.ts";

/**
 * Searches in a thread that ends with the search, so that requests are answered meanwhile. A thread that cannot be
 * started, or ends without an answer, leaves the search to this one, which gives way between columns.
 */
export async function searchInThread(coded: CodedSlices): Promise<SliceSearch> {
  const found = await new Promise<SliceSearch | undefined>((resolve) => {
    const worker = new Worker(entryFile("slice-worker", import.meta.url));
    worker.once("message", (answer: SliceSearch) => {
      resolve(answer);
      void worker.terminate();
    });
    worker.once("error", () => resolve(undefined)).once("exit", () => resolve(undefined));
    worker.postMessage(coded);
  });
  return found ?? searchCoded(coded);
}

import type { Route } from "./route.ts";

/** Lists of many small files go with their content. */
const LARGEST_RESULT_BYTES = 64 * 2 ** 20;
const LARGEST_LOG_BYTES = 8 * 2 ** 20;
const LARGEST_SYNC_BYTES = 2 ** 20;

function worker<const Given extends Pick<Route, "method" | "path" | "summary"> & Pick<Route, "body">>(given: Given) {
  return { surface: "workers", action: "work", resource: "pipeline-run", errors: "esteira", ...given } as const;
}

/** What workers on other machines ask: tasks, their files, and a place for what they made. */
export const workerRoutes = {
  registerWorker: worker({
    method: "POST",
    path: "workers",
    summary: "Make a worker known, with what it offers; one of the same name is no more",
    body: { largestBytes: LARGEST_SYNC_BYTES, type: "application/json" },
  }),
  syncWorker: worker({
    method: "POST",
    path: "workers/:worker/sync",
    summary: "Prolong the tasks that a worker runs, hear which are to end, get new ones; waits a while for news",
    body: { largestBytes: LARGEST_SYNC_BYTES, type: "application/json" },
  }),
  leaveWorker: worker({
    method: "DELETE",
    path: "workers/:worker",
    summary: "A worker ends; what it ran is lost",
  }),
  readTaskFile: worker({
    method: "GET",
    path: "workers/:worker/tasks/:task/blobs/:digest",
    summary: "A file of a task that the worker holds; `token` is the task's fencing token",
  }),
  writeTaskFile: worker({
    method: "PUT",
    path: "workers/:worker/tasks/:task/blobs/:digest",
    summary: "Keep a file that a task made",
    body: { streamed: true },
  }),
  appendTaskLog: worker({
    method: "POST",
    path: "workers/:worker/tasks/:task/log",
    summary: "Keep a piece of a task's log; `number` counts them, one that is kept stays",
    body: { largestBytes: LARGEST_LOG_BYTES, type: "application/json" },
  }),
  endTask: worker({
    method: "POST",
    path: "workers/:worker/tasks/:task/result",
    summary: "How a task ended, under its fencing token; said twice, the first counts",
    body: { largestBytes: LARGEST_RESULT_BYTES, type: "application/json" },
  }),
} as const satisfies Readonly<Record<string, Route>>;

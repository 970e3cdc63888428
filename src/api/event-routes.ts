import type { Route } from "./route.ts";

/** A batch of events; larger ones are files. */
export const LARGEST_EVENTS_BYTES: number = 16 * 2 ** 20;

/** What programs send that make data, row by row. */
export const eventRoutes = {
  pushEvents: {
    surface: "api",
    method: "POST",
    path: "datasets/:name/events",
    summary:
      "Keep events for a dataset: one JSON object a line, or an array of them; durable when answered. `Idempotency-Key` names the request",
    action: "push",
    resource: "dataset",
    body: { largestBytes: LARGEST_EVENTS_BYTES },
    errors: "esteira",
  },
} as const satisfies Readonly<Record<string, Route>>;

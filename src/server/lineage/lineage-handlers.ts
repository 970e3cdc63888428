import type { LineageGraph } from "#api";
import type { Platform } from "#app";
import { type Trace, traceDownstream, tracePrediction, traceVersion } from "#governance";
import { getPrediction } from "#metadata-store";
import type { ApiHandlers } from "../api/mount-api.ts";

/** Where a version or a prediction came from, and what was made of a version. */
export function createLineageHandlers({ store }: Platform): Pick<ApiHandlers, "getLineage"> {
  return {
    async getLineage({ params, query }) {
      if (query.direction === "downstream") return toGraph(await traceDownstream(store, params.id));
      const prediction = await store.read((transaction) => getPrediction(transaction, params.id));
      return toGraph(prediction === undefined ? await traceVersion(store, params.id) : await tracePrediction(store, params.id));
    },
  };
}

/** A trace as the API shows it. */
export function toGraph({ root, nodes, edges, truncated }: Trace): LineageGraph {
  return { root, nodes, edges, truncated };
}

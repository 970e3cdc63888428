import type { LineageGraph } from "#api";
import type { Platform } from "#app";
import { findNamedVersion, type Trace, traceDownstream, tracePrediction, traceVersion } from "#governance";
import { getPrediction } from "#metadata-store/serving";
import type { ApiHandlers } from "../api/api-mounts.ts";

/** Where a version or a prediction came from, and what was made of a version. */
export function createLineageHandlers({ store, project }: Platform): Pick<ApiHandlers, "getLineage"> {
  return {
    async getLineage({ params, query }) {
      const prediction = await store.read((transaction) => getPrediction(transaction, params.id));
      if (prediction !== undefined) return toGraph(await tracePrediction(store, prediction.id));
      const { id } = await findNamedVersion(store, { project, reference: params.id });
      return toGraph(
        query.direction === "downstream" ? await traceDownstream(store, id) : await traceVersion(store, id),
      );
    },
  };
}

/** A trace as the API shows it. */
export function toGraph({ root, nodes, edges, truncated }: Trace): LineageGraph {
  return { root, nodes, edges, truncated };
}

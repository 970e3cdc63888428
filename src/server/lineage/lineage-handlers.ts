import type { LineageGraph } from "#api";
import type { Platform } from "#app";
import { isId } from "#base";
import { findNamedVersion, type Trace, traceDownstream, tracePrediction, traceVersion } from "#governance";
import type { ApiHandlers } from "../api/api-mounts.ts";

/** Where a version or a prediction came from, and what was made of a version. */
export function createLineageHandlers({ store, predictions, project }: Platform): Pick<ApiHandlers, "getLineage"> {
  return {
    async getLineage({ params, query }) {
      // A prediction has an id, and no other name: what is named otherwise is not looked for among them.
      if (isId(params.id) && (await predictions.get(params.id)) !== undefined)
        return toGraph(await tracePrediction({ store, predictions }, params.id));
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

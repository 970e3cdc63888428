import type { EndpointSummary } from "#api";

/** One word for an endpoint, the same on every page: an open alert counts more than that it answers. */
export function endpointState(endpoint: Pick<EndpointSummary, "state" | "openAlertCount">): string {
  return endpoint.openAlertCount > 0 && endpoint.state === "ready" ? "alert" : endpoint.state;
}

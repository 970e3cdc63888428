import type { CodeStation, Station } from "#api";
import { address } from "./address.ts";

/** Where a station leads: its own area, or the step that stands behind it. */
export function stationAddress(station: Station): string {
  switch (station.name) {
    case "capture":
    case "transform":
    case "features":
      return station.subject === undefined || station.state === "empty" ? address.datasets() : stepAddress(station);
    case "train":
    case "test":
      return stepAddress(station);
    case "registry":
      return address.models();
    case "approve":
      return address.approvals();
    case "deploy":
      return address.releases();
    case "production":
      return address.endpoints();
  }
}

/** Where a station of the code lane leads. */
export function codeStationAddress(station: CodeStation): string {
  if (station.name === "release" && station.state !== "failed") return address.releases();
  return stepAddress(station);
}

function stepAddress(station: Pick<Station, "pipeline" | "pipelineRunId" | "stepRunId">): string {
  if (station.pipelineRunId !== undefined) {
    return station.stepRunId === undefined
      ? address.run(station.pipelineRunId)
      : address.stepRun(station.pipelineRunId, station.stepRunId);
  }
  return station.pipeline === undefined ? address.pipelines() : address.pipeline(station.pipeline);
}

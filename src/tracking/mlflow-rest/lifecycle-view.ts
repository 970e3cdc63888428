import type { LifecycleStage } from "#metadata-store/tracking";
import type { WireValue } from "./wire-value.ts";

/** By their number in the protocol, less one. */
const VIEW_TYPES = ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"];

/** Stages that a view type shows; what MLflow does not know is its default, ACTIVE_ONLY. */
export function stagesOf(viewType: WireValue | undefined): readonly LifecycleStage[] {
  const name = VIEW_TYPES.find((known, index) => viewType === known || Number(viewType) === index + 1);
  if (name === "ALL") return ["active", "deleted"];
  return name === "DELETED_ONLY" ? ["deleted"] : ["active"];
}

export type { CellExplanation } from "./explain.ts";
export {
  type Entity,
  type FeatureDefinitions,
  featureFileSchema,
  type FeatureReference,
  type FeatureService,
  type FeatureView,
} from "./feature-definitions.ts";
export type { PushPorts } from "./feature-pushes.ts";
export type { FeatureServerResponse, PushRoute } from "./feature-server.ts";
export { createFeatures, type Features, type FeaturesOptions } from "./features.ts";
export { createJoinKind, type JoinDeclaration, type JoinKindDependencies } from "./join-kind.ts";
export type { JoinedView } from "./join-plan.ts";
export type { Materialization } from "./materialize.ts";
export type { FeatureStatus, OnlineColumn, OnlineFeatureRows, OnlineRequest, OnlineValue } from "./online-read.ts";
export type { ServiceDescription } from "./service-description.ts";
export type { MaterializeRoute } from "./materialize-request.ts";
export { readProjectFeatures } from "./project-features.ts";
export { type JoinedRows, joinPointInTime, type PointInTimeJoin } from "./point-in-time-join.ts";
export type { FeatureViewStatus } from "./view-status.ts";
export { formatWindow } from "./window-feature.ts";

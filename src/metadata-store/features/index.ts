export { getDatasetOrder, recordDatasetOrder } from "./dataset-order.ts";
export { type FeatureViewState, listFeatureViewStates, setFeatureViewState } from "./feature-view-state.ts";
export {
  deleteOldOnlineFeatures,
  getFirstOnlineFeature,
  getOnlineFeatures,
  type OnlineFeature,
  putOnlineFeatures,
} from "./online-feature.ts";
export {
  deleteExpiredPushes,
  deleteOvertakenPushes,
  getPushedFeatures,
  type PushedFeature,
  type PushedFeatureCount,
  putPushedFeatures,
  sumPushedFeatures,
} from "./pushed-feature.ts";

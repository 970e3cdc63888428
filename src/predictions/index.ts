export type { MovedEndpoint, MoveRequest } from "./move-predictions.ts";
export { createPredictions, type LabelBatch, type Predictions, type PredictionsOptions } from "./predictions.ts";
export type { ScanRange } from "./scan.ts";

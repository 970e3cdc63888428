import { z } from "zod";
import type { RouteSchemas } from "./route.ts";

const time = z.union([z.number(), z.string()]).describe("epoch milliseconds, or ISO 8601");
const key = z.union([z.string(), z.int()]).describe("the caller's key of a row, by which labels find it later");
const records = z.array(z.record(z.string(), z.unknown()));
const tensor = z.object({
  name: z.string(),
  shape: z.array(z.int()),
  datatype: z.string(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  data: z.array(z.unknown()).optional(),
});
const label = z.object({
  id: z.string().optional().describe("the prediction's id"),
  entityKey: key.optional(),
  label: z.union([z.number(), z.boolean(), z.string()]),
  at: time.optional(),
});
const tensors = z.object({
  id: z.string().optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  inputs: z.array(tensor),
  outputs: z.array(z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()).optional() })).optional(),
});

const frame = z.record(z.string(), z.array(z.unknown())).describe("lists of one length, by column");
const materialized = { feature_views: z.array(z.string()).nullable().optional().describe("default: all") };
const materializeQuery = z.object({
  async: z.enum(["true", "false"]).optional().describe("true: do not wait"),
  force: z.enum(["true", "false"]).optional().describe("true: also while one is under way"),
});
const generated = z
  .looseObject({ id: z.string().optional(), parameters: z.record(z.string(), z.unknown()).optional() })
  .describe("the columns of one row, each by its name");

/**
 * Bodies of endpoints, monitors and online features, for the description. Their protocols read them themselves, value
 * by value, and say more of what is wrong than a schema could.
 */
export const servingSchemas = {
  predictRows: {
    body: z.object({
      rows: z.array(z.object({ id: key.optional(), at: time.optional(), features: z.record(z.string(), z.unknown()) })),
    }),
  },
  invoke: {
    body: z
      .object({
        dataframe_split: z.object({ columns: z.array(z.string()), data: z.array(z.array(z.unknown())) }).optional(),
        dataframe_records: records.optional(),
        instances: z.unknown().optional(),
        inputs: z.unknown().optional(),
        ids: z.array(key).optional(),
        at: z.array(time).optional(),
        stream: z.boolean().optional().describe("one row in parts, as server-sent events"),
      })
      .describe("exactly one of dataframe_split, dataframe_records, instances, inputs; or CSV"),
  },
  infer: { body: tensors },
  inferVersion: { body: tensors },
  generateStream: { body: generated },
  generateVersionStream: { body: generated },
  indexRepository: { body: z.object({ ready: z.boolean().optional() }) },
  predictInstances: { body: z.object({ instances: z.array(z.unknown()) }) },
  recordLabels: { body: z.object({ labels: z.array(label), until: time.optional() }) },
  evaluate: { body: z.object({ until: time.optional() }) },
  getOnlineFeatures: {
    body: z
      .object({
        features: z.array(z.string()).optional(),
        feature_service: z.string().optional(),
        entities: z.record(z.string(), z.array(z.unknown())),
        full_feature_names: z.boolean().optional(),
      })
      .describe("one of features and feature_service"),
  },
  materialize: {
    query: materializeQuery,
    body: z.object({
      start_ts: z.string().describe("ISO 8601; the times are checked, and decide nothing"),
      end_ts: z.string(),
      ...materialized,
    }),
  },
  materializeIncremental: { query: materializeQuery, body: z.object({ end_ts: z.string(), ...materialized }) },
  pushFeatures: {
    body: z.object({
      push_source_name: z.string(),
      df: frame,
      to: z.enum(["online", "offline", "online_and_offline"]).optional().describe("default: online"),
      allow_registry_cache: z.boolean().optional(),
      transform_on_write: z.boolean().optional(),
    }),
  },
  writeToOnlineStore: {
    body: z.object({
      feature_view_name: z.string(),
      df: frame,
      allow_registry_cache: z.boolean().optional(),
      transform_on_write: z.boolean().optional(),
    }),
  },
} as const satisfies Readonly<Record<string, RouteSchemas>>;

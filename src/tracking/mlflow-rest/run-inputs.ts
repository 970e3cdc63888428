import { mlflowRoutes } from "#api";
import { logDatasets, logRunModels, type RunDataset } from "#metadata-store/tracking";
import { parameterInvalid } from "../errors.ts";
import type { MlflowMessage } from "./message.ts";
import { assertLength } from "./name-rules.ts";
import type { MlflowCall } from "./call.ts";
import { activeRun, route, runIdOf, type TrackingContext } from "./tracking-call.ts";

const MOST_DATASETS = 1000;
const LONGEST = { name: 500, digest: 36, source: 65_535, schema: 1_048_575, profile: 16_777_215 } as const;
const LONGEST_TAG_KEY = 255;
const LONGEST_TAG_VALUE = 500;

/** `runs/log-inputs` */
export function runInputRoutes(context: TrackingContext): readonly MlflowCall[] {
  return [
    route(context, mlflowRoutes.logInputs, async ({ fields, atMs }) => {
      const runId = runIdOf(fields);
      const inputs = fields.messages("datasets");
      if (inputs.length > MOST_DATASETS)
        throw parameterInvalid({
          message: `A run takes at most ${MOST_DATASETS} datasets in one request. Got ${inputs.length}.`,
        });
      const datasets = inputs.map(readDataset);
      const models = fields.messages("models").map((model) => ({ modelId: model.requiredString("model_id"), step: 0 }));
      await context.store.write(async (transaction) => {
        const run = await activeRun(transaction, runId);
        await logDatasets(transaction, run, datasets, atMs);
        await logRunModels(transaction, { run: run.number, direction: "input", models, atMs });
      });
      return {};
    }),
  ];
}

function readDataset(input: MlflowMessage): RunDataset {
  const dataset = input.message("dataset");
  const read = (field: keyof typeof LONGEST): string | undefined => {
    const text = dataset?.string(field);
    if (text !== undefined) assertLength(field, text, LONGEST[field]);
    return text;
  };
  const tags = input.messages("tags").map((tag) => {
    const pair = { key: tag.requiredString("key"), value: tag.string("value") ?? "" };
    assertLength("key", pair.key, LONGEST_TAG_KEY);
    assertLength("value", pair.value, LONGEST_TAG_VALUE);
    return pair;
  });
  return {
    name: read("name") ?? "",
    digest: read("digest") ?? "",
    sourceType: dataset?.string("source_type") ?? "",
    source: read("source") ?? "",
    schema: read("schema"),
    profile: read("profile"),
    tags,
  };
}

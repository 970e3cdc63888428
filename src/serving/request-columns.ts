import type { Endpoint } from "#metadata-store/serving";
import type { LoadedModel } from "./loaded-model.ts";
import type { ModelInput } from "./model-signature.ts";
import type { OnlineFeatures } from "./ports.ts";

/** One column as whoever calls an endpoint sees it. */
export interface RequestColumn {
  readonly name: string;
  readonly type: ModelInput["type"];
  /** False: the feature service reads it, unless the caller sends it. */
  readonly required: boolean;
  readonly nullable: boolean;
  readonly role: "join key" | "input" | "feature";
}

/**
 * Columns of an endpoint's requests: join keys, then what the caller alone knows, then what is read online but may be
 * sent.
 */
export async function requestColumns(
  endpoint: Endpoint,
  model: LoadedModel,
  features: OnlineFeatures | undefined,
): Promise<readonly RequestColumn[]> {
  const { inputs } = model.signature;
  const service = endpoint.options.featureService;
  if (service === undefined || features === undefined)
    return inputs.map((input) => ({ ...input, required: true, role: "input" as const }));
  const description = await features.describeService(service);
  const own = inputs.filter(({ name }) => !description.features.has(name));
  // A key that is an input of the model too is listed once, with the model's type.
  const keys = description.keys.map((name): RequestColumn => ({
    name,
    type: inputs.find((input) => input.name === name)?.type ?? "string",
    required: true,
    nullable: false,
    role: "join key",
  }));
  return [
    ...keys,
    ...own
      .filter(({ name }) => !description.keys.includes(name))
      .map((input) => ({ ...input, required: true, role: "input" as const })),
    ...inputs
      .filter(({ name }) => description.features.has(name))
      .map((input) => ({ ...input, required: false, role: "feature" as const })),
  ];
}

/**
 * A request that the endpoint accepts: the model's example, with join keys that the online store knows in place of what
 * is read there.
 */
export async function exampleRequest(
  endpoint: Endpoint,
  model: LoadedModel,
  features: OnlineFeatures | undefined,
): Promise<{ readonly row: Readonly<Record<string, unknown>>; readonly atMs: number | undefined } | undefined> {
  const { example } = model.signature;
  const service = endpoint.options.featureService;
  if (service === undefined || features === undefined)
    return example === undefined ? undefined : { row: example, atMs: undefined };
  const columns = await requestColumns(endpoint, model, features);
  const known = await features.exampleKeys(service);
  const required = columns.filter(({ required: isRequired, role }) => isRequired && role === "input");
  if (known === undefined || required.some(({ name }) => example?.[name] === undefined)) return undefined;
  return {
    row: { ...known.keys, ...Object.fromEntries(required.map(({ name }) => [name, example?.[name]])) },
    atMs: known.atMs,
  };
}

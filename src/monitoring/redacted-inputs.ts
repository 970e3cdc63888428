import type { MetadataStore } from "#metadata-store";
import { type EndpointKey, getEndpoint } from "#metadata-store/serving";
import type { Reference } from "./reference.ts";

/**
 * A reference without the inputs that the endpoint's log leaves out: what is not kept is not compared, instead of
 * counting as missing in every row.
 */
export async function withoutRedacted(
  store: MetadataStore,
  key: EndpointKey,
  reference: Reference,
): Promise<Reference> {
  const endpoint = await store.read((transaction) => getEndpoint(transaction, key));
  const redacted = new Set(endpoint?.options.log?.redact);
  if (redacted.size === 0) return reference;
  const { model } = reference;
  return { ...reference, model: { ...model, inputs: model.inputs.filter(({ name }) => !redacted.has(name)) } };
}

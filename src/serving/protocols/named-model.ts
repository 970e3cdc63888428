import { endpointUnknown } from "../errors.ts";
import type { LoadedModel } from "../loaded-model.ts";
import type { ProtocolContext } from "./exchange.ts";

/**
 * The model of an address is the endpoint itself, in the version that answers now.
 *
 * @param named what the caller names of it: the endpoint or the asset, and a version
 * @throws SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY
 */
export async function assertModel(
  { endpoints, key }: ProtocolContext,
  named: { readonly model?: string | undefined; readonly version?: string | undefined },
): Promise<LoadedModel> {
  const { model = key.endpoint, version } = named;
  const loaded = await endpoints.model(key);
  const isKnown =
    [key.endpoint, loaded.version.asset].includes(model) &&
    (version === undefined || version === String(loaded.version.version));
  if (isKnown) return loaded;
  throw endpointUnknown({
    environment: key.environment,
    endpoint: `${model}${version === undefined ? "" : ` version ${version}`}`,
    known: [`${key.endpoint} version ${loaded.version.version}`],
  });
}

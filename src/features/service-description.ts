import type { FeatureDefinitions, MissingPolicy } from "./feature-definitions.ts";
import { planOnlineRead } from "./online-read.ts";

/** What whoever calls an endpoint with a feature service must know of it. */
export interface ServiceDescription {
  /** Join keys that each row must bring. */
  readonly keys: readonly string[];
  /** Features by their final name, with what is done when they are missing; undefined: the endpoint decides. */
  readonly features: ReadonlyMap<string, MissingPolicy | undefined>;
}

/** @throws FEATURES_NAME_UNKNOWN, FEATURES_NAME_COLLISION */
export function describeService(definitions: FeatureDefinitions, name: string): ServiceDescription {
  const joined = planOnlineRead(definitions, name);
  const service = definitions.services.get(name);
  const policies = new Map<string, MissingPolicy | undefined>();
  for (const reference of service?.features ?? []) {
    const view = definitions.views.get(reference.view);
    for (const column of reference.features ?? view?.features ?? []) {
      const final = service?.fullNames === true ? `${reference.as ?? reference.view}__${column}` : column;
      policies.set(final, reference.onMissing ?? service?.onMissing);
    }
  }
  return { keys: [...new Set(joined.flatMap(({ keys }) => keys.map(({ spine }) => spine)))], features: policies };
}

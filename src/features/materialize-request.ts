import { nearestName } from "#base";
import { z } from "zod";
import { notFound, requestInvalid } from "./errors.ts";
import { parseFeastJson } from "./feast-json.ts";
import type { FeatureDefinitions, FeatureView } from "./feature-definitions.ts";
import { describeValue, instantOf } from "./pushed-value.ts";

/** The routes by which Feast's clients ask for materialization. */
export type MaterializeRoute = "materialize" | "materialize-incremental";

const schema = z.object({
  start_ts: z.string().nullish(),
  end_ts: z.string().nullish(),
  feature_views: z.array(z.string()).nullish(),
  disable_event_timestamp: z.boolean().nullish(),
  full_feature_names: z.boolean().nullish(),
  version: z.string().nullish(),
});
const EXPECTED = '{"start_ts": "2026-01-01T00:00:00Z", "end_ts": "2026-02-01T00:00:00Z", "feature_views": ["VIEW"]}';

/**
 * The views that a request means; all of them without a list. Its times must be times, and decide nothing: what comes
 * online is the newest version of each source, whole.
 *
 * @throws FEATURES_REQUEST_INVALID, FEATURES_NAME_UNKNOWN
 */
export function viewsToMaterialize(
  route: MaterializeRoute,
  body: string,
  { views }: FeatureDefinitions,
): readonly FeatureView[] {
  const checked = schema.safeParse(parseFeastJson(body));
  const refuse = (found: string): Error => requestInvalid({ found, expected: EXPECTED });
  if (!checked.success)
    throw refuse(checked.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "));
  const { start_ts: start, end_ts: end, feature_views: names, version } = checked.data;
  if (version !== null && version !== undefined)
    throw refuse(`"version" is ${describeValue(version)}, and feature views have no versions here`);
  const needed = route === "materialize" ? { start_ts: start, end_ts: end } : { end_ts: end };
  for (const [name, value] of Object.entries(needed)) {
    if (checked.data.disable_event_timestamp === true && route === "materialize") continue;
    if (instantOf(value) === undefined) throw refuse(`"${name}" is ${describeValue(value ?? null)}`);
  }
  const [startUs, endUs] = [instantOf(start), instantOf(end)];
  if (startUs !== undefined && endUs !== undefined && startUs >= endUs)
    throw refuse(`"start_ts" is not before "end_ts"`);
  const known = [...views.keys()];
  return [...new Set(names ?? known)].map((name) => {
    const view = views.get(name);
    if (view === undefined) throw notFound({ kind: "feature view", name, nearest: nearestName(name, known), known });
    return view;
  });
}

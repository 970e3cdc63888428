import { nearestName } from "#base";
import {
  type AssetVersion,
  getAssetVersion,
  listAssets,
  type MetadataStore,
  type ReadTransaction,
} from "#metadata-store";
import { scoredVersionMissing } from "./errors.ts";

const MOST_ASSETS = 1000;
const MOST_NAMED = 20;

/**
 * A version of a model or a dataset of a project; the latest one where none is named.
 *
 * @throws SERVING_SCORE_VERSION_MISSING with the nearest name
 */
export function findScored(
  store: MetadataStore,
  wanted: {
    readonly project: string;
    readonly kind: "model" | "dataset";
    readonly name: string;
    readonly version?: number | undefined;
  },
): Promise<AssetVersion> {
  const { project, kind, name, version } = wanted;
  const kinds = kind === "model" ? ["model"] : ["data", "features"];
  return store.read(async (transaction) => {
    const asked = { project, asset: name, ...(version === undefined ? {} : { version }) };
    const found = await getAssetVersion(transaction, asked);
    if (found !== undefined && kinds.includes(found.kind)) return found;
    const latest = await getAssetVersion(transaction, { project, asset: name });
    const known = await namesOf(transaction, project, kinds);
    throw scoredVersionMissing({
      kind,
      name,
      version,
      latest: latest !== undefined && kinds.includes(latest.kind) ? latest.version : undefined,
      known: known.slice(0, MOST_NAMED),
      nearest: nearestName(name, known),
    });
  });
}

async function namesOf(
  transaction: ReadTransaction,
  project: string,
  kinds: readonly string[],
): Promise<readonly string[]> {
  const assets = await listAssets(transaction, { project, limit: MOST_ASSETS });
  return assets.filter(({ kind }) => kinds.includes(kind)).map(({ asset }) => asset);
}

import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import {
  type FeatureViewState,
  listFeatureViewStates,
  type PushedFeatureCount,
  sumPushedFeatures,
} from "#metadata-store/features";
import type { FeatureView } from "./feature-definitions.ts";
import { digestOfView } from "./materialize.ts";

/** How far the online values of a view have followed its source. */
export interface FeatureViewStatus {
  readonly view: FeatureView;
  /** Newest version of the source; undefined before there is one. */
  readonly source: AssetVersion | undefined;
  /** What is online; undefined before the first, and while another definition of the view is. */
  readonly online: FeatureViewState | undefined;
  /** True when online reads see the newest version of the source. */
  readonly isCurrent: boolean;
  /** Of a view with a push source. */
  readonly pushes: PushedFeatureCount | undefined;
}

/** The status of views, by name. */
export async function listViewStatus(
  store: MetadataStore,
  project: string,
  views: Iterable<FeatureView>,
): Promise<readonly FeatureViewStatus[]> {
  const ordered = [...views].sort((left, right) => (left.name < right.name ? -1 : 1));
  return store.read(async (transaction) => {
    const states = new Map((await listFeatureViewStates(transaction, project)).map((state) => [state.view, state]));
    return Promise.all(
      ordered.map(async (view) => {
        const source = await getAssetVersion(transaction, { project, asset: view.source });
        const state = states.get(view.name);
        const online = state?.definitionDigest === digestOfView(view) ? state : undefined;
        const pushes =
          view.push === undefined ? undefined : await sumPushedFeatures(transaction, { project, view: view.name });
        return {
          view,
          source,
          online,
          isCurrent: source !== undefined && online !== undefined && online.sourceVersion >= source.version,
          pushes,
        };
      }),
    );
  });
}

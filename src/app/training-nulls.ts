import { readProfile } from "#data";
import { getAssetVersion, type MetadataStore } from "#metadata-store";
import { readModelContent } from "#models";
import type { Blobs } from "#storage";
import type { TrainingNulls } from "#serving";

/**
 * Columns with nulls, by the profile of the data that a model was trained on; undefined without a record or a profile.
 */
export function createTrainingNulls({
  store,
  objects,
}: {
  readonly store: MetadataStore;
  readonly objects: Blobs;
}): TrainingNulls {
  return async (modelVersionId) => {
    const training = await store.read(async (transaction) => {
      const version = await getAssetVersion(transaction, { id: modelVersionId });
      const record = version === undefined ? undefined : readModelContent(version).record;
      return record?.training === undefined
        ? undefined
        : getAssetVersion(transaction, { id: record.training.versionId });
    });
    const profile =
      training === undefined ? undefined : await readProfile(objects, training.content as { readonly profile?: never });
    // A profile of an older release may hold no columns.
    if (profile === undefined || profile.columns.length === 0) return undefined;
    return new Set(
      profile.columns.filter(({ nullCount, nanCount = 0 }) => nullCount + nanCount > 0).map(({ name }) => name),
    );
  };
}

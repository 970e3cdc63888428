import { isEsteiraError } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  getRegisteredModel,
  isPromptModel,
  modelAliasMissing,
  type ModelVersion,
  modelVersionMissing,
  registeredModelMissing,
} from "#metadata-store/registry";
import { findVersion } from "#registry";

/** `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/NAME/latest`: as MLflow's clients write them. */
const ADDRESS = /^models:\/(?<target>(?<name>[^/:@]+)(?:\/(?:\d{1,9}|latest)|@[^/@]+))$/;

/** A version of the registry, as it is named. */
export interface RegisteredAddress {
  readonly name: string;
  /** Without `models:/`. */
  readonly target: string;
}

/** @returns undefined for what is no address of a version */
export function parseRegisteredAddress(text: string): RegisteredAddress | undefined {
  const { name, target } = ADDRESS.exec(text)?.groups ?? {};
  return name === undefined || target === undefined ? undefined : { name, target };
}

/** The version that an address means now; undefined where the project has none. */
export async function findRegisteredVersion(
  store: MetadataStore,
  project: string,
  { name, target }: RegisteredAddress,
): Promise<ModelVersion | undefined> {
  return store.read(async (transaction) => {
    try {
      const model = await getRegisteredModel(transaction, name);
      if (model.project !== project || (await isPromptModel(transaction, name))) return undefined;
      return await findVersion(transaction, target);
    } catch (error) {
      if (MISSING.some(({ code }) => isEsteiraError(error, code))) return undefined;
      throw error;
    }
  });
}

const MISSING = [registeredModelMissing, modelAliasMissing, modelVersionMissing];

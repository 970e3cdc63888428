import { isEsteiraError } from "#base";
import type { MetadataStore, ReadTransaction } from "#metadata-store";
import {
  getModelVersion,
  getModelVersionByAlias,
  getRegisteredModel,
  isPromptModel,
  modelAliasMissing,
  type ModelVersion,
  modelVersionMissing,
  registeredModelMissing,
} from "#metadata-store/registry";

/** `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/NAME/latest`: as MLflow's clients write them. */
const ADDRESS = /^models:\/(?<name>[^/:@]+)(?:\/(?<version>\d{1,9}|latest)|@(?<alias>[^/@]+))$/;

/** A version of the registry, as it is named. */
export interface RegisteredAddress {
  readonly name: string;
  /** A number, or the name of an alias; `latest` is the newest version. */
  readonly version: number | string;
}

/** @returns undefined for what is no address of a version */
export function parseRegisteredAddress(text: string): RegisteredAddress | undefined {
  const groups = ADDRESS.exec(text)?.groups;
  const { name, version, alias } = groups ?? {};
  if (name === undefined) return undefined;
  return { name, version: alias ?? (version === undefined || version === "latest" ? "latest" : Number(version)) };
}

/** The version that an address means now; undefined where the project has none. */
export async function findRegisteredVersion(
  store: MetadataStore,
  project: string,
  { name, version }: RegisteredAddress,
): Promise<ModelVersion | undefined> {
  return store.read(async (transaction) => {
    try {
      const model = await getRegisteredModel(transaction, name);
      if (model.project !== project || (await isPromptModel(transaction, name))) return undefined;
      return await find(transaction, name, version);
    } catch (error) {
      if (MISSING.some(({ code }) => isEsteiraError(error, code))) return undefined;
      throw error;
    }
  });
}

const MISSING = [registeredModelMissing, modelAliasMissing, modelVersionMissing];

function find(transaction: ReadTransaction, name: string, version: number | string): Promise<ModelVersion> {
  return typeof version === "number"
    ? getModelVersion(transaction, { name, version })
    : getModelVersionByAlias(transaction, { name, alias: version });
}

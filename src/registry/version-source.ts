import { isEsteiraError } from "#base";
import type { ReadTransaction } from "#metadata-store";
import { getLoggedModel, getModelVersion, getModelVersionByAlias, getRunLocation } from "#metadata-store/registry";
import { hasNul, hasParentSegment, localPath, parameterInvalid } from "#tracking";

const MODELS_URI = /^models:\/+([^?#]+)$/;

/** What a version's source means: where the files are, and what more is known of it. */
export interface ResolvedSource {
  readonly storageLocation: string;
  readonly runId: string | undefined;
  readonly loggedModelId: string | undefined;
}

/**
 * Checks and resolves the source of a new model version, as a client gave it.
 *
 * `models:/…` is followed to where the files are; a local path must lie in the artifact folder of the given run or
 * logged model; anything with `..` in it, however encoded, is refused, also in a query or a fragment, and for prompts.
 * Whatever is stored here, the server reads files below its own artifact root only.
 *
 * @throws TRACKING_PARAMETER_INVALID with MLflow's sentence, METADATA_STORE_LOGGED_MODEL_MISSING
 */
export async function resolveSource(
  transaction: ReadTransaction,
  facts: {
    readonly source: string;
    readonly runId: string | undefined;
    readonly loggedModelId: string | undefined;
    readonly isPrompt: boolean;
  },
): Promise<ResolvedSource> {
  const { source } = facts;
  if (hasParentSegment(source) || hasNul(source)) {
    throw parameterInvalid({
      message: `Invalid model version source: '${source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.`,
    });
  }
  const models = MODELS_URI.exec(source);
  if (models !== null)
    return withLoggedModel(transaction, facts, await followModelsUri(transaction, source, models[1] ?? ""));
  if (facts.isPrompt) assertPromptSource(source);
  else await assertLocalSource(transaction, facts);
  return withLoggedModel(transaction, facts, { storageLocation: source, loggedModelId: undefined });
}

async function followModelsUri(
  transaction: ReadTransaction,
  source: string,
  target: string,
): Promise<{ storageLocation: string; loggedModelId: string | undefined }> {
  try {
    if (!target.includes("/") && !target.includes("@")) {
      const model = await getLoggedModel(transaction, target);
      return { storageLocation: model.artifactUri, loggedModelId: model.id };
    }
    const version = await findVersion(transaction, target);
    return { storageLocation: version.storageLocation, loggedModelId: undefined };
  } catch (error) {
    if (!isEsteiraError(error) || error.status >= 500) throw error;
    throw parameterInvalid(
      { message: `Unable to fetch model from model URI source artifact location '${source}'.Error: ${error.message}` },
      error,
    );
  }
}

/**
 * The version that `NAME/VERSION`, `NAME@ALIAS` or `NAME/ALIAS` means now. @throws
 * METADATA_STORE_REGISTERED_MODEL_MISSING, METADATA_STORE_MODEL_VERSION_MISSING, METADATA_STORE_MODEL_ALIAS_MISSING
 */
export async function findVersion(transaction: ReadTransaction, target: string): ReturnType<typeof getModelVersion> {
  const at = target.lastIndexOf("@");
  if (at >= 0) return getModelVersionByAlias(transaction, { name: target.slice(0, at), alias: target.slice(at + 1) });
  const slash = target.lastIndexOf("/");
  const [name, version] = [target.slice(0, slash), target.slice(slash + 1)];
  if (/^\d+$/.test(version)) return getModelVersion(transaction, { name, version: Number(version) });
  return getModelVersionByAlias(transaction, { name, alias: version });
}

async function withLoggedModel(
  transaction: ReadTransaction,
  facts: { readonly runId: string | undefined; readonly loggedModelId: string | undefined },
  found: { readonly storageLocation: string; readonly loggedModelId: string | undefined },
): Promise<ResolvedSource> {
  const loggedModelId = facts.loggedModelId ?? found.loggedModelId;
  if (loggedModelId === undefined) return { storageLocation: found.storageLocation, runId: facts.runId, loggedModelId };
  const model = await getLoggedModel(transaction, loggedModelId);
  return { storageLocation: found.storageLocation, runId: facts.runId ?? model.sourceRunId, loggedModelId };
}

async function assertLocalSource(
  transaction: ReadTransaction,
  {
    source,
    runId,
    loggedModelId,
  }: { readonly source: string; readonly runId: string | undefined; readonly loggedModelId: string | undefined },
): Promise<void> {
  if (!isLocal(source)) return;
  const path = localPath(source);
  const roots = [
    runId === undefined ? undefined : (await getRunLocation(transaction, runId))?.artifactUri,
    loggedModelId === undefined ? undefined : (await getLoggedModel(transaction, loggedModelId)).artifactUri,
  ];
  if (path !== undefined && roots.some((root) => root !== undefined && isInside(path, localPath(root)))) return;
  throw parameterInvalid({
    message: `Invalid model version source: '${path ?? source}'. To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.`,
  });
}

/** Prompts have no files: clients send a word in place of a source. A path would be read as one. */
function assertPromptSource(source: string): void {
  if (!isLocal(source) || /^[\w-]+$/.test(source)) return;
  throw parameterInvalid({
    message: `Invalid prompt source: '${source}'. Local source paths are not allowed for prompts.`,
  });
}

/** `file:`, absolute paths of any system, and whatever has no scheme. */
function isLocal(source: string): boolean {
  return /^file:/i.test(source) || /^[A-Za-z]:[\\/]/.test(source) || !/^[A-Za-z][\w+.-]*:/.test(source);
}

function isInside(path: string, folder: string | undefined): boolean {
  return folder !== undefined && (path === folder || path.startsWith(`${folder.replace(/\/+$/, "")}/`));
}

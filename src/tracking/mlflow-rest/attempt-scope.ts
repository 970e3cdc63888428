import type { ResourceKind, Route } from "#api";
import type { MetadataStore, ReadTransaction } from "#metadata-store";
import { getLoggedModel, getRunLocation } from "#metadata-store/registry";
import { ATTEMPT_TAG, findExperiment, findRunOfAttempt, isRunOfAttempt } from "#metadata-store/tracking";
import type { ArtifactFolder } from "../artifact-folder.ts";
import { artifactSegments } from "../artifact-path.ts";
import { attemptScopeExceeded } from "../errors.ts";
import type { CallingAttempt, MlflowRequest } from "./call.ts";
import { parseExperimentId, runIdOf } from "./tracking-call.ts";

/**
 * What the token of an attempt may log to: the MLflow run of its step, the runs it makes itself, logged models of its
 * experiment or its own making, and the artifacts of both. That it may log at all was checked before.
 */
export interface AttemptScope {
  /** @throws TRACKING_ATTEMPT_SCOPE */
  assertWithin(
    attempt: CallingAttempt,
    route: Route,
    request: Pick<MlflowRequest, "message" | "params" | "query">,
  ): Promise<void>;
}

type Scoped = Pick<MlflowRequest, "message" | "params" | "query">;
type Deps = { readonly store: MetadataStore; readonly artifacts: ArtifactFolder };
type Check = (deps: Deps, attempt: CallingAttempt, request: Scoped, route: Route) => Promise<void>;

/** What an attempt may log to, and how that is known to be its own. Anything else is not. */
const CHECKS: Readonly<Partial<Record<ResourceKind, Check>>> = {
  run: ({ store }, attempt, request, { body }) =>
    assertRun(store, attempt, request, body !== undefined && "streamed" in body),
  experiment: ({ store }, attempt, request) => assertExperiment(store, attempt, request),
  "logged-model": ({ store }, attempt, { params }) => assertLoggedModel(store, attempt, params["modelId"] ?? ""),
  artifact: (deps, attempt, { params }) => assertArtifact(deps, attempt, params["*"] ?? ""),
  /** A new experiment is its own. */
  project: async () => undefined,
  /** A part goes to an upload whose secret id was handed to who may write the file. */
  upload: async () => undefined,
};

export function createAttemptScope({ store, artifacts }: Deps): AttemptScope {
  return {
    async assertWithin(attempt, route, request) {
      if (route.action !== "log") return;
      const check = CHECKS[route.resource];
      if (check === undefined)
        throw attemptScopeExceeded({ attemptId: attempt.attemptId, what: `call ${route.method} ${route.path}` });
      await check({ store, artifacts }, attempt, request, route);
    },
  };
}

async function assertRun(
  store: MetadataStore,
  attempt: CallingAttempt,
  request: Scoped,
  inQuery: boolean,
): Promise<void> {
  const { attemptId } = attempt;
  const runId = inQuery
    ? (request.query.get("run_uuid") ?? request.query.get("run_id") ?? "")
    : runIdOf(await request.message());
  if (!(await store.read((transaction) => isRunOfAttempt(transaction, { runId, attemptId }))))
    throw attemptScopeExceeded({ attemptId, what: `write run ${runId}` });
  if (inQuery) return;
  const fields = await request.message();
  // A metric may belong to a logged model beside the run.
  for (const modelId of new Set(
    [fields, ...fields.messages("metrics")].map((metric) => metric.string("model_id") ?? ""),
  )) {
    if (modelId !== "") await assertLoggedModel(store, attempt, modelId);
  }
}

/**
 * New runs and logged models go to an experiment of the attempt's own project. One that is not there is the handler's
 * to refuse.
 */
async function assertExperiment(
  store: MetadataStore,
  { attemptId, project }: CallingAttempt,
  request: Scoped,
): Promise<void> {
  const text = (await request.message()).requiredString("experiment_id");
  const experiment = await store.read((transaction) =>
    findExperiment(transaction, { experimentId: parseExperimentId(text) }),
  );
  if (experiment === undefined || experiment.project === project || experiment.experimentId === 0) return;
  throw attemptScopeExceeded({ attemptId, what: `write to experiment ${text} of another project` });
}

async function assertLoggedModel(store: MetadataStore, attempt: CallingAttempt, id: string): Promise<void> {
  if (!(await store.read((transaction) => ownsLoggedModel(transaction, attempt, id))))
    throw attemptScopeExceeded({ attemptId: attempt.attemptId, what: `write logged model ${id}` });
}

async function ownsLoggedModel(
  transaction: ReadTransaction,
  { attemptId }: CallingAttempt,
  id: string,
): Promise<boolean> {
  const model = await getLoggedModel(transaction, id, { withDeleted: true });
  if (model.tags.some(({ key, value }) => key === ATTEMPT_TAG && value === attemptId)) return true;
  const run = await findRunOfAttempt(transaction, attemptId);
  return run !== undefined && String(run.experimentId) === model.experimentId;
}

/** A path belongs to the run or the logged model whose id is in it, if it lies below that one's location. */
async function assertArtifact({ store, artifacts }: Deps, attempt: CallingAttempt, path: string): Promise<void> {
  const segments = artifactSegments(path);
  const locations = await store.read(async (transaction) => {
    const found: string[] = [];
    for (const segment of new Set(segments)) {
      if (
        /^[0-9a-f]{32}$/.test(segment) &&
        (await isRunOfAttempt(transaction, { runId: segment, attemptId: attempt.attemptId }))
      ) {
        found.push((await getRunLocation(transaction, segment))?.artifactUri ?? "");
      } else if (/^m-[0-9a-f]{32}$/.test(segment) && (await ownsLoggedModel(transaction, attempt, segment))) {
        found.push((await getLoggedModel(transaction, segment, { withDeleted: true })).artifactUri);
      }
    }
    return found;
  });
  const whole = `${segments.join("/")}/`;
  const isBelow = (location: string): boolean => {
    const held = artifacts.at(location);
    // What clients write to themselves is not reached by the path of a call.
    return held.folder === artifacts && whole.startsWith(`${held.path}/`);
  };
  if (locations.some((location) => location !== "" && isBelow(location))) return;
  throw attemptScopeExceeded({ attemptId: attempt.attemptId, what: `write the artifact ${path}` });
}

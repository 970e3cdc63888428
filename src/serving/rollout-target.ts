import { newId } from "#base";
import type { KeptTrial, OpenTrial, Outcomes, RolloutTarget, TrialChange, TrialVerdict } from "#delivery";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import {
  beginTrial,
  countLabels,
  type Endpoint,
  type EndpointKey,
  type EndpointTrial,
  getEndpoint,
  getOpenTrial,
  listEndpoints,
  listLabelled,
  listTrials,
  saveEndpoint,
  type TrialArmKey,
} from "#metadata-store/serving";
import type { Endpoints } from "./endpoints.ts";

export interface RolloutTargetOptions {
  readonly store: MetadataStore;
  readonly endpoints: Endpoints;
}

type Tried = Endpoint & {
  readonly strategy: Exclude<Endpoint["strategy"], { kind: "direct" }>;
  readonly candidateVersionId: string;
};

const SHOWN_TRIALS = 10;
const LARGEST_COUNT = 1000;

/** `RolloutTarget` of `delivery`: trials as the store keeps them, and the switch at their end. */
export function createRolloutTarget({ store, endpoints }: RolloutTargetOptions): RolloutTarget {
  const readOutcomes = createOutcomeReader(store);
  return {
    async listOpen() {
      const deployed = await store.read((transaction) => listEndpoints(transaction, { limit: LARGEST_COUNT }));
      const open: OpenTrial[] = [];
      for (const endpoint of deployed) {
        const trial = isTried(endpoint) ? await openTrial(store, endpoint) : undefined;
        if (trial !== undefined) open.push(trial);
      }
      return open;
    },
    async findOpen(place) {
      const endpoint = await store.read((transaction) => getEndpoint(transaction, place));
      return endpoint !== undefined && isTried(endpoint) ? openTrial(store, endpoint) : undefined;
    },
    async list(place) {
      const trials = await store.read((transaction) => listTrials(transaction, { ...place, limit: SHOWN_TRIALS }));
      return trials.flatMap((trial) => toKept(trial) ?? []);
    },
    outcomes: readOutcomes,
    async move(trial, change) {
      const moved = await store.write((transaction) => moveEndpoint(transaction, trial, change));
      await endpoints.refresh(trial.place);
      return moved;
    },
  };
}

function isTried(endpoint: Endpoint): endpoint is Tried {
  return (
    endpoint.state !== "stopped" && endpoint.strategy.kind !== "direct" && endpoint.candidateVersionId !== undefined
  );
}

function keyOf({ project, environment, name }: Endpoint): EndpointKey {
  return { project, environment, endpoint: name };
}

function toKept(trial: EndpointTrial): KeptTrial | undefined {
  const { strategy: plan, figures, reason, ...kept } = trial;
  // What is tried has a strategy; the types of the store do not say so.
  if (plan.kind === "direct") return undefined;
  const { id, stableVersionId, candidateVersionId, startedAtMs, endedAtMs, outcome } = kept;
  const facts = { id, stableVersionId, candidateVersionId, startedAtMs, endedAtMs, outcome };
  return { ...facts, plan, record: figures, verdict: reason !== undefined && isVerdict(reason) ? reason : undefined };
}

/** Reasons are written by `move`, and in stores of before by what judged trials then: the same without its checks. */
function isVerdict(reason: object): reason is TrialVerdict {
  return "action" in reason && "reason" in reason && "requests" in reason;
}

/** The trial of an endpoint; one that began before there were records gets its own now. */
async function openTrial(store: MetadataStore, endpoint: Tried): Promise<OpenTrial | undefined> {
  const place = keyOf(endpoint);
  const open =
    (await store.read((transaction) => getOpenTrial(transaction, place))) ?? (await beginLate(store, endpoint));
  const kept = open === undefined ? undefined : toKept(open);
  return kept === undefined ? undefined : { ...kept, place, generation: endpoint.generation };
}

function beginLate(store: MetadataStore, endpoint: Tried): Promise<EndpointTrial | undefined> {
  const key = keyOf(endpoint);
  return store.write(async (transaction) => {
    const current = await getEndpoint(transaction, key);
    if (current?.generation !== endpoint.generation || (await getOpenTrial(transaction, key)) !== undefined)
      return getOpenTrial(transaction, key);
    await beginTrial(transaction, {
      ...key,
      id: newId(endpoint.strategy.sinceMs),
      strategy: endpoint.strategy,
      stableVersionId: endpoint.modelVersionId,
      candidateVersionId: endpoint.candidateVersionId,
      startedAtMs: endpoint.strategy.sinceMs,
    });
    return getOpenTrial(transaction, key);
  });
}

/** @returns false when somebody else changed the endpoint meanwhile */
async function moveEndpoint(
  transaction: WriteTransaction,
  { place, generation }: OpenTrial,
  { move, plan, verdict, actor, atMs }: TrialChange,
): Promise<boolean> {
  const current = await getEndpoint(transaction, place);
  if (current?.generation !== generation || current.candidateVersionId === undefined) return false;
  const { changed } = await saveEndpoint(transaction, {
    ...place,
    action: move,
    modelVersionId: move === "promote" ? current.candidateVersionId : current.modelVersionId,
    candidateVersionId: move === "advance" ? current.candidateVersionId : undefined,
    strategy: move === "advance" && plan !== undefined ? plan : { kind: "direct" },
    actor,
    atMs,
    operationId: `settle:${generation}:${place.project}/${place.environment}/${place.endpoint}`,
    reason: verdict,
  });
  return changed;
}

const ROWS_PER_PAGE = 20_000;
/** Labelled rows of an arm that are looked at: the first of the trial. */
const MOST_ROWS = 500_000;
/** First characters of a ULID: its time. */
const TIME_LENGTH = 10;

interface KnownOutcomes {
  readonly counted: string;
  readonly outcomes: { readonly stable: Outcomes; readonly candidate: Outcomes };
}

/** Reads labelled rows again only when a label has come. */
function createOutcomeReader(store: MetadataStore): RolloutTarget["outcomes"] {
  const known = new Map<string, KnownOutcomes>();
  return async (trial) => {
    const arms = armsOf(trial);
    const counted = JSON.stringify(
      await store.read(async (transaction) => [
        await countLabels(transaction, arms.stable),
        await countLabels(transaction, arms.candidate),
      ]),
    );
    const before = known.get(trial.id);
    if (before?.counted === counted) return before.outcomes;
    const afterId = trial.id.slice(0, TIME_LENGTH);
    const outcomes = {
      stable: await readArm(store, arms.stable, afterId),
      candidate: await readArm(store, arms.candidate, afterId),
    };
    known.clear();
    known.set(trial.id, { counted, outcomes });
    return outcomes;
  };
}

function armsOf({ place, plan, stableVersionId, candidateVersionId }: OpenTrial): {
  readonly stable: TrialArmKey;
  readonly candidate: TrialArmKey;
} {
  // Callers who chose their version are not like those whom chance gave to it.
  const drawn = plan.kind !== "shadow" && (plan.kind !== "canary" || plan.header !== undefined);
  return {
    stable: { ...place, modelVersionId: stableVersionId, arms: ["stable"], drawn },
    candidate: {
      ...place,
      modelVersionId: candidateVersionId,
      arms: [plan.kind === "shadow" ? "shadow" : "candidate"],
      drawn,
    },
  };
}

async function readArm(store: MetadataStore, arm: TrialArmKey, afterId: string): Promise<Outcomes> {
  const predictions: number[] = [];
  const labels: number[] = [];
  const agreed: number[] = [];
  let after = afterId;
  const propensities: number[] = [];
  let isOfClasses = false;
  while (labels.length < MOST_ROWS) {
    const page = await store.readLong((transaction) =>
      listLabelled(transaction, { ...arm, afterId: after, limit: ROWS_PER_PAGE }),
    );
    for (const row of page) {
      isOfClasses ||= row.prediction_text !== null;
      predictions.push(row.prediction ?? NaN);
      labels.push(row.label ?? NaN);
      propensities.push(row.propensity ?? NaN);
      agreed.push(Number(row.prediction_text === (row.label_text ?? String(row.label))));
    }
    const last = page.at(-1);
    if (last === undefined || page.length < ROWS_PER_PAGE) break;
    after = last.id;
  }
  return { predictions, labels, propensities, ...(isOfClasses ? { agreed } : {}) };
}

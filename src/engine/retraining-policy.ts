import { type AssetVersion, getAssetVersion, type ReadTransaction } from "#metadata-store";
import {
  findLastTraining,
  getPipelineDefinition,
  type LastTraining,
  listAttemptSpans,
  listRunTimes,
  type RetrainingReason,
} from "#metadata-store/engine";
import { digestOfWork, type PipelineDefinition, RETRAINING_TRIGGERS, type RetrainingLimit } from "#pipeline";

/** How a policy stands at one moment. */
export interface RetrainingStanding {
  /** What keeps the pipeline from training again; empty: it may. */
  readonly reasons: readonly RetrainingReason[];
  /** Runs within the period of `at_most`. */
  readonly runs: number;
  /** Time of steps within the period of `budget`, in ms. */
  readonly usedMs: number;
  readonly last: LastTraining | undefined;
}

interface Policy {
  readonly project: string;
  readonly definition: PipelineDefinition;
  readonly atMs: number;
}

/** Whether a pipeline may train again now, and if not, what would have to happen. */
export async function lookAtPolicy(transaction: ReadTransaction, policy: Policy): Promise<RetrainingStanding> {
  const { definition, project, atMs } = policy;
  const { atMost, budget } = definition.retrain ?? {};
  const query = { project, pipeline: definition.name, kinds: RETRAINING_TRIGGERS };
  const last = await findLastTraining(transaction, { ...query, assets: assetsReadBy(definition) });
  const reasons: RetrainingReason[] = last === undefined ? [] : await lookAtLast(transaction, policy, last);
  let runs = 0;
  if (atMost !== undefined) {
    const { amount: limit, periodMs } = atMost;
    const times = await listRunTimes(transaction, { ...query, sinceMs: atMs - periodMs, limit });
    runs = times.length;
    const oldest = times.at(-1);
    if (oldest !== undefined && runs >= limit) reasons.push({ kind: "at_most", untilMs: oldest + periodMs });
  }
  let usedMs = 0;
  if (budget !== undefined) {
    const sinceMs = atMs - budget.periodMs;
    const spans = await listAttemptSpans(transaction, { ...query, sinceMs });
    usedMs = usedOf(spans, { sinceMs, atMs });
    if (usedMs >= budget.amount) reasons.push({ kind: "budget", untilMs: affordableFrom(spans, budget, atMs) });
  }
  return { reasons, runs, usedMs, last };
}

/** A run that is under way, or one after which nothing has changed. */
async function lookAtLast(
  transaction: ReadTransaction,
  policy: Policy,
  last: LastTraining,
): Promise<RetrainingReason[]> {
  const { pipelineRunId, status, read } = last;
  const isUnread = status === "waiting" && read.length === 0 && assetsReadBy(policy.definition).length > 0;
  if (status === "queued" || status === "running" || isUnread) return [{ kind: "running", pipelineRunId }];
  if (!(await isNothingNew(transaction, policy, last))) return [];
  return [{ kind: "nothing_new", since: read.map(({ asset, version }) => ({ asset, version })) }];
}

/** Data that a run reads and does not make itself. Pure. */
function assetsReadBy({ steps }: PipelineDefinition): readonly string[] {
  const own = new Set(steps.flatMap(({ name, makes }) => [name, ...makes.map(({ asset }) => asset)]));
  return [...new Set(steps.flatMap(({ inputs }) => inputs.map(({ asset }) => asset)).filter((name) => !own.has(name)))];
}

/** Steps that read what has no version before it was read: nobody knows beforehand whether that is new. */
const READS_OUTSIDE: ReadonlySet<string> = new Set(["capture"]);

async function isNothingNew(
  transaction: ReadTransaction,
  { definition, project }: Policy,
  last: LastTraining,
): Promise<boolean> {
  if (last.read.length === 0 || definition.steps.some(({ kind }) => READS_OUTSIDE.has(kind))) return false;
  const before = await getPipelineDefinition(transaction, { project, digest: last.definitionDigest });
  if (before === undefined) return false;
  const earlier: PipelineDefinition = JSON.parse(before.content);
  if (digestOfWork(earlier) !== digestOfWork(definition)) return false;
  for (const { asset, digest } of last.read) {
    const now: AssetVersion | undefined = await getAssetVersion(transaction, { project, asset });
    if (now?.digest !== digest) return false;
  }
  return true;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number | undefined;
}

/** Time that spans share with a period, in ms. Pure. */
function usedOf(
  spans: readonly Span[],
  { sinceMs, atMs }: { readonly sinceMs: number; readonly atMs: number },
): number {
  return spans.reduce(
    (sum, { fromMs, toMs = atMs }) => sum + Math.max(0, Math.min(toMs, atMs) - Math.max(fromMs, sinceMs)),
    0,
  );
}

/**
 * When what was spent lies so far behind that less than the budget is left of it, while nothing more is spent. What is
 * spent within the period falls while its beginning moves over a span, and is the same between spans. Pure.
 */
export function affordableFrom(spans: readonly Span[], { amount, periodMs }: RetrainingLimit, atMs: number): number {
  const edges = spans.flatMap(({ fromMs, toMs = atMs }) => [fromMs, toMs]).toSorted((left, right) => left - right);
  const left = (sinceMs: number): number => usedOf(spans, { sinceMs, atMs });
  let sinceMs = atMs - periodMs;
  for (const edge of edges) {
    if (edge <= sinceMs) continue;
    if (left(edge) < amount) {
      // Linear between two edges: where it comes down to the budget, and one millisecond more.
      const fall = left(sinceMs) - left(edge);
      const share = fall === 0 ? 1 : (left(sinceMs) - amount) / fall;
      return Math.ceil(sinceMs + share * (edge - sinceMs)) + periodMs + 1;
    }
    sinceMs = edge;
  }
  return atMs;
}

import type { MetadataStore } from "#metadata-store";
import { findPipelineRun, listAllStepRuns, type StepRun } from "#metadata-store/engine";

const SIGNS: Readonly<Partial<Record<StepRun["status"], string>>> = {
  running: "▶",
  succeeded: "✔",
  failed: "✖",
  waiting: "⏸",
  cancelled: "■",
};
const ENDED = ["succeeded", "failed", "cancelled"];
const LONGEST_LINE = 300;
/** Of a run with more step runs only what failed is told. */
const MOST_TOLD = 200;

/**
 * What became of a pipeline run so far, a line for each step run that has begun and one for its end. A line that was
 * told is the same when it is asked for again.
 *
 * `isOver`: nothing more will become of it by itself.
 */
export async function describeProgress(
  store: MetadataStore,
  id: string,
): Promise<{ readonly lines: readonly string[]; readonly isOver: boolean }> {
  const { run, stepRuns } = await store.read(async (transaction) => ({
    run: await findPipelineRun(transaction, id),
    stepRuns: await listAllStepRuns(transaction, id),
  }));
  if (run === undefined) return { lines: [], isOver: true };
  const isLong = stepRuns.length > MOST_TOLD;
  const lines = stepRuns.filter(({ status }) => !isLong || status === "failed").flatMap(describeStep);
  const isEnded = ENDED.includes(run.status);
  const isWaiting = run.status === "waiting" || isHeld(stepRuns);
  if (isEnded) {
    const spentMs = (run.finishedAtMs ?? 0) - (run.startedAtMs ?? run.createdAtMs);
    lines.push(`esteira: ${run.pipeline} ${run.status} in ${seconds(spentMs)}`);
  } else if (isWaiting) lines.push(`esteira: ${run.pipeline} waits; the push ends here, and the run goes on`);
  return { lines: lines.map((line) => plain(line)), isOver: isEnded || isWaiting };
}

/** Nothing is at work, and something waits for a person. */
function isHeld(stepRuns: readonly StepRun[]): boolean {
  const isAtWork = stepRuns.some(({ status }) => status === "running" || status === "queued");
  return !isAtWork && stepRuns.some(({ status }) => status === "waiting");
}

function describeStep(stepRun: StepRun): readonly string[] {
  const { status, step, matrix, cached, startedAtMs, finishedAtMs, reason, error } = stepRun;
  const sign = SIGNS[status];
  if (sign === undefined || status === "running") return [];
  const entries = Object.entries(matrix ?? {}).map(([name, value]) => `${name}=${String(value)}`);
  const name = entries.length === 0 ? step : `${step} (${entries.join(", ")})`;
  const time =
    cached || startedAtMs === undefined || finishedAtMs === undefined ? "" : ` ${seconds(finishedAtMs - startedAtMs)}`;
  const why = status === "failed" ? error?.message : status === "waiting" ? reason : undefined;
  return [`  ${sign} ${name}  ${cached ? "cached" : status}${time}${why === undefined ? "" : `: ${why}`}`];
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.max(0, milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** A terminal at the other end shows what it gets: no escape sequences, one line. */
function plain(line: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  const text = line.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, " ");
  return text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text;
}

import { formatQuantity } from "#base";
import type { WriteTransaction } from "#metadata-store";
import { clearCapturedFiles, moveCapturedFile, recordCapturedFiles, removeCapturedFiles } from "#metadata-store/data";
import type { AttemptContext, MadeVersion, StepOutcome } from "#pipeline";
import { contentOf, type MergedKeys } from "../dataset.ts";
import { captureEmpty } from "../errors.ts";
import { isReplacing } from "../write-disposition.ts";
import type { CaptureDependencies, Captured } from "./capture.ts";
import type { CaptureDeclaration } from "./capture-declaration.ts";
import { recordQuarantine } from "./capture-quarantine.ts";
import type { CapturedBatch, CapturePlan } from "./capture-run.ts";
import type { SourceReading } from "./sources/source.ts";

/** Said when all files are through: a later one may still end the run, and then nothing is published. */
export function report(
  attempt: AttemptContext<CaptureDeclaration>,
  { files, quarantine, warnings, superseded, supersededRows, explanations }: Captured,
): void {
  const problems = new Map(quarantine.map((batch) => [batch.sourceDigest, batch]));
  for (const file of files) {
    const held = problems.get(file.digest);
    if (held?.fileProblem !== undefined) attempt.log(`${file.path}: held back whole: ${held.fileProblem}`);
    else {
      const same = file.rowsRead - file.rowsPublished - file.rowsQuarantined;
      attempt.log(
        `${file.path}: ${formatQuantity(file.rowsRead, "row")} read, ${file.rowsPublished} published, ${file.rowsQuarantined} in quarantine${same === 0 ? "" : `, ${formatQuantity(same, "duplicate")} left out`}${rulesText(held?.rules)}`,
      );
    }
    const explanation = explanations.get(file.path);
    if (held !== undefined && held.fileProblem === undefined && explanation !== undefined)
      attempt.log(`  ${explanation}`);
  }
  if (superseded.length > 0)
    attempt.log(
      `${formatQuantity(supersededRows, "row")} superseded: what ${formatQuantity(new Set(superseded.map(({ path }) => path)).size, "changed file", "changed files")} brought before`,
    );
  for (const [rule, count] of Object.entries(warnings))
    if (count > 0)
      attempt.log(
        `warning: ${formatQuantity(count, "row breaks", "rows break")} ${rule} and ${count === 1 ? "is" : "are"} published`,
      );
}

/** Nothing could be published, which the step does not allow. */
export function isFruitless(attempt: AttemptContext<CaptureDeclaration>, captured: readonly CapturedBatch[]): boolean {
  return attempt.declaration.capture.allow_empty !== true && captured.every(({ result }) => result.made === undefined);
}

/** @throws DATA_CAPTURE_EMPTY after what was held back is in the quarantine */
export async function failEmpty(
  { store }: CaptureDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  captured: readonly CapturedBatch[],
): Promise<never> {
  await store.write((transaction) =>
    recordQuarantine(transaction, attempt, { captured, made: undefined, isReplaced: false }),
  );
  const problems = captured.flatMap(({ result }) =>
    [...result.explanations].map(([path, reason]) => `${path}: ${reason}`),
  );
  const rules = new Set(
    captured.flatMap(({ result }) => result.quarantine.flatMap((batch) => Object.keys(batch.rules))),
  );
  throw captureEmpty({
    dataset: attempt.step,
    files: captured.reduce((sum, { result }) => sum + result.files.length, 0),
    rows: captured.reduce(
      (sum, { result }) => sum + result.files.reduce((rows, { rowsRead }) => rows + rowsRead, 0),
      0,
    ),
    problems,
    isEncoding: [...rules].some((rule) => /unicode|encoding/.test(rule)),
  });
}

function rulesText(rules: Readonly<Record<string, number>> | undefined): string {
  const entries = Object.entries(rules ?? {});
  return entries.length === 0 ? "" : ` (${entries.map(([rule, count]) => `${rule}: ${count}`).join(", ")})`;
}

/** The step's outcome, with what is written in the transaction that records its versions. */
export function toOutcome(
  dependencies: CaptureDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  { captured, plan }: { readonly captured: readonly CapturedBatch[]; readonly plan: CapturePlan },
): StepOutcome {
  const files = captured.flatMap(({ result }) => result.files);
  const batches = captured.flatMap(({ result }) => result.quarantine);
  const made = captured.flatMap(({ result }) => result.made ?? []);
  const superseded = captured.flatMap((one) => one.result.superseded);
  const supersededRows = captured.reduce((total, { result }) => total + result.supersededRows, 0);
  const sum = (count: (file: (typeof files)[number]) => number): number =>
    files.reduce((total, file) => total + count(file), 0);
  const duplicates = sum(({ rowsRead, rowsPublished, rowsQuarantined }) => rowsRead - rowsPublished - rowsQuarantined);
  const blocking = captured.flatMap(({ result }) =>
    result.heldFiles.flatMap(({ path, reason, blocks }) => (blocks ? [`${path}: ${reason}`] : [])),
  );
  return {
    status: "succeeded",
    made,
    ...(plan.reading.environmentLock === undefined ? {} : { environmentLock: plan.reading.environmentLock }),
    facts: {
      files: files.length,
      filesHeldBack: batches.filter(({ fileProblem }) => fileProblem !== undefined).length,
      read: sum(({ rowsRead }) => rowsRead),
      published: sum(({ rowsPublished }) => rowsPublished),
      quarantined: sum(({ rowsQuarantined }) => rowsQuarantined),
      ...(duplicates === 0 ? {} : { duplicates }),
      ...(superseded.length === 0 ? {} : { superseded: supersededRows }),
      ...mergedFacts(made),
    },
    ...(blocking.length === 0 ? {} : { blocks: { reason: blocking.join("; ") } }),
    ...(plan.reading.published === undefined ? {} : { afterwards: plan.reading.published }),
    alsoWrite: async (transaction) => {
      const ledger = { project: attempt.project, dataset: attempt.step };
      for (const { batch, result } of captured)
        if (result.made !== undefined)
          await dependencies.datasets.settle(transaction, {
            project: batch.project,
            asset: batch.dataset,
            operationId: batch.operationId,
          });
      if (isReplacing(plan.disposition)) await clearCapturedFiles(transaction, ledger);
      else await removeCapturedFiles(transaction, { ...ledger, digests: superseded.map(({ digest }) => digest) });
      await noteMoves(transaction, attempt, plan.reading.moved);
      if (plan.reading.take === undefined) await recordCapturedFiles(transaction, files);
      else await plan.reading.take(transaction);
      await recordQuarantine(transaction, attempt, {
        captured,
        made: made.at(-1),
        isReplaced: isReplacing(plan.disposition),
      });
    },
  };
}

/** Keys that a merge changed or deleted, over all versions that were made. */
function mergedFacts(made: readonly MadeVersion[]): Readonly<Record<string, number>> {
  const merged = made.flatMap((version) => contentOf(version).merged ?? []);
  const sum = (name: keyof MergedKeys): number => merged.reduce((total, counts) => total + counts[name], 0);
  return merged.length === 0 ? {} : { added: sum("added"), changed: sum("changed"), deleted: sum("deleted") };
}

/** Captured content that has another name now gets it in the ledger. */
export async function noteMoves(
  transaction: WriteTransaction,
  attempt: AttemptContext<CaptureDeclaration>,
  moved: SourceReading["moved"],
): Promise<void> {
  for (const file of moved)
    await moveCapturedFile(transaction, { project: attempt.project, dataset: attempt.step, ...file });
}

import { isEsteiraError } from "#base";
import { listEndedAttempts } from "#metadata-store/engine";
import type { EngineParts } from "./engine-parts.ts";
import { placeLost, takeoverRefused } from "./errors.ts";
import { removeWorkFolder } from "./work-folder.ts";

/** An executor whose processes outlive the engine has, or may have, one of this attempt. */
export async function isHeldElsewhere(
  { executors }: Pick<EngineParts, "executors">,
  attemptId: string,
): Promise<boolean> {
  for (const { outliving } of executors) if ((await outliving?.holds(attemptId)) === true) return true;
  return false;
}

/** Ends what there is of an attempt elsewhere, and removes what was kept for it. */
export async function forgetAttempt(
  parts: Pick<EngineParts, "executors" | "storeFolder">,
  attemptId: string,
): Promise<void> {
  for (const executor of parts.executors) {
    if (executor.outliving !== undefined)
      await executor.reap({ executor: executor.name, id: attemptId, startedAtMs: 0 });
  }
  await removeWorkFolder(parts, attemptId);
}

/** Ends and removes what is left elsewhere of attempts that have ended. Those of unknown attempts stay. */
export async function sweepOutliving(parts: Pick<EngineParts, "executors" | "storeFolder" | "store">): Promise<void> {
  const found = await Promise.all(parts.executors.map(async ({ outliving }) => (await outliving?.list()) ?? []));
  const ids = [...new Set(found.flat())];
  if (ids.length === 0) return;
  for (const attemptId of await parts.store.read((transaction) => listEndedAttempts(transaction, ids)))
    await forgetAttempt(parts, attemptId);
}

/** Not the step failed, but what ran it: it is started again on the budget for that. */
export function isLossOfPlace(error: unknown): error is Error {
  return isEsteiraError(error, placeLost.code) || isEsteiraError(error, takeoverRefused.code);
}

import { findRunAhead, type ForeignAttempt, listForeignAttempts, type PipelineRun } from "#metadata-store/engine";
import type { EngineParts } from "./engine-parts.ts";
import type { EngineWorker } from "./engine-worker.ts";
import { isLost } from "./process-identity.ts";

/** A run that holds the place which another one waits for. */
export interface RunAhead {
  readonly run: PipelineRun;
  /** The process that works on it; undefined: this engine does. */
  readonly worker: { readonly host: string; readonly pid: number } | undefined;
}

export interface RunsAhead {
  /** Finds what a queued run waits for, and has the worker work on it unless a living engine does. */
  look(id: string): Promise<void>;
  /** Runs that the worker was given. */
  helped(): readonly string[];
}

/**
 * Keeps a run from waiting for one that nobody works on: a run that went on after an approval, or was left by an engine
 * that died, holds its pipeline's place until somebody finishes it.
 */
export function createRunsAhead(
  parts: EngineParts,
  worker: EngineWorker,
  tell: ((ahead: RunAhead) => void) | undefined,
): RunsAhead {
  const helped = new Set<string>();
  let told: string | undefined;

  return {
    helped: () => [...helped],
    async look(id) {
      const { run, foreign } = await findAhead(parts, id);
      if (run === undefined || helped.has(run.id)) return;
      const owner = foreign.find((attempt) => !isLost(attempt))?.owner;
      const subject = `${run.id} ${owner?.host ?? ""} ${owner?.pid ?? ""}`;
      if (subject !== told)
        tell?.({
          run,
          worker: owner === undefined ? undefined : { host: owner.host.split("|")[0] ?? "", pid: owner.pid },
        });
      told = subject;
      if (owner !== undefined) return;
      helped.add(run.id);
      await worker.workOn(run.id);
    },
  };
}

async function findAhead(
  { store, project, id: engineId }: EngineParts,
  id: string,
): Promise<{ readonly run: PipelineRun | undefined; readonly foreign: readonly ForeignAttempt[] }> {
  return store.read(async (transaction) => {
    const run = await findRunAhead(transaction, id);
    return {
      run,
      foreign:
        run === undefined ? [] : await listForeignAttempts(transaction, { project, engineId, pipelineRunId: run.id }),
    };
  });
}

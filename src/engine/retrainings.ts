import {
  getPipelineDefinition,
  listRetrainingEvents,
  listRetrainingPipelines,
  readPipelinesMark,
} from "#metadata-store/engine";
import type { PipelineDefinition } from "#pipeline";
import { createDueLoop, type DueLoop } from "./due-loop.ts";
import type { EngineParts } from "./engine-parts.ts";
import { lookAgain, waitingIn } from "./retraining.ts";
import { enqueuePipeline } from "./trigger.ts";

/** Looks again at what asked for a retraining and has to wait; several engines may do so at once. */
export function createRetrainings(parts: EngineParts): DueLoop {
  const { store, project, clock } = parts;
  let known = { mark: "", pipelines: [] as readonly string[] };
  return createDueLoop(parts, "retrainings", async () => {
    const mark = await store.read((transaction) => readPipelinesMark(transaction, project));
    if (mark !== known.mark)
      known = { mark, pipelines: await store.read((transaction) => listRetrainingPipelines(transaction, project)) };
    const times: number[] = [];
    for (const pipeline of known.pipelines) {
      const [last] = await store.read((transaction) =>
        listRetrainingEvents(transaction, { project, pipeline, limit: 1 }),
      );
      if (waitingIn(last).length === 0) continue;
      const atMs = await store.write(async (transaction) => {
        const stored = await getPipelineDefinition(transaction, { project, pipeline });
        if (stored === undefined) return undefined;
        const definition: PipelineDefinition = JSON.parse(stored.content);
        const now = clock.now();
        return lookAgain(transaction, {
          project,
          definition,
          atMs: now,
          actor: "engine",
          start: (cause) =>
            enqueuePipeline(transaction, pipeline, {
              project,
              params: definition.retrain?.params ?? {},
              trigger: { kind: cause.on === "alert" ? "alert" : "data", subject: cause.subject, cause: cause.cause },
              actor: "engine",
              atMs: now,
            }),
        });
      });
      if (atMs !== undefined) times.push(atMs);
    }
    return times.length === 0 ? undefined : Math.min(...times);
  });
}

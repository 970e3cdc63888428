import { type Clock, type Log, messageOf } from "#base";
import { type EventBuffer, pushSettingsOf, type PushSettings } from "#data";
import { enqueuePipeline } from "#engine";
import type { MetadataStore } from "#metadata-store";
import { listPipelineRuns } from "#metadata-store/engine";
import type { ProjectGraph } from "#project";

const PAUSE_MS = 1000;

/** A dataset whose step takes pushed events. */
export interface PushedDataset {
  readonly dataset: string;
  readonly pipeline: string;
  readonly settings: PushSettings;
}

/** The datasets whose steps take pushed events, by the pipelines of a project. */
export function listPushedDatasets(
  graph: Pick<ProjectGraph, "stepsByKind" | "definitionOf">,
): readonly PushedDataset[] {
  return (graph.stepsByKind().get("capture") ?? []).flatMap(({ pipeline, step }) => {
    const settings = pushSettingsOf(graph.definitionOf(step)?.declaration ?? {});
    return settings === undefined ? [] : [{ dataset: step, pipeline, settings }];
  });
}

/**
 * Starts the pipelines whose events have waited long enough, or of which enough wait: also those that came before this
 * process did. A pipeline that is at work is let end first.
 */
export function createEventWatch(of: {
  readonly store: MetadataStore;
  readonly events: EventBuffer;
  readonly project: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly datasets: () => readonly PushedDataset[];
}): { start(): void; stop(): Promise<void> } {
  const { store, events, project, clock, log } = of;
  const told = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  async function lookAt({ dataset, pipeline, settings }: PushedDataset): Promise<void> {
    const waiting = await events.waiting(dataset);
    if (!events.isDue(settings, waiting)) return;
    await store.write(async (transaction) => {
      for (const status of ["queued", "running"] as const)
        if ((await listPipelineRuns(transaction, { project, pipeline, status, limit: 1 })).length > 0) return;
      if (!(await events.ask(transaction, dataset, waiting))) return;
      await enqueuePipeline(transaction, pipeline, {
        project,
        trigger: { kind: "data", subject: dataset, cause: { waitingEvents: waiting.events } },
        actor: "engine",
        atMs: clock.now(),
      });
    });
  }

  async function look(): Promise<void> {
    for (const dataset of of.datasets()) {
      try {
        await lookAt(dataset);
        told.delete(dataset.dataset);
      } catch (error) {
        // Once for each kind of trouble: it lasts until the project or the store is mended.
        if (!told.has(dataset.dataset))
          log.error("events wait and no run could be started that takes them", {
            dataset: dataset.dataset,
            error: messageOf(error),
          });
        told.add(dataset.dataset);
      }
    }
    if (!stopped) schedule();
  }

  function schedule(): void {
    timer = setTimeout(() => (turn = look()), PAUSE_MS);
    timer.unref();
  }

  return {
    start: schedule,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await turn;
    },
  };
}

import { EsteiraError, messageOf } from "#base";
import { executorOf } from "#engine";
import { describeResources, hasRoomFor, type KnownExecutor, type Resources } from "#pipeline";
import type { Platform } from "./platform.ts";

/** One place where steps can run, asked now. */
export interface ExaminedExecutor {
  readonly name: string;
  readonly backend: string;
  readonly isDefault: boolean;
  /** The most that one process can have; undefined when it could not be asked. */
  readonly offer: Resources | undefined;
  readonly gives: string | undefined;
  /** Why it cannot be asked, and what to do. */
  readonly problem: { readonly message: string; readonly hint: string | undefined } | undefined;
}

/** A step that asks for more than its executor can give one process. */
export interface UnplacedStep {
  readonly pipeline: string;
  readonly step: string;
  readonly executor: string;
  readonly asks: string;
  /** Executors that could give it. */
  readonly able: readonly string[];
}

/** What definitions are checked against. */
export function knownExecutors([, ...others]: Platform["executors"]): readonly KnownExecutor[] {
  return others.map(({ name, capabilities }) => ({ name, isRemote: capabilities.remote }));
}

/** Asks every executor of a project what it can give, and finds the steps that ask for more. Nothing is started. */
export async function examineExecutors({
  executors,
  config,
  kinds,
  loadProject,
}: Pick<Platform, "executors" | "config" | "kinds" | "loadProject">): Promise<{
  readonly executors: readonly ExaminedExecutor[];
  readonly unplaced: readonly UnplacedStep[];
}> {
  const examined = await Promise.all(
    executors.map(async (executor): Promise<ExaminedExecutor> => {
      const { name, backend } = executor;
      const facts = { name, backend, isDefault: name === config.defaults.executor };
      try {
        const given = await executor.offer();
        return { ...facts, offer: given, gives: describeResources(given), problem: undefined };
      } catch (error) {
        const hint = error instanceof EsteiraError ? error.hint : undefined;
        return { ...facts, offer: undefined, gives: undefined, problem: { message: messageOf(error), hint } };
      }
    }),
  );
  const offers = new Map(examined.map(({ name, offer }) => [name, offer]));
  const known = new Map(kinds.map((kind) => [kind.name, kind]));
  const { pipelines } = await loadProject();
  const placing = { executors, ports: { defaultExecutor: config.defaults.executor } };
  const unplaced = pipelines.flatMap((pipeline) =>
    pipeline.steps.flatMap((step): readonly UnplacedStep[] => {
      const { resources } = step;
      const kind = known.get(step.kind);
      if (resources === undefined || kind === undefined) return [];
      const { name } = executorOf(placing, step, kind);
      const offer = offers.get(name);
      if (offer === undefined || hasRoomFor(offer, resources)) return [];
      const able = examined.flatMap((one) =>
        one.offer !== undefined && hasRoomFor(one.offer, resources) ? [one.name] : [],
      );
      return [{ pipeline: pipeline.name, step: step.name, executor: name, asks: describeResources(resources), able }];
    }),
  );
  return { executors: examined, unplaced };
}

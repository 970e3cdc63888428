import { messageOf } from "#base";
import { listEvents, type MetadataStore } from "#metadata-store";
import type { Platform } from "./platform.ts";

/** One part that must work before requests are sent here. */
export interface HealthCheck {
  readonly name: string;
  /** undefined: it works. */
  readonly problem: string | undefined;
}

const STORE_DEADLINE_MS = 2000;

/** Whether the metadata store answers, and soon. */
export async function checkStore(store: MetadataStore): Promise<HealthCheck> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${STORE_DEADLINE_MS} ms`)), STORE_DEADLINE_MS);
  try {
    await Promise.race([
      store.read((transaction) => listEvents(transaction, { newestFirst: true, limit: 1 })),
      late.promise,
    ]);
    return { name: "store", problem: undefined };
  } catch (error) {
    return { name: "store", problem: `the metadata store does not answer: ${messageOf(error)}` };
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a started project runs its pipelines and has loaded its endpoints, where that is for this process to do. */
export function checkProject(platform: Pick<Platform, "engine" | "serving" | "roles">): readonly HealthCheck[] {
  const { engine, serving, roles } = platform;
  const working = { name: "engine", problem: engine.isWorking() ? undefined : "the engine takes no work" };
  return [
    ...(roles.includes("engine") ? [working] : []),
    ...(roles.includes("serving") ? [checkEndpoints(serving)] : []),
  ];
}

function checkEndpoints({ endpoints }: Platform["serving"]): HealthCheck {
  const problems = endpoints.problems();
  const problem =
    problems === undefined
      ? "the endpoints are not loaded yet"
      : problems.length === 0
        ? undefined
        : problems.map(({ environment, endpoint, reason }) => `${environment}/${endpoint}: ${reason}`).join("; ");
  return { name: "endpoints", problem };
}

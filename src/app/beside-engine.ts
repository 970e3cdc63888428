import type { ServerRole } from "#api";
import type { Log } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { Monitoring } from "#monitoring";
import { followRegistered } from "./follow-registered.ts";
import { keepCounting } from "./keep-counting.ts";

/**
 * What a process without the engine does by itself, where it answers calls: it takes over the pipelines that the
 * engine's process registers, and writes what it counted of endpoints for that one to judge.
 */
export function createBesideEngine(
  of: {
    readonly store: MetadataStore;
    readonly project: string;
    readonly log: Log;
    readonly monitoring: Pick<Monitoring, "count">;
  },
  base: { readonly roles: readonly ServerRole[]; readonly isProject: boolean },
  use: () => Promise<void>,
): { start(): Promise<void>; stop(): Promise<void> } {
  const answers = base.roles.includes("api") || base.roles.includes("serving");
  const registered = followRegistered({ ...of, use });
  let stopCounting: (() => Promise<void>) | undefined;
  return {
    async start() {
      if (!answers) return;
      stopCounting = keepCounting(of);
      if (base.isProject) await registered.start();
    },
    async stop() {
      await registered.stop();
      await stopCounting?.();
    },
  };
}

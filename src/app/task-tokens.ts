import { z } from "zod";
import { TASK_TOKEN_PREFIX } from "#access";
import type { ProjectConfig, Settings } from "#config";
import { actorOfTask, isTaskKept } from "#executors";
import type { MetadataStore } from "#metadata-store";
import { isSealed } from "#outbox";
import { openSecretBox } from "./secret-keys.ts";

const contentSchema = z.strictObject({ project: z.string(), task: z.string() });

/**
 * Tokens of workers that are started for one task each. They are sealed, and not kept: every server of the store knows
 * its own, also after all of them were restarted, and one is void as soon as its task is forgotten.
 */
export interface TaskTokens {
  issue(of: { readonly project: string; readonly task: string }): Promise<string>;
  /** @returns undefined for what no server of this store made, or whose task is no more */
  open(sealed: string): Promise<{ readonly actor: string; readonly project: string } | undefined>;
}

export function createTaskTokens(
  store: MetadataStore,
  config: Pick<ProjectConfig, "storeFolder">,
  settings: Settings,
): TaskTokens {
  const box = openSecretBox(config, settings, "task token");
  return {
    issue: async (of) => TASK_TOKEN_PREFIX + (await box.seal(JSON.stringify(contentSchema.parse(of)))),
    async open(sealed) {
      // What is not sealed would be given back as it came.
      if (!isSealed(sealed)) return undefined;
      const text = await box.open(sealed).catch(() => undefined);
      if (text === undefined) return undefined;
      const { project, task: id } = contentSchema.parse(JSON.parse(text));
      return (await isTaskKept(store, { project, id })) ? { actor: actorOfTask(id), project } : undefined;
    },
  };
}

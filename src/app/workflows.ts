import { resolve } from "node:path";
import type { Settings } from "#config";
import { createProjectFiles } from "#pipeline";
import { createWorkflowSource, type FoundWorkflow, type WorkflowSource } from "#workflows";
import type { Parts } from "./parts.ts";
import type { Platform } from "./platform.ts";
import { createWorkflowKinds, isProtected } from "./step-kinds.ts";

/** GitHub workflows as pipelines; undefined where the project leaves them alone. */
export function createProjectWorkflows(
  { config, store, clock, project }: Pick<Parts, "config" | "store" | "clock" | "project">,
  settings: Pick<Settings, "searchPath">,
): WorkflowSource | undefined {
  const { workflows } = config;
  if (workflows === false) return undefined;
  return createWorkflowSource({
    searchPath: settings.searchPath,
    settings: {
      repository: workflows.repository ?? `local/${project}`,
      defaultBranch: workflows.branch,
      vars: workflows.vars,
      secrets: workflows.secrets,
      mirror: mirrorFolderOf({ config }),
      unsupported: workflows.unsupported,
      isProtected: (environment) => isProtected(config, environment),
    },
    kinds: createWorkflowKinds({ config, store, clock }, settings),
  });
}

/** Absolute folder of mirrored actions; undefined where the project names none. */
export function mirrorFolderOf({ config }: Pick<Platform, "config">): string | undefined {
  const { workflows } = config;
  return workflows === false || workflows.mirror === undefined ? undefined : resolve(config.folder, workflows.mirror);
}

export { workflowCannotRun, workflowUnknown } from "#workflows";

/** Every workflow of the project, with what keeps it from running. */
export async function findWorkflows(
  platform: Pick<Platform, "workflows" | "config" | "loadProject">,
): Promise<readonly FoundWorkflow[]> {
  if (platform.workflows === undefined) return [];
  const loaded = await platform.loadProject();
  const files = createProjectFiles(platform.config.folder);
  const own = loaded.pipelines.filter(({ file }) => file.startsWith("pipelines/")).map(({ name }) => name);
  return platform.workflows.find(files, new Set(own));
}

import { join } from "node:path";
import type { Settings } from "#config";
import {
  type CaughtUpPush,
  catchUpPushes,
  createHostedRepository,
  type HostedRepository,
  type PushedRepository,
} from "#delivery";
import { createGitServer } from "#executors";
import type { StepKind } from "#pipeline";
import { acceptsPush, type WorkflowSource } from "#workflows";
import type { Parts } from "./parts.ts";

/** The repository that this server takes pushes to, in the store's folder. */
export interface HostedSource {
  readonly repository: HostedRepository;
  /** Starts what pushes would have started whose server ended before. */
  catchUp(): Promise<readonly CaughtUpPush[]>;
}

/** Where that repository is, once somebody pushed to it. */
export function hostedRepositoryOf(config: Pick<Parts["config"], "storeFolder">, project: string): string {
  return join(config.storeFolder, "git", `${project}.git`);
}

export function createHostedSource(
  { store, git, project, clock, config }: Parts,
  { searchPath }: Pick<Settings, "searchPath">,
  facts: { readonly kinds: readonly StepKind<never>[]; readonly workflows: WorkflowSource | undefined },
): HostedSource {
  const folder = join(config.storeFolder, "git");
  const repository = hostedRepositoryOf(config, project);
  const server = createGitServer({ searchPath, hooksFolder: join(folder, "hooks") });
  const pushed: PushedRepository = {
    store,
    git,
    project,
    repository,
    subfolder: config.git.subfolder,
    mainBranch: config.git.branch,
    pusherOf: (branch, commit) => server.pusherOf(repository, branch, commit),
    folder: join(config.storeFolder, "checkouts"),
    kinds: facts.kinds,
    source: facts.workflows,
    accepts: acceptsPush,
    clock,
  };
  return {
    repository: createHostedRepository({
      pushed,
      server,
      protectedBranches: config.git.protected,
      largestPushBytes: config.git.push,
      largestBytes: config.git.limit,
    }),
    catchUp: async () => ((await server.exists(repository)) ? catchUpPushes(pushed, {}) : []),
  };
}

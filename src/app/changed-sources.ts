import type { Parts } from "./parts.ts";
import { hostedRepositoryOf } from "./hosted-source.ts";
import { pushedRepositoryOf } from "./push-source.ts";

/** Files of the project's repository that differ between two commits; undefined where no repository knows both. */
export type ChangedSources = (commits: {
  readonly from: string;
  readonly to: string;
}) => Promise<readonly string[] | undefined>;

/** Asks the repositories of this machine that have the project's commits: its folder's, those that are pushed to. */
export function createChangedSources({
  git,
  config,
  project,
}: Pick<Parts, "git" | "config" | "project">): ChangedSources {
  return async (commits) => {
    const pushed = await pushedRepositoryOf(config.storeFolder);
    const places = [config.folder, hostedRepositoryOf(config, project), ...(pushed === undefined ? [] : [pushed])];
    for (const place of places) {
      // oxlint-disable-next-line no-await-in-loop -- the first that knows is enough
      const found = await git.changedFiles(place, commits);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

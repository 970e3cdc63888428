import type { ProjectConfig, Settings } from "#config";
import { createGit, type Git } from "#executors";
import type { CheckpointKeeper } from "#governance";

const POST_LIMIT_MS = 10_000;
/** File at the top of the ref. */
const KEPT_NAME = "checkpoint";

/** The places outside the store that `audit:` of a project names. */
export function createKeepers(config: ProjectConfig, settings: Settings): readonly CheckpointKeeper[] {
  const { git: ref, webhook } = config.audit;
  return [
    ...(ref === undefined ? [] : [keepInGit(openGit(settings), { folder: config.folder, ref })]),
    ...(webhook === undefined ? [] : [postTo(webhook)]),
  ];
}

/** The newest checkpoint that the project's repository keeps; undefined where it keeps none. */
export async function readGitCheckpoint(
  { folder, audit }: ProjectConfig,
  settings: Settings,
): Promise<{ readonly name: string; readonly text: string } | undefined> {
  if (audit.git === undefined) return undefined;
  const text = await openGit(settings).readKeptFile({ folder, ref: audit.git, name: KEPT_NAME });
  return text === undefined ? undefined : { name: audit.git, text };
}

function openGit({ searchPath, homeFolder }: Settings): Git {
  return createGit({ environment: { PATH: searchPath, ...(homeFolder === undefined ? {} : { HOME: homeFolder }) } });
}

function keepInGit(git: Git, place: { readonly folder: string; readonly ref: string }): CheckpointKeeper {
  return {
    name: place.ref,
    keep: ({ note, size }) =>
      git.keepFile({ ...place, name: KEPT_NAME, text: note, message: `Checkpoint of ${size} events` }),
  };
}

function postTo(url: string): CheckpointKeeper {
  return {
    name: new URL(url).origin,
    async keep({ note }) {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "text/plain; charset=utf-8" },
        body: note,
        redirect: "error",
        signal: AbortSignal.timeout(POST_LIMIT_MS),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    },
  };
}

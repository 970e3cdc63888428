import { newId } from "#base";
import type { ProjectConfig, Settings } from "#config";
import { createGit, type Git } from "#executors";
import type { CheckpointKeeper } from "#governance";
import type { Dress, Outbox } from "#outbox";

/** File at the top of the ref. */
const KEPT_NAME = "checkpoint";

/** A checkpoint is signed in itself. */
const DRESS: Dress = {
  secret: undefined,
  headers: { id: "x-esteira-delivery", timestamp: "x-esteira-timestamp", signature: "x-esteira-signature" },
  signatureForm: "sha256",
};

/** Sends one, by the outbox. */
export type SendCheckpoint = Outbox["send"];

/** The places outside the store that `audit:` of a project names. */
export function createKeepers(
  config: ProjectConfig,
  settings: Settings,
  send: SendCheckpoint,
): readonly CheckpointKeeper[] {
  const { git: ref, webhook } = config.audit;
  return [
    ...(ref === undefined ? [] : [keepInGit(openGit(settings), { folder: config.folder, ref })]),
    ...(webhook === undefined ? [] : [postTo(webhook, send)]),
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

function postTo(url: string, send: SendCheckpoint): CheckpointKeeper {
  return {
    name: new URL(url).origin,
    async keep({ note }) {
      const { status } = await send({ id: newId(), url, body: JSON.stringify({ checkpoint: note }) }, DRESS);
      if (status < 200 || status >= 300) throw new Error(`HTTP status ${status}`);
    },
  };
}

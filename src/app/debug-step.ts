import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { authorize, type Identity } from "#access";
import type { DebugPlace, DebugRequest } from "#engine";
import type { WorkspaceMemory } from "#executors";
import type { Platform } from "./platform.ts";

export type { DebugPlace } from "#engine";

/** How a look into a step's workspace ended. */
export interface Debugged {
  /** Of the command; undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** Project-relative files that were changed in the workspace and are in the project now. */
  readonly taken: readonly string[];
  /** Those that are not: not asked for, or changed in the project meanwhile. */
  readonly left: readonly string[];
  /** Absolute folder with copies of what was left. */
  readonly keptIn: string | undefined;
}

/**
 * Runs a shell, or a command, in the workspace of a step run, made as its next attempt would have it.
 *
 * @param request `apply`: files that were changed there go into the project. `tell` hears of the place before it begins
 * @throws ACCESS_DENIED for those who may not run pipelines, whose secrets it has; what `Engine.debug` throws
 */
export async function debugStepRun(
  platform: Platform,
  {
    identity,
    apply,
    tell,
    ...request
  }: Omit<DebugRequest, "actor"> & {
    readonly identity: Identity;
    readonly apply: boolean;
    readonly tell: (place: DebugPlace) => void;
  },
): Promise<Debugged> {
  authorize(identity, "run", { kind: "pipeline-run", project: platform.project });
  const { rememberWorkspace } = await import("#executors");
  return platform.engine.debug({ ...request, actor: identity.name }, async (place, run) => {
    const memory = await rememberWorkspace(place, platform.git);
    tell(place);
    const { exitCode } = await run();
    const changed = await memory.changed();
    const taken = apply && !place.isPushed ? await takeOver(memory, changed) : [];
    const left = changed.filter((path) => !taken.includes(path));
    const keptIn = join(platform.config.storeFolder, "debug", request.stepRunId);
    if (left.length > 0) await rm(keptIn, { recursive: true, force: true });
    for (const path of left) {
      await mkdir(dirname(join(keptIn, path)), { recursive: true });
      await copyFile(join(place.folder, path), join(keptIn, path));
    }
    return { exitCode, taken, left, keptIn: left.length === 0 ? undefined : keptIn };
  });
}

async function takeOver(memory: WorkspaceMemory, changed: readonly string[]): Promise<readonly string[]> {
  const taken: string[] = [];
  for (const path of changed) if (await memory.takeOver(path)) taken.push(path);
  return taken;
}

import { realpath } from "node:fs/promises";
import { outputOutside } from "./errors.ts";

/**
 * Refuses what a process left as a link to somewhere else: the engine, which may read and write more than the process,
 * does not follow it.
 *
 * @param path absolute; a file or folder that is there
 * @throws PIPELINE_OUTPUT_OUTSIDE
 */
export async function assertInside(
  path: string,
  options: { readonly folders: readonly string[]; readonly asset: string },
): Promise<void> {
  const [real, ...roots] = await Promise.all([path, ...options.folders].map((one) => realpath(one)));
  if (real === undefined || !roots.some((root) => real === root || real.startsWith(`${root}/`)))
    throw outputOutside({ asset: options.asset, folder: real ?? path });
}

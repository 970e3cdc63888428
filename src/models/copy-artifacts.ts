import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ArtifactFolder } from "#tracking";

/** Copies everything below a place among the artifacts into a folder. */
export async function copyArtifacts(
  from: ReturnType<ArtifactFolder["at"]>,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  for (const { name, isFolder } of await from.folder.list(from.path)) {
    signal?.throwIfAborted();
    const path = `${from.path}/${name}`;
    if (isFolder) {
      await copyArtifacts({ folder: from.folder, path }, join(to, name), signal);
      continue;
    }
    const file = join(to, name);
    await mkdir(dirname(file), { recursive: true });
    const opened = await from.folder.open(path);
    try {
      await pipeline(opened.read(), createWriteStream(file));
    } finally {
      await opened.close();
    }
  }
}

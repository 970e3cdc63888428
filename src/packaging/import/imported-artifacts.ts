import { createReadStream, existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import type { ListedFile } from "#storage";
import { type ArtifactFolder, artifactSegments, localPath } from "#tracking";

const PIECE_BYTES = 1024 * 1024;

/** How the artifacts of an imported store fared. */
export interface ArtifactCounts {
  /** Files copied now, and those that were here already. */
  copied: number;
  kept: number;
  bytes: number;
  /** Locations on other machines or in object stores: clients go on reading them there. */
  referenced: number;
  /** Locations that should be on this machine and are not. */
  missing: number;
  /** Links, sockets and devices. */
  skipped: number;
}

export function newArtifactCounts(): ArtifactCounts {
  return { copied: 0, kept: 0, bytes: 0, referenced: 0, missing: 0, skipped: 0 };
}

/**
 * The folder on this machine that a location of the old server stands for; undefined for object stores and other
 * machines.
 *
 * @param proxyFolder the old server's `--artifacts-destination`, which `mlflow-artifacts:/` stands for
 */
export function sourceFolder(location: string, proxyFolder: string | undefined, base: string): string | undefined {
  const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.*)$/s.exec(location);
  if (proxied !== null)
    return proxyFolder === undefined ? undefined : join(proxyFolder, ...artifactSegments(proxied[1] ?? ""));
  if (/^[A-Za-z][\w+.-]*:/.test(location) && !/^file:/i.test(location)) return undefined;
  // Relative locations are relative to where the server ran: beside its database or its folder.
  return localPath(location) ?? resolve(base, location);
}

/** True when a location can only be read on the machine of the old server. */
export function isLocal(location: string): boolean {
  return /^(mlflow-artifacts|file):/i.test(location) || !/^[A-Za-z][\w+.-]*:/.test(location);
}

/** Copies what is new or changed below `from`; each file appears whole. Links are not followed. */
export async function copyArtifacts(
  from: string,
  to: { readonly folder: ArtifactFolder; readonly path: string },
  counts: ArtifactCounts,
): Promise<void> {
  if (!existsSync(from)) {
    // A run without artifacts has no folder; where the whole artifact root is not there, files are missing.
    if (!existsSync(resolve(from, "../../.."))) counts.missing++;
    return;
  }
  const present = new Map<string, ListedFile>();
  for await (const file of to.folder.files.list(to.path)) present.set(file.path, file);
  for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) {
      counts.skipped++;
      continue;
    }
    const source = join(entry.parentPath, entry.name);
    const target = to.path + source.slice(from.length).split(sep).join("/");
    await copyOne({ source, target, present: present.get(target) }, to.folder, counts);
  }
}

async function copyOne(
  of: { readonly source: string; readonly target: string; readonly present: ListedFile | undefined },
  folder: ArtifactFolder,
  counts: ArtifactCounts,
): Promise<void> {
  const { source, target, present } = of;
  const wanted = await stat(source);
  if (present?.sizeBytes === wanted.size && present.modifiedAtMs >= wanted.mtimeMs) {
    counts.kept++;
    return;
  }
  counts.bytes += await folder.write(target, createReadStream(source, { highWaterMark: PIECE_BYTES }));
  counts.copied++;
}

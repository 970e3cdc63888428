import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { digestOf, messageOf } from "#base";
import { findCache } from "../../kept-files.ts";
import { findFiles } from "../hash-files.ts";
import { tar } from "./archive.ts";
import type { BuiltinStep } from "./builtins.ts";

const MOST_KEY_LENGTH = 512;

/** Restores, and keeps at the end of a job that succeeds what was not there under exactly this key. */
export async function cache(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const outputs = await restoreCache(step);
  if (outputs["cache-hit"] !== "true") keepAtEnd(step);
  return outputs;
}

/** Keeps the cache when the job has succeeded. */
export function keepAtEnd(step: BuiltinStep): void {
  step.job.posts.push({
    name: "cache",
    condition: "success()",
    frame: step.frame,
    run: async () => void (await saveCache(step)),
  });
}

export async function restoreCache(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const key = keyOf(step);
  const restoreKeys = linesOf(inputs["restore-keys"]);
  const found = await findCache(job.plan.caches, { key, restoreKeys, version: versionOf(step) });
  if (found === undefined) {
    job.output.say(`No cache was found for ${[key, ...restoreKeys].join(", ")}`);
    if (inputs["fail-on-cache-miss"] === "true") throw new Error(`there is no cache under ${key}`);
    return { "cache-hit": "", "cache-primary-key": key, "cache-matched-key": "" };
  }
  if (inputs["lookup-only"] !== "true") await unpack(step, found.path);
  job.output.say(`Cache restored from key: ${found.key}`);
  return {
    "cache-hit": String(found.key === key),
    "cache-primary-key": key,
    "cache-matched-key": found.key,
  };
}

export async function saveCache(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const key = keyOf(step);
  const paths: string[] = [];
  for (const path of pathsOf(step, inputs["path"])) {
    if (!Object.values(roots(step)).some((root) => path === root || path.startsWith(`${root}/`)))
      job.output.say(`Warning: ${path} is outside of the workspace and the home: it is not kept.`);
    else if (await exists(path)) paths.push(path);
  }
  if (paths.length === 0) {
    job.output.say(`Warning: nothing of the cache's path is there: nothing is kept under ${key}`);
    return {};
  }
  await tar(step, ["-czf", join(job.plan.folders.caches, `${job.caches.length}.tar.gz`), ...named(step, paths)]);
  job.caches.push({ key, version: versionOf(step) });
  job.output.say(`Cache saved with key: ${key}`);
  return {};
}

function keyOf({ inputs }: BuiltinStep): string {
  const key = inputs["key"] ?? "";
  if (key === "" || key.length > MOST_KEY_LENGTH || key.includes(","))
    throw new Error(
      `"${key.slice(0, 80)}" cannot be the key of a cache: at most ${MOST_KEY_LENGTH} characters, without commas`,
    );
  return key;
}

/** Caches of other paths are other caches. */
function versionOf({ inputs }: BuiltinStep): string {
  return digestOf(linesOf(inputs["path"]).join("\n")).slice("sha256:".length, 39);
}

/**
 * Jobs have folders of their own: an archive names what it holds from the folders that hold the workspace and the home,
 * and gives back nothing else.
 */
function named(step: BuiltinStep, paths: readonly string[]): readonly string[] {
  return Object.values(roots(step)).flatMap((root) => {
    const inside = paths.filter((path) => path === root || path.startsWith(`${root}/`));
    return inside.length === 0
      ? []
      : ["-C", dirname(root), ...inside.map((path) => `./${relative(dirname(root), path)}`)];
  });
}

async function unpack(step: BuiltinStep, archive: string): Promise<void> {
  for (const root of Object.values(roots(step)))
    await tar(step, ["-xzf", archive, "-C", dirname(root), "--no-same-owner", `./${basename(root)}`]).catch(
      (error: unknown) => {
        if (!/Not found in archive/i.test(messageOf(error))) throw error;
      },
    );
}

function roots({ job }: BuiltinStep): { readonly workspace: string; readonly home: string } {
  const { workspace } = job.plan.folders;
  return { workspace, home: job.base["HOME"] ?? dirname(workspace) };
}

function pathsOf(step: BuiltinStep, stated: string | undefined): readonly string[] {
  const { workspace, home } = roots(step);
  return linesOf(stated).flatMap((line) => {
    const path = resolve(workspace, line.replace(/^~(?=\/|$)/, home));
    return /[*?[]/.test(line) && path.startsWith(`${workspace}/`)
      ? findFiles(workspace, [path.slice(workspace.length + 1)]).map((file) => join(workspace, file))
      : [path];
  });
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("!"));
}

async function exists(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && (!found.isDirectory() || (await readdir(path)).length > 0);
}

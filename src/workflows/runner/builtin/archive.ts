import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { runProcess } from "../processes.ts";
import { environmentOf, type RunningStep } from "../step-process.ts";

/** The folder that the files of an artifact are named from: the deepest that all have in common. */
export function commonFolder(workspace: string, files: readonly string[], lines: readonly string[]): string {
  const [only] = lines.filter((line) => line !== "" && !line.startsWith("!"));
  const wanted = lines.filter((line) => line !== "" && !line.startsWith("!"));
  // One folder, or one pattern: from that folder. Several: from what they have in common.
  if (wanted.length === 1 && only !== undefined) {
    const base = join(workspace, only.replace(/^~\/?/, "").replace(/\/?[^/]*[*?[].*$/, ""));
    if (files.every((file) => file.startsWith(`${base.replace(/\/$/, "")}/`))) return base.replace(/\/$/, "");
  }
  let common = dirname(files[0] ?? workspace);
  for (const file of files) while (common !== "/" && !file.startsWith(`${common}/`)) common = dirname(common);
  return common;
}

/** @param archive.files absolute, below `root` */
export async function packFiles(
  step: Pick<RunningStep, "job" | "frame" | "env">,
  archive: { readonly root: string; readonly files: readonly string[]; readonly into: string },
): Promise<void> {
  const list = join(step.job.plan.folders.temporary, `files-${++step.job.counter}`);
  await writeFile(list, archive.files.map((file) => relative(archive.root, file)).join("\0"));
  await tar(step, ["-czf", archive.into, "-C", archive.root, "--null", "--no-recursion", `--files-from=${list}`]);
}

/** Nothing in an archive leads out of the folder: tar itself refuses `..` and takes leading slashes away. */
export async function unpackInto(
  step: Pick<RunningStep, "job" | "frame" | "env">,
  archive: string,
  folder: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await tar(step, ["-xzf", archive, "-C", folder, "--no-same-owner"]);
}

export async function tar(step: Pick<RunningStep, "job" | "frame" | "env">, args: readonly string[]): Promise<void> {
  const { exitCode, output } = await runProcess(step.job, {
    command: ["tar", ...args],
    folder: step.job.plan.folders.workspace,
    environment: environmentOf(step),
    isQuiet: true,
  });
  if (exitCode !== 0) throw new Error(`tar: ${output.trim()}`);
}

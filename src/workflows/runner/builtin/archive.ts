import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { runProcess } from "../processes.ts";
import { environmentOf, type RunningStep } from "../step-process.ts";

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

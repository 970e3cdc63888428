/**
 * What it costs to give an attempt a workspace of its own: 1,000 files of 4 kB, beside `cp -r` of the same files.
 * Medians of 7 rounds.
 */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGit, createWorkspace } from "#executors";

const FILES = 1000;
const ROUNDS = 7;
const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const projectFolder = join(folder, "project");
for (let index = 0; index < FILES; index++) {
  await mkdir(join(projectFolder, `d${index % 20}`), { recursive: true });
  await writeFile(join(projectFolder, `d${index % 20}`, `f${index}.txt`), "x".repeat(4096));
}
execFileSync("git", ["init", "--quiet", projectFolder]);
const git = createGit({ environment: { PATH: process.env["PATH"] ?? "" } });
const median = (values: number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
const time = async (work: (target: string) => unknown): Promise<number> => {
  const target = join(folder, "target");
  const startedAt = performance.now();
  await work(target);
  const took = performance.now() - startedAt;
  await rm(target, { recursive: true, force: true });
  return took;
};
const ours: number[] = [];
const raw: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  ours.push(await time((target) => createWorkspace({ projectFolder, folder: target, leaveOut: [], made: [] }, git)));
  raw.push(await time((target) => execFileSync("cp", ["-r", projectFolder, target])));
}
console.log(
  `workspace of ${FILES} files: ${median(ours).toFixed(1)} ms; cp -r: ${median(raw).toFixed(1)} ms; ratio ${(median(ours) / median(raw)).toFixed(2)}`,
);
await rm(folder, { recursive: true });

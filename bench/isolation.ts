/**
 * What isolation adds to a step's process: `true` through the executor with the strongest level of this machine and
 * with `none`, in turns. Medians of 40 rounds, the workspace and its store shown and hidden as in a step.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "#base";
import { createIsolation, createLocalExecutor } from "#executors";

const ROUNDS = 40;
const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const [storeFolder, projectFolder] = [join(folder, "project/.esteira"), join(folder, "project")];
const workFolder = join(storeFolder, "work");
await mkdir(workFolder, { recursive: true });
const { level } = await createIsolation().report();
const executors = [createIsolation({ level: "none" }), createIsolation()].map((isolation) =>
  createLocalExecutor({ workFolder, storeFolder, isolation, path: process.env["PATH"] ?? "" }),
);
const took: number[][] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, executor] of executors.entries()) {
    const attemptId = newId();
    const startedAt = performance.now();
    const workingFolder = join(workFolder, attemptId);
    await mkdir(workingFolder);
    const handle = await executor.submit(
      { attemptId, command: ["true"], workingFolder, environment: {}, readable: [projectFolder] },
      () => undefined,
    );
    const { exitCode } = await handle.ended;
    if (exitCode !== 0) throw new Error(`exit code ${String(exitCode)}`);
    took[index]?.push(performance.now() - startedAt);
  }
}
const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
const [plain, isolated] = took.map(median);
const fastest = took.map((values) => Math.min(...values).toFixed(1));
console.log(
  `a process with isolation "none": ${plain?.toFixed(1)} ms; with "${level}": ${isolated?.toFixed(1)} ms; ` +
    `added ${((isolated ?? NaN) - (plain ?? NaN)).toFixed(1)} ms, ratio ${((isolated ?? NaN) / (plain ?? NaN)).toFixed(2)}; fastest ${fastest.join(" and ")} ms`,
);
await rm(folder, { recursive: true });

// Overhead of executing a notebook, beside papermill on the same notebook with the same kernel: wall seconds from start
// to end.
// Usage: node bench/notebook.ts [--cells 50] [--runs 3]
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "#base";
import { createPythonEnvironments } from "#executors";
import { openMetadataStore } from "#metadata-store";
import { createNotebookKind } from "#notebooks";
import { createFileSystemBlobs } from "#storage";
import { testAttempt } from "../test/setup/attempt.ts";
import { notebookText } from "../test/notebooks/notebook-text.ts";
import { testCache } from "../test/setup/cache-folder.ts";

const { values: flags } = parseArgs({
  options: { cells: { type: "string", default: "50" }, runs: { type: "string", default: "3" } },
});
const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
// One environment for both: papermill brings its kernel, and the step finds ipykernel there.
const environments = createPythonEnvironments({
  storeFolder: join(testCache(), "bench-python"),
  environment: process.env as Record<string, string>,
});
const requirements = "papermill==2.7.0\nipykernel==7.4.0\n";
const { python } = await environments.prepare({
  requirements,
  requirementsFile: "requirements.txt",
  report: (line) => console.error(line),
});
const store = await openMetadataStore(join(folder, "metadata.sqlite"));
const objects = createFileSystemBlobs(join(folder, "objects"));
await mkdir(join(folder, "project"));
await writeFile(join(folder, "project/requirements.txt"), requirements);
const cells = Array.from({ length: Number(flags.cells) }, (_, index) => ({ source: `x = ${index}\nprint(x * n)\nx` }));
await writeFile(
  join(folder, "project/n.ipynb"),
  notebookText([{ source: "n: int = 1", tags: ["parameters"] }, ...cells]),
);
const kind = createNotebookKind({ store, objects, environments, clock: systemClock, temporaryFolder: tmpdir() });

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

const ours: number[] = [];
const papermill: number[] = [];
for (let run = 0; run < Number(flags.runs) + 1; run++) {
  const step = await timed(async () => {
    const attempt = await testAttempt(
      { notebook: "n.ipynb", params: { n: 2 }, python: "requirements.txt" },
      { projectFolder: join(folder, "project"), objects },
    );
    const outcome = await kind.execute(attempt);
    if (outcome.status !== "succeeded") throw new Error("the notebook did not succeed");
  });
  const peer = await timed(async () => {
    execFileSync(
      python,
      [
        "-m",
        "papermill",
        "n.ipynb",
        "out.ipynb",
        "-p",
        "n",
        "2",
        "--no-progress-bar",
        "--log-level",
        "ERROR",
        "-k",
        "python3",
      ],
      { cwd: join(folder, "project"), stdio: ["ignore", "ignore", "inherit"] },
    );
  });
  // The first run of each compiles what it imports.
  if (run > 0) {
    ours.push(step);
    papermill.push(peer);
  }
}
const median = (seconds: readonly number[]): number =>
  [...seconds].sort((left, right) => left - right)[Math.floor(seconds.length / 2)] ?? Number.NaN;
console.log(`notebook of ${cells.length + 1} cells, median of ${flags.runs}`);
console.log(`  esteira     ${median(ours).toFixed(2)} s`);
console.log(
  `  papermill   ${median(papermill).toFixed(2)} s   ratio ${(median(ours) / median(papermill)).toFixed(2)} (at most 1.0)`,
);
await store.close();
await rm(folder, { recursive: true, force: true });
process.exit();

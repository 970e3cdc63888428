// Processor time of listings beside `--help`, on an empty project: what a command costs before it does anything.
// Usage: node bench/commands.ts [--runs 11]
// CPU time is the figure to compare on a machine that others use too.
import { spawnSync } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildCli } from "../scripts/build-cli.ts";

const ROOT = resolve(import.meta.dirname, "..");
const LISTINGS = ["status", "dataset list", "model list", "lineage --help", "lint"];

const { values } = parseArgs({ options: { runs: { type: "string", default: "11" } } });
await buildCli();
const folder = await mkdtemp(join(tmpdir(), "esteira-commands-"));
try {
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: ships\n");
  await writeFile(join(folder, "pipelines/a.yaml"), "steps:\n  a: { run: echo hello }\n");
  const help = measure(["--help"]);
  console.log(`processor time, median of ${values.runs}\n--help          ${help.toFixed(0)} ms`);
  for (const words of LISTINGS) {
    const cost = measure(words.split(" "));
    console.log(`${words.padEnd(15)} ${cost.toFixed(0)} ms  ${(cost / help).toFixed(1)} ×`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Median milliseconds of user and system time of the command and its children. */
function measure(words: readonly string[]): number {
  const script =
    "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True)\nt=resource.getrusage(resource.RUSAGE_CHILDREN)\nprint((t.ru_utime+t.ru_stime)*1000)";
  const times = Array.from({ length: Number(values.runs) }, () => {
    const { stdout, stderr, status } = spawnSync("python3", ["-c", script, join(ROOT, "bin/esteira"), ...words], {
      cwd: folder,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`esteira ${words.join(" ")}: ${stderr}`);
    return Number(stdout);
  });
  return times.sort((left, right) => left - right)[times.length >> 1] ?? Number.NaN;
}

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { entryFile, isEsteiraError } from "#base";
import { type Executor, type ProcessHandle } from "#engine";
import type { ProcessSpec, Resources } from "#pipeline";
import { oneHandle } from "../one-handle.ts";
import { partitionUnknown, slurmUnreachable } from "../errors.ts";
import { JobFolder, type JobPlan } from "../job/job-folder.ts";
import { pauseBefore } from "../pause.ts";
import { quoteWord } from "../shell-word.ts";
import { SlurmCommands, type SlurmOptions } from "./slurm-commands.ts";
import { JOB_PREFIX, type JobSettings, SlurmJobWatch } from "./slurm-job-watch.ts";

const SUBMIT_AT_ONCE = 4;
/** How long a job is submitted again and again while the controller does not answer. */
const LONGEST_SILENCE_MS = 15 * 60_000;

export interface SlurmExecutorOptions extends SlurmOptions {
  readonly name: string;
  /** Absolute folder of the store's, on a file system that the cluster shares: a folder for each job. */
  readonly jobsFolder: string;
  /** What the wrapper is told of its machine: where attempts work, what is seen, how processes are isolated. */
  readonly place: JobPlan["place"];
  /** Node of the cluster's machines; default the engine's own, which then is at the same path there. */
  readonly node?: string | undefined;
  /** Where processes reach the platform from the cluster's machines; default the engine's own address. */
  readonly platformUrl?: string | undefined;
  /** Pauses between looks; for tests. */
  readonly pauses?: { readonly logMs?: number; readonly stateMs?: number; readonly settleMs?: number };
}

/**
 * Runs processes as jobs of Slurm, each started once by the wrapper in the job's folder, on a file system that the
 * machines share. A job is found again by its name, which is the attempt's: also one whose submission nobody saw the
 * end of. Jobs outlive the engine, and another one takes them over.
 */
export function createSlurmExecutor(options: SlurmExecutorOptions): Executor {
  const { name, jobsFolder } = options;
  const slurm = new SlurmCommands(options);
  const watch = new SlurmJobWatch({ executor: name, slurm, ...options.pauses });
  const limit = createTurns(SUBMIT_AT_ONCE);
  const folderOf = (id: string): JobFolder => new JobFolder(join(jobsFolder, id));
  const foldersOf = async (attempt: string): Promise<readonly JobFolder[]> => {
    const names = await listFolders(jobsFolder);
    return names.filter((each) => each === attempt || each.startsWith(`${attempt}.`)).map(folderOf);
  };
  const settings: JobSettings = {
    node: options.node ?? process.execPath,
    wrapper: fileURLToPath(entryFile("step-wrapper", import.meta.url)),
  };

  const start = async (spec: ProcessSpec, log: Parameters<Executor["submit"]>[1]): Promise<ProcessHandle> => {
    const folder = folderOf(spec.attemptId);
    await folder.plan({ format: "job/1", spec: toJobSpec(spec), node: process.execPath, place: options.place });
    const job = await limit(() => submitOnce(slurm, { folder, spec, script: scriptOf(folder, settings) }));
    return watch.follow({ id: job, spec, folder, log, settings });
  };

  return {
    name,
    backend: "slurm",
    capabilities: { exitCode: true, liveLogs: true, sandbox: true, remote: true },
    ...(options.platformUrl === undefined ? {} : { platformUrl: options.platformUrl }),
    async offer(): Promise<Resources> {
      const nodes = await slurm.nodes();
      if (nodes !== undefined) return nodes;
      const partitions = await slurm.partitions();
      throw partitionUnknown({ executor: name, partition: options.partition ?? "", partitions });
    },
    submit: oneHandle(start),
    async reap({ id }) {
      for (const folder of await foldersOf(id)) await endJob(slurm, folder);
    },
    outliving: {
      holds: async (attemptId) =>
        (await Promise.all((await foldersOf(attemptId)).map((folder) => folder.exists()))).includes(true),
      list: async () => [...new Set((await listFolders(jobsFolder)).map((each) => each.split(".")[0] ?? each))],
    },
  };
}

/** What only a process of the engine can hold is no part of a file. */
function toJobSpec(spec: ProcessSpec): JobPlan["spec"] {
  const own = new Map<string, unknown>(Object.entries(spec));
  for (const name of ["onOutput", "abandon", "resources", "logged"]) own.delete(name);
  const kept: JobPlan["spec"] = JSON.parse(JSON.stringify(Object.fromEntries(own)));
  return kept;
}

async function listFolders(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/** The shell line of a job: says by its exit code what it did not find. */
function scriptOf(folder: JobFolder, { node, wrapper }: JobSettings): string {
  const [place, program, script] = [folder.path, node, wrapper].map(quoteWord);
  return `#!/bin/sh
umask 077
test -w ${place} || exit 97
exec >>${place}/wrapper.out 2>&1
test -x ${program} && test -r ${script} || exit 96
exec ${program} --disable-warning=ExperimentalWarning ${script} ${place} "$SLURM_JOB_ID"
`;
}

/**
 * The job of a folder: the one that is known, else the one that Slurm has under its name, else a new one. While Slurm
 * does not answer, or takes no more jobs of this user, it is tried again.
 */
async function submitOnce(
  slurm: SlurmCommands,
  { folder, spec, script }: { readonly folder: JobFolder; readonly spec: ProcessSpec; readonly script: string },
): Promise<string> {
  const { abandon } = spec;
  const name = `${JOB_PREFIX}${spec.attemptId}`;
  const before = (await folder.readStarted())?.job ?? (await folder.readJob());
  if (before !== undefined) return before;
  const isNew = folder.isNew;
  const began = performance.now();
  for (let tries = 0; ; tries++) {
    try {
      // What was sent and never answered may be there: of a new folder nothing was sent.
      const found = isNew && tries === 0 ? undefined : (await slurm.list()).find((job) => job.name === name);
      const id = found?.id ?? (await slurm.submit(toRequest(name, spec), script));
      await folder.writeJob(id);
      return id;
    } catch (error) {
      if (!isEsteiraError(error, slurmUnreachable.code) || performance.now() - began > LONGEST_SILENCE_MS) throw error;
      await pauseBefore(tries, abandon, error);
    }
  }
}

function toRequest(
  name: string,
  { resources, environment, timeoutMs }: ProcessSpec,
): Parameters<SlurmCommands["submit"]>[0] {
  return {
    name,
    comment: `esteira ${environment["ESTEIRA_PIPELINE"] ?? ""}.${environment["ESTEIRA_STEP"] ?? ""}`,
    resources,
    minutes: timeoutMs === undefined ? undefined : Math.ceil(timeoutMs / 60_000) + 10,
  };
}

/** Ends what runs of a folder, waits until nothing does, and removes it. */
async function endJob(slurm: SlurmCommands, folder: JobFolder): Promise<void> {
  if ((await folder.readResult()) === undefined) {
    await folder.askToEnd();
    const name = `${JOB_PREFIX}${folder.name}`;
    for (let pause = 100; ; pause = Math.min(pause * 2, 2000)) {
      const jobs = await slurm.listActive(name);
      if (jobs.length === 0) break;
      for (const { id } of jobs) await slurm.cancel(id);
      await delay(pause);
    }
  }
  await folder.remove();
}

/** At most so many at once, in the order they came. */
function createTurns(most: number): <Value>(work: () => Promise<Value>) => Promise<Value> {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

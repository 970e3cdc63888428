import { setTimeout as delay } from "node:timers/promises";
import { EsteiraError, messageOf } from "#base";
import { type Executor, placeLost, type ProcessHandle } from "#engine";
import type { ProcessResult, ProcessSpec } from "#pipeline";
import { jobEnded, storeNotShared, wrapperUnstartable } from "../errors.ts";
import { fromErrorFacts } from "../job/job-error.ts";
import type { JobFolder, JobResult } from "../job/job-folder.ts";
import { JobLogReader } from "../job/job-log.ts";
import { hasEnded, type SlurmCommands, type SlurmJob } from "./slurm-commands.ts";

/** Of the names of jobs: the attempt follows. */
export const JOB_PREFIX = "esteira-";

const STORE_MISSING = 97;
const PROGRAM_MISSING = 96;
const LOG_MS = 250;
const STATE_MS = 2000;
/** File systems over a network show what another machine wrote after a while. */
const SETTLE_MS = 20_000;
const AT_ONCE = 16;
const GRACE_MS = 5000;

/** What a job is started by on its machine. */
export interface JobSettings {
  readonly node: string;
  readonly wrapper: string;
}

interface Followed {
  readonly id: string;
  readonly spec: ProcessSpec;
  readonly folder: JobFolder;
  readonly log: Parameters<Executor["submit"]>[1];
  readonly settings: JobSettings;
}

interface Watched extends Followed {
  readonly reader: JobLogReader;
  readonly startedAtMs: number;
  readonly settle: (outcome: ProcessResult | EsteiraError) => void;
  job: SlurmJob | undefined;
  /** When its end was first seen without a result, or it was first missing. */
  missingSince: number | undefined;
  cancelledAt: number | undefined;
  killedAt: number | undefined;
}

/** The engine stopped reading; the job goes on. */
const left = (): EsteiraError => placeLost({ executor: "the engine", reason: "its engine left it to another" });

/**
 * Follows the jobs of one executor: their logs and results by their folders, some times a second, and their states by
 * one question to Slurm for all of them.
 *
 * States: idle → looking (while it follows a job) → idle.
 */
export class SlurmJobWatch {
  readonly #executor: string;
  readonly #slurm: SlurmCommands;
  readonly #pauses: { readonly logMs: number; readonly stateMs: number; readonly settleMs: number };
  readonly #jobs = new Set<Watched>();
  #looking = false;
  #askedAt = -Infinity;

  constructor(options: {
    readonly executor: string;
    readonly slurm: SlurmCommands;
    readonly logMs?: number;
    readonly stateMs?: number;
    readonly settleMs?: number;
  }) {
    this.#executor = options.executor;
    this.#slurm = options.slurm;
    this.#pauses = {
      logMs: options.logMs ?? LOG_MS,
      stateMs: options.stateMs ?? STATE_MS,
      settleMs: options.settleMs ?? SETTLE_MS,
    };
  }

  follow(job: Followed): ProcessHandle {
    const { promise, resolve, reject } = Promise.withResolvers<ProcessResult>();
    // Whoever waits hears of it; an attempt that was given up waits no more.
    promise.catch(() => {});
    const watched: Watched = {
      ...job,
      reader: new JobLogReader(job.folder.logFile, { take: job.log, logged: job.spec.logged }),
      startedAtMs: Date.now(),
      job: undefined,
      missingSince: undefined,
      cancelledAt: undefined,
      killedAt: undefined,
      settle: (outcome) => {
        if (!this.#jobs.delete(watched)) return;
        if (outcome instanceof EsteiraError) reject(outcome);
        else resolve(outcome);
      },
    };
    this.#jobs.add(watched);
    if (!this.#looking) void this.#look();
    return {
      reference: { executor: this.#executor, id: job.spec.attemptId, startedAtMs: watched.startedAtMs },
      ended: promise,
      cancel: async () => {
        if (this.#jobs.has(watched) && watched.cancelledAt === undefined) {
          watched.cancelledAt = performance.now();
          this.#askedAt = -Infinity;
          await job.folder.askToEnd();
          // One that waits in the queue has nobody who would read that.
          await this.#try(async () => {
            const found = await this.#slurm.find(job.id);
            if (found?.state === "PENDING") await this.#slurm.cancel(job.id);
            else await this.#slurm.tell(job.id);
          });
        }
        await promise.catch(() => {});
      },
      leave: () => watched.settle(left()),
    };
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#jobs.size > 0) {
      const asks = performance.now() - this.#askedAt >= this.#pauses.stateMs;
      if (asks) await this.#try(() => this.#ask());
      const jobs = [...this.#jobs].filter(({ job }) => asks || job?.state !== "PENDING");
      for (let start = 0; start < jobs.length; start += AT_ONCE)
        await Promise.all(jobs.slice(start, start + AT_ONCE).map((job) => this.#visit(job)));
      await this.#pause();
    }
    this.#looking = false;
  }

  #pause(): Promise<void> {
    return delay(this.#pauses.logMs);
  }

  /** A question to Slurm that is asked again later when it fails. */
  async #try(work: () => Promise<void>): Promise<void> {
    await work().catch(() => {});
  }

  async #ask(): Promise<void> {
    this.#askedAt = performance.now();
    const known = new Map((await this.#slurm.list()).map((job) => [job.id, job]));
    for (const watched of this.#jobs) {
      const job = known.get(watched.id);
      if (job !== undefined && !hasEnded(job)) {
        watched.job = job;
        watched.missingSince = undefined;
        continue;
      }
      // Its exit code is told by another question, and only of those that have ended.
      const found = await this.#slurm.find(watched.id);
      watched.job = found ?? job;
      if (watched.job !== undefined && !hasEnded(watched.job)) watched.missingSince = undefined;
      else watched.missingSince ??= performance.now();
    }
  }

  async #visit(watched: Watched): Promise<void> {
    const { folder, reader } = watched;
    try {
      const result = await folder.readResult();
      await reader.drain();
      if (result !== undefined) {
        if (await this.#isWhole(watched, result)) await this.#settle(watched, result);
        return;
      }
      if (watched.cancelledAt !== undefined) await this.#press(watched);
      if (this.#isOver(watched)) watched.settle(await this.#withoutResult(watched));
    } catch (error) {
      watched.settle(
        error instanceof EsteiraError
          ? error
          : placeLost({ executor: this.#executor, reason: `its folder cannot be read: ${messageOf(error)}` }, error),
      );
    }
  }

  /** No result will come any more: Slurm says how it ended, or long enough nothing. */
  #isOver({ job, missingSince }: Watched): boolean {
    if (missingSince === undefined) return false;
    if (job?.exit?.code === STORE_MISSING || job?.exit?.code === PROGRAM_MISSING) return true;
    const isClear = job !== undefined && hasEnded(job) && job.state !== "COMPLETED" && job.state !== "FAILED";
    const waitsMs = isClear ? Math.min(1000, this.#pauses.settleMs) : this.#pauses.settleMs;
    return performance.now() - missingSince >= waitsMs;
  }

  /** What the wrapper wrote last may be seen later than that it has ended. */
  async #isWhole(watched: Watched, { logBytes }: JobResult): Promise<boolean> {
    if (watched.reader.offset >= logBytes) return true;
    watched.missingSince ??= performance.now();
    if (performance.now() - watched.missingSince < this.#pauses.settleMs) return false;
    await watched.log("stderr", "esteira: the end of the log was lost on its way\n");
    return true;
  }

  /** A wrapper that was asked to end and does not is ended by Slurm. */
  async #press(watched: Watched): Promise<void> {
    const grace = (watched.spec.gracePeriodMs ?? GRACE_MS) + GRACE_MS;
    const since = performance.now() - (watched.killedAt ?? watched.cancelledAt ?? 0);
    if (since < grace && watched.job?.state !== "PENDING") return;
    watched.killedAt = performance.now();
    await this.#try(() => this.#slurm.cancel(watched.id));
  }

  async #settle(watched: Watched, said: JobResult): Promise<void> {
    if (said.lost !== undefined) return watched.settle(placeLost({ executor: this.#executor, reason: said.lost }));
    if (said.error !== undefined) return watched.settle(fromErrorFacts(said.error));
    const { result } = said;
    if (result === undefined) return watched.settle(await this.#withoutResult(watched));
    if (result.endedBy === "cancel" && watched.cancelledAt === undefined) {
      if (said.wasAsked) return watched.settle(placeLost({ executor: this.#executor, reason: "an engine ended it" }));
      // Slurm told the wrapper to end: why is known once the job has ended.
      const found = await this.#slurm.find(watched.id).catch(() => undefined);
      if (found !== undefined && !hasEnded(found)) return;
      watched.job = found;
      return watched.settle(await this.#withoutResult(watched));
    }
    watched.settle({
      ...result,
      ...(said.outputsProblem === undefined ? {} : { outputsProblem: fromErrorFacts(said.outputsProblem) }),
    });
  }

  /** What a job without a result of its own has come to, by what Slurm says of it. */
  async #withoutResult(watched: Watched): Promise<ProcessResult | EsteiraError> {
    const { id, job, folder } = watched;
    const executor = this.#executor;
    const lost = (reason: string): EsteiraError => placeLost({ executor, reason: `${reason} (job ${id})` });
    if (watched.cancelledAt !== undefined) return cancelled(watched);
    if (!(await folder.exists())) return lost("its folder was removed");
    if (job === undefined) return lost("Slurm no longer knows it");
    if (job.state === "FAILED") return this.#afterFailure(watched, job);
    const reason = LOSSES[job.state];
    if (reason !== undefined) return lost(`${nodeOf(job)}: ${reason}`);
    // An engine took it back, and Slurm was told so: nobody else cancelled it.
    if (job.state === "CANCELLED" && (await folder.wasAskedToEnd())) return lost("an engine ended it");
    const end = ENDS[job.state];
    return end === undefined
      ? lost(`it ended as ${job.state} without a result`)
      : jobEnded({ executor, job: id, how: end.how, advice: end.advice });
  }

  #afterFailure({ id, folder, settings }: Watched, job: SlurmJob): EsteiraError {
    const executor = this.#executor;
    const node = nodeOf(job);
    if (job.exit?.code === STORE_MISSING) return storeNotShared({ executor, folder: folder.path, node });
    if (job.exit?.code === PROGRAM_MISSING) return wrapperUnstartable({ executor, node, program: settings.node });
    return placeLost({ executor, reason: `its wrapper on ${node} ended with ${exitOf(job)} (job ${id})` });
  }
}

/** States in which the machine or the scheduler is to blame. */
const LOSSES: Readonly<Record<string, string>> = {
  NODE_FAIL: "the machine failed",
  BOOT_FAIL: "the machine did not start",
  PREEMPTED: "another job took its place",
};

/** States in which the job itself, or a person, is. */
const ENDS: Readonly<Record<string, { readonly how: string; readonly advice: string }>> = {
  OUT_OF_MEMORY: {
    how: "took more memory than it has",
    advice: "Ask for more: resources: { memory: … } of the step.",
  },
  TIMEOUT: {
    how: "reached its time limit",
    advice: "Give it more: timeout of the step, time of the executor, or another partition.",
  },
  DEADLINE: {
    how: "reached its deadline",
    advice: "Take the deadline from the executor's arguments, or set a later one.",
  },
  CANCELLED: { how: "was cancelled by somebody with scancel", advice: "Ask who it was, then run the step again." },
};

function nodeOf({ node }: SlurmJob): string {
  return node === undefined || node === "" ? "its machine" : node;
}

function exitOf({ exit }: SlurmJob): string {
  if (exit === undefined) return "an unknown exit code";
  return exit.signal === 0 ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

function cancelled({ startedAtMs, spec }: Watched): ProcessResult {
  return {
    exitCode: undefined,
    signal: "SIGKILL",
    endedBy: "cancel",
    durationMs: Date.now() - startedAtMs,
    // Where nothing ran, nothing was less isolated than it had to be.
    isolation: spec.isolation?.atLeast ?? "none",
  };
}

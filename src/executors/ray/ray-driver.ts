import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EsteiraError, type Log, messageOf, newId } from "#base";
import type { LentToken } from "../ssh/host-worker.ts";
import { pythonPackageFolder } from "../step-context.ts";
import { pause } from "../pause.ts";
import { quoteWord } from "../shell-word.ts";
import { rayDriverEnded } from "./ray-errors.ts";
import type { RayJobs } from "./ray-jobs.ts";

const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
const WELL_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 2000;
/** Jobs of Ray end by themselves at a signal; whoever asks for that does not wait for longer. */
const END_MS = 10_000;
const PROGRAM =
  "import base64,os;exec(compile(base64.b64decode(os.environ.pop('ESTEIRA_RAY_PROGRAM')),'driver','exec'))";

export interface RayDriverOptions {
  readonly executor: string;
  readonly jobs: RayJobs;
  readonly workerName: string;
  readonly labels: readonly string[];
  /** Python with ray, on the machine where Ray starts drivers. */
  readonly python: string;
  /** Program on the nodes. */
  readonly command: string;
  /** Folder on the nodes. */
  readonly folder: string;
  /** Where the cluster's machines reach this server; default its own address. */
  readonly url: string | undefined;
  readonly ownUrl: () => Promise<string>;
  readonly lendToken: () => LentToken;
  readonly isElsewhere: () => Promise<boolean>;
  readonly version: string;
  readonly log: Log;
}

/**
 * Keeps one driver job running on a cluster.
 *
 * States: new → supervised (by `start`: a job runs, or it waits before the next, or leaves it to another process that
 * has one) → stopped.
 */
export class RayDriver {
  readonly #options: RayDriverOptions;
  readonly #ending = new AbortController();
  #supervision: Promise<void> | undefined;
  #problem: EsteiraError | undefined;

  constructor(options: RayDriverOptions) {
    this.#options = options;
  }

  /** Why there is no driver; undefined while one is being started or runs. */
  get problem(): EsteiraError | undefined {
    return this.#problem;
  }

  /** Idempotent. */
  start(): void {
    if (!this.#ending.signal.aborted) this.#supervision ??= this.#supervise();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#supervision;
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#ending;
    for (let tries = 0; !signal.aborted;) {
      if (await this.#options.isElsewhere().catch(() => false)) {
        this.#problem = undefined;
        await pause(LOOK_EVERY_MS, signal);
        continue;
      }
      const began = performance.now();
      await this.#runJob().catch((error: unknown) => this.#tell(error));
      if (signal.aborted) return;
      tries = performance.now() - began > WELL_AFTER_MS ? 0 : tries + 1;
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, tries - 1), LONGEST_PAUSE_MS), signal);
    }
  }

  #tell(error: unknown): void {
    const { executor, log } = this.#options;
    this.#problem =
      error instanceof EsteiraError
        ? error
        : rayDriverEnded({ executor, status: "never started", reason: messageOf(error) }, error);
    log.warn("a cluster has no driver; it is tried again", { executor, reason: this.#problem.message });
  }

  /** One job, from its submission to its end. */
  async #runJob(): Promise<void> {
    const { executor, jobs, lendToken } = this.#options;
    const { signal } = this.#ending;
    const lent = lendToken();
    const id = `esteira-${executor}-${newId().toLowerCase()}`;
    try {
      await jobs.submit({ id, ...(await this.#plan(lent.token)) });
      for (;;) {
        await pause(LOOK_EVERY_MS, signal);
        if (signal.aborted) return await this.#end(id);
        // A head that is away for a while is no end of the job.
        const job = await jobs.find(id).catch(() => "unknown" as const);
        if (job === "unknown") continue;
        if (job?.status === "RUNNING") this.#problem = undefined;
        if (job === undefined || job.hasEnded)
          throw rayDriverEnded({
            executor,
            status: job?.status ?? "Ray no longer knows it",
            reason: job?.message.trim().split("\n").slice(-6).join("\n") ?? "",
          });
      }
    } finally {
      lent.revoke();
    }
  }

  async #plan(token: string): Promise<{ entrypoint: string; variables: Readonly<Record<string, string>> }> {
    const { python, url, ownUrl, command, folder, executor, workerName, labels, version } = this.#options;
    const program = await readFile(join(pythonPackageFolder, "esteira_ray_driver.py"));
    const settings = {
      url: url ?? (await ownUrl()),
      token,
      command,
      folder,
      executor,
      name: workerName,
      labels,
      version,
    };
    return {
      entrypoint: `${quoteWord(python)} -u -c ${quoteWord(PROGRAM)}`,
      variables: {
        ESTEIRA_RAY_PROGRAM: program.toString("base64"),
        ESTEIRA_RAY_DRIVER: JSON.stringify(settings),
      },
    };
  }

  async #end(id: string): Promise<void> {
    const { jobs } = this.#options;
    for (const until = performance.now() + END_MS; performance.now() < until; await delay(200)) {
      try {
        await jobs.stop(id);
        const job = await jobs.find(id);
        if (job === undefined || job.hasEnded) return;
      } catch {
        // Whatever is left of it is refused by the server from now on, and ends.
      }
    }
  }
}

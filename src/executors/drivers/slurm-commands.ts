import { execFile } from "node:child_process";
import { z } from "zod";
import type { Resources } from "#pipeline";
import { jobRefused, slurmMissing, slurmUnreachable } from "../errors.ts";

const LONGEST_CALL_MS = 60_000;

/** How Slurm is called. */
export interface SlurmOptions {
  readonly partition?: string | undefined;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  readonly constraint?: string | undefined;
  /** Minutes; default what the partition gives. */
  readonly minutes?: number | undefined;
  /** Further arguments of `sbatch`. */
  readonly arguments?: readonly string[] | undefined;
  /** Absolute file of its configuration, where it is not at its usual place. */
  readonly configuration?: string | undefined;
  /** PATH in which its commands are looked for. */
  readonly searchPath: string;
  readonly homeFolder?: string | undefined;
}

/** What Slurm knows of a job. */
export interface SlurmJob {
  readonly id: string;
  readonly name: string;
  /** `PENDING`, `RUNNING`, `NODE_FAIL`, … */
  readonly state: string;
  /** Exit code and signal; undefined where it is not told. */
  readonly exit?: { readonly code: number; readonly signal: number } | undefined;
  readonly node?: string | undefined;
}

/** States in which a job has ended; all others go on. */
const ENDED: ReadonlySet<string> = new Set([
  "BOOT_FAIL",
  "CANCELLED",
  "COMPLETED",
  "DEADLINE",
  "FAILED",
  "NODE_FAIL",
  "OUT_OF_MEMORY",
  "PREEMPTED",
  "TIMEOUT",
]);
export const hasEnded = ({ state }: SlurmJob): boolean => ENDED.has(state);

/** The commands of Slurm, as far as jobs need them. */
export class SlurmCommands {
  readonly #options: SlurmOptions;

  constructor(options: SlurmOptions) {
    this.#options = options;
  }

  /**
   * @param script read from standard input, so that nothing of it has to be seen by other machines
   * @throws EXECUTORS_JOB_REFUSED, EXECUTORS_SLURM_UNREACHABLE
   */
  async submit(
    job: {
      readonly name: string;
      readonly comment: string;
      readonly resources: Resources | undefined;
      readonly minutes: number | undefined;
    },
    script: string,
  ): Promise<string> {
    const { partition, account, qos, constraint, minutes } = this.#options;
    const { cpus, gpus, memoryBytes } = job.resources ?? {};
    const time = minutes ?? job.minutes;
    const chosen = Object.entries({ partition, account, qos, constraint, time, "cpus-per-task": cpus }).flatMap(
      ([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]),
    );
    const said = await this.#call(
      "sbatch",
      [
        "--parsable",
        `--job-name=${job.name}`,
        // Of two jobs of this name, one starts after the other has ended.
        "--dependency=singleton",
        `--comment=${job.comment}`,
        "--no-requeue",
        "--export=NIL",
        "--chdir=/",
        "--nodes=1",
        "--ntasks=1",
        "--input=/dev/null",
        "--output=/dev/null",
        ...chosen,
        ...(memoryBytes === undefined ? [] : [`--mem=${Math.max(1, Math.ceil(memoryBytes / 1024 ** 2))}M`]),
        ...(gpus === undefined || gpus === 0 ? [] : [`--gres=gpu:${gpus}`]),
        ...(this.#options.arguments ?? []),
      ],
      script,
    );
    return said.trim().split(";")[0] ?? "";
  }

  /** Jobs of this user, those that have ended a while ago among them. */
  async list(): Promise<readonly SlurmJob[]> {
    const user = String(process.getuid?.() ?? 0);
    const said = await this.#call("squeue", ["-h", "-a", "-t", "all", "-u", user, "-o", "%i|%T|%N|%j"]);
    return said.split("\n").flatMap((line) => {
      const [id = "", state = "", node = "", ...name] = line.trim().split("|");
      return id === "" ? [] : [{ id, state, name: name.join("|"), node }];
    });
  }

  /** Jobs of this user under a name that have not ended. */
  async listActive(name: string): Promise<readonly SlurmJob[]> {
    return (await this.list()).filter((job) => job.name === name && !hasEnded(job));
  }

  /** A job with how it ended, from the controller, else from accounting; undefined when neither knows it. */
  async find(id: string): Promise<SlurmJob | undefined> {
    return (await this.#show(id)) ?? (await this.#account(id));
  }

  /** Ends a job; one that has ended or is unknown is no error. */
  async cancel(id: string): Promise<void> {
    await this.#call("scancel", ["--quiet", id]).catch(ifUnknown(""));
  }

  /** Tells the job's own process, the wrapper, to end. */
  async tell(id: string): Promise<void> {
    await this.#call("scancel", ["--quiet", "--batch", "--signal=TERM", id]).catch(ifUnknown(""));
  }

  /** The most that one node of the partition has, and its partitions' names. */
  async nodes(): Promise<Resources | undefined> {
    const { partition } = this.#options;
    const said = await this.#call("sinfo", [
      "-h",
      "-N",
      "-o",
      "%c|%m|%G",
      ...(partition === undefined ? [] : ["-p", partition]),
    ]);
    const nodes = said.split("\n").flatMap((line) => {
      const [cpus = "", memory = "", devices = ""] = line.trim().split("|");
      if (cpus === "") return [];
      const gpus = [...devices.matchAll(/gpu(?::[^:,()]+)?:(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
      return [{ cpus: parseInt(cpus, 10), memoryBytes: parseInt(memory, 10) * 1024 ** 2, gpus }];
    });
    if (nodes.length === 0) return undefined;
    return {
      cpus: Math.max(...nodes.map((node) => node.cpus)),
      gpus: Math.max(...nodes.map((node) => node.gpus)),
      memoryBytes: Math.max(...nodes.map((node) => node.memoryBytes)),
    };
  }

  async partitions(): Promise<readonly string[]> {
    const said = await this.#call("sinfo", ["-h", "-o", "%R"]);
    return [...new Set(said.split("\n").filter((line) => line !== ""))];
  }

  async #show(id: string): Promise<SlurmJob | undefined> {
    const said = await this.#call("scontrol", ["-o", "show", "job", id]).catch(ifUnknown(undefined));
    if (said === undefined) return undefined;
    const fact = (name: string): string => new RegExp(`(?:^| )${name}=(\\S*)`).exec(said)?.[1] ?? "";
    return {
      id,
      name: fact("JobName"),
      state: fact("JobState"),
      exit: toExit(fact("ExitCode")),
      node: fact("NodeList"),
    };
  }

  /** Sites without accounting answer with an error. */
  async #account(id: string): Promise<SlurmJob | undefined> {
    const said = await this.#call("sacct", ["-n", "-X", "-P", "-j", id, "-o", "JobName,State,ExitCode,NodeList"]).catch(
      () => "",
    );
    const [name = "", state = "", exit = "", node = ""] = (said.split("\n")[0] ?? "").split("|");
    // "CANCELLED by 1000"
    return state === "" ? undefined : { id, name, state: state.split(" ")[0] ?? "", exit: toExit(exit), node };
  }

  #call(program: string, args: readonly string[], input?: string): Promise<string> {
    const { searchPath, homeFolder, configuration } = this.#options;
    return new Promise((resolve, reject) => {
      const child = execFile(
        program,
        [...args],
        {
          cwd: "/",
          timeout: LONGEST_CALL_MS,
          maxBuffer: 64 * 1024 ** 2,
          env: {
            PATH: searchPath,
            LC_ALL: "C",
            SLURM_TIME_FORMAT: "standard",
            ...(homeFolder === undefined ? {} : { HOME: homeFolder }),
            ...(configuration === undefined ? {} : { SLURM_CONF: configuration }),
          },
        },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(toError(program, error, stderr.trim()));
        },
      );
      child.stdin?.on("error", () => {});
      child.stdin?.end(input ?? "");
    });
  }
}

const AWAY =
  /unable to contact slurm|connection refused|connection timed out|socket timed out|communication connection failure|zero bytes were transmitted|munge|protocol authentication error|resource temporarily unavailable|temporarily unable to accept/i;
const FULL = /maxsubmit|max submit|MaxJobs|job submit limit|violates accounting\/qos policy.*submit/i;
const NO_SUCH_JOB = /invalid job id/i;

function toError(program: string, error: Error & { readonly code?: unknown; readonly killed?: boolean }, said: string) {
  if (error.code === "ENOENT") return slurmMissing({ program });
  if (error.killed === true || AWAY.test(said) || FULL.test(said))
    return slurmUnreachable({ program, said: error.killed === true ? "no answer within a minute" : said }, error);
  return jobRefused({ program, said: said === "" ? error.message : said }, error);
}

function ifUnknown<Value>(value: Value): (error: unknown) => Value {
  return (error) => {
    if (error instanceof Error && NO_SUCH_JOB.test(error.message)) return value;
    throw error;
  };
}

function toExit(text: string): SlurmJob["exit"] {
  const checked = z.tuple([z.coerce.number(), z.coerce.number()]).safeParse(text.split(":"));
  return checked.success ? { code: checked.data[0], signal: checked.data[1] } : undefined;
}

import { ISOLATION_LEVELS, type IsolationDemand, type IsolationLevel, isAtLeast } from "#pipeline";
import { isolationUnavailable, sandboxUnavailable } from "../errors.ts";
import { createSandbox, type Sandbox, type SandboxProblem } from "./sandbox.ts";

/** What this machine can do, and why it cannot do more. */
export interface IsolationReport {
  /** The strongest level here. */
  readonly level: IsolationLevel;
  /** Stronger levels and what stands in their way, strongest first. */
  readonly missing: readonly MissingLevel[];
}

/** A level that this machine cannot give. */
export interface MissingLevel {
  readonly level: IsolationLevel;
  readonly cause: SandboxProblem["cause"];
  readonly reason: string;
}

/** Chooses how far the processes of users are kept from the platform and from each other. */
export interface Isolation {
  report(): Promise<IsolationReport>;
  /**
   * The level for one process: the strongest there is, or `none` where the project says so and nothing requires more.
   *
   * @throws EXECUTORS_SANDBOX_UNAVAILABLE, EXECUTORS_ISOLATION_UNAVAILABLE when less can be done than is required
   */
  choose(demand?: IsolationDemand): Promise<IsolationLevel>;
  readonly sandbox: Sandbox;
}

export interface IsolationOptions {
  /** What `isolation` in `esteira.yaml` says; default `auto`: the strongest there is. */
  readonly level?: IsolationLevel | "auto" | undefined;
  /** Default the system's bubblewrap. */
  readonly sandbox?: Sandbox | undefined;
}

/** Found out once, with the first process. */
export function createIsolation({ level = "auto", sandbox = createSandbox() }: IsolationOptions = {}): Isolation {
  const report = async (): Promise<IsolationReport> => {
    const problem = await sandbox.problem();
    return problem === undefined
      ? { level: "sandbox", missing: [] }
      : { level: "none", missing: [{ level: "sandbox", ...problem }] };
  };
  return {
    sandbox,
    report,
    async choose({ atLeast = "none", requiredBy = "the step", exempt = false } = {}) {
      const own = level === "auto" ? "none" : level;
      const [floor, by] = isAtLeast(atLeast, own) && atLeast !== "none" ? [atLeast, requiredBy] : [own, SETTING];
      if (floor === "none" && (exempt || level === "none")) return "none";
      const { level: best, missing } = await report();
      if (isAtLeast(best, floor)) return best;
      const reason = missing.map((one) => one.reason).join("; ");
      if (floor === "sandbox") throw sandboxUnavailable({ requiredBy: by, reason });
      throw isolationUnavailable({ requiredBy: by, level: floor, levels: ISOLATION_LEVELS, reason });
    },
  };
}

const SETTING = "isolation in esteira.yaml";

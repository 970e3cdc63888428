import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import type { IsolationLevel } from "#pipeline";
import type { ProcessResult, ProcessSpec } from "#pipeline";

/** What a process is started with on another machine: its spec without what only a process of the engine can hold. */
type JobSpec = Omit<ProcessSpec, "onOutput" | "abandon" | "resources" | "logged">;

/** What the wrapper on the other machine reads. It holds the values of secrets: only its user can read it. */
export interface JobPlan {
  readonly format: "job/1";
  readonly spec: JobSpec;
  /** The Node of the engine: commands that name it get the one of their machine. */
  readonly node: string;
  readonly place: {
    readonly workFolder: string;
    readonly storeFolder?: string | undefined;
    readonly path?: string | undefined;
    readonly readable?: readonly string[] | undefined;
    readonly writable?: readonly string[] | undefined;
    readonly environment?: Readonly<Record<string, string>> | undefined;
    readonly isolation: IsolationLevel | "auto";
  };
}

/** How a job ended, as its wrapper says. */
export interface JobResult {
  readonly format: "job/1";
  /** Undefined when the process could not be started, or was lost. */
  readonly result?: Omit<ProcessResult, "outputsProblem" | "tail"> | undefined;
  /** The wrapper was told to end it, by whoever holds the folder; a signal alone is not that. */
  readonly wasAsked: boolean;
  readonly error?: object | undefined;
  readonly outputsProblem?: object | undefined;
  /** Why what ran is lost: it was started a second time. */
  readonly lost?: string | undefined;
  /** Length of the log. */
  readonly logBytes: number;
}

const startedSchema = z.object({ job: z.string(), host: z.string() });
const resultSchema = z.looseObject({ format: z.literal("job/1"), wasAsked: z.boolean(), logBytes: z.number() });

/**
 * The folder of one job, on a file system that both machines see. Beside it lies nothing that the job's own process can
 * write.
 *
 * States: planned (`plan.json`) → submitted (`job`, the backend's id) → started (`started`, made by one wrapper alone)
 * → ended (`result.json`). `cancel` asks the wrapper to end it.
 */
export class JobFolder {
  readonly path: string;
  /** The plan was written by this process: nothing was submitted before. */
  isNew = false;

  constructor(path: string) {
    this.path = path;
  }

  get name(): string {
    return basename(this.path);
  }

  get logFile(): string {
    return join(this.path, "log");
  }

  async exists(): Promise<boolean> {
    const names = await readdir(this.path).catch(ifThere<readonly string[]>([]));
    return names.some((name) => ["plan.json", "job", "started", "result.json"].includes(name));
  }

  /** Writes the plan once; what is there stays. */
  async plan(plan: JobPlan): Promise<void> {
    if (await this.exists()) return;
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await this.#write("plan.json", JSON.stringify(plan));
    this.isNew = true;
  }

  /** The plan, which is removed: whoever has it starts it. */
  async takePlan(): Promise<JobPlan> {
    const file = join(this.path, "plan.json");
    const plan: JobPlan = JSON.parse(await readFile(file, "utf8"));
    await rm(file);
    return plan;
  }

  async readJob(): Promise<string | undefined> {
    return (await this.#read("job"))?.trim();
  }

  writeJob(id: string): Promise<void> {
    return this.#write("job", id);
  }

  /** True for the first that calls it, for ever. */
  async start(facts: { readonly job: string; readonly host: string }): Promise<boolean> {
    const file = await open(join(this.path, "started"), "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return undefined;
      throw error;
    });
    if (file === undefined) return false;
    await file.writeFile(JSON.stringify(facts));
    await file.sync();
    await file.close();
    return true;
  }

  /** Which job of the backend has started it, and where. */
  async readStarted(): Promise<{ readonly job: string; readonly host: string } | undefined> {
    const text = await this.#read("started");
    // Its maker may be between making and writing it.
    if (text === undefined || text === "") return undefined;
    return startedSchema.parse(JSON.parse(text));
  }

  async writeResult(result: JobResult): Promise<void> {
    await this.#write("result.json", JSON.stringify(result));
  }

  async readResult(): Promise<JobResult | undefined> {
    const text = await this.#read("result.json");
    if (text === undefined) return undefined;
    resultSchema.parse(JSON.parse(text));
    const result: JobResult = JSON.parse(text);
    return result;
  }

  /** Idempotent; nothing where the folder is gone. */
  async askToEnd(): Promise<void> {
    await writeFile(join(this.path, "cancel"), "").catch(ifThere<void>(undefined));
  }

  /** Whoever has the folder asked for its end, also before anything was started. */
  async wasAskedToEnd(): Promise<boolean> {
    return (await this.#read("cancel")) !== undefined;
  }

  /** True when it is to end: it was asked to, or nobody waits for it any more. */
  async isToEnd(): Promise<"asked" | "abandoned" | undefined> {
    const names = await readdir(this.path).catch(ifThere<readonly string[] | undefined>(undefined));
    if (names === undefined || !names.includes("started")) return "abandoned";
    return names.includes("cancel") ? "asked" : undefined;
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Whole or not at all, for readers on another machine too. */
  async #write(name: string, text: string): Promise<void> {
    const partial = join(this.path, `${name}.part`);
    await writeFile(partial, text, { mode: 0o600, flush: true });
    await rename(partial, join(this.path, name));
  }

  #read(name: string): Promise<string | undefined> {
    return readFile(join(this.path, name), "utf8").catch(ifThere<string | undefined>(undefined));
  }
}

/** What stands for a file or folder that is not there. */
function ifThere<Value>(value: Value): (error: NodeJS.ErrnoException) => Value {
  return (error) => {
    if (error.code === "ENOENT") return value;
    throw error;
  };
}

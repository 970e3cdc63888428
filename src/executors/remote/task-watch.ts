import { EsteiraError, messageOf } from "#base";
import { type Executor, placeLost, type ProcessHandle } from "#engine";
import type { MetadataStore } from "#metadata-store";
import { askTasksToEnd, listTaskLog, type ObservedTask, observeTasks } from "#metadata-store/tasks";
import type { ProcessResult, ProcessSpec } from "#pipeline";
import { fromErrorFacts } from "../job/job-error.ts";
import { LogSkipper } from "../job/job-log.ts";
import type { TaskResult } from "./task-format.ts";

const LOOK_EVERY_MS = 500;
/** Changes of the store come in crowds. */
const REST_MS = 25;
const NOTICE_MS = 5000;

interface Followed {
  readonly spec: ProcessSpec;
  readonly log: Parameters<Executor["submit"]>[1];
  /** Puts what the worker sent where it belongs. */
  readonly take: (result: TaskResult) => Promise<void>;
  /** Writes a line that is not the process's. */
  readonly tell: (text: string) => Promise<void>;
  /** Why nobody takes it; asked once in a while. */
  readonly whyWaiting: () => Promise<string>;
}

interface Watched extends Followed {
  readonly skipper: LogSkipper;
  readonly startedAtMs: number;
  readonly settle: (outcome: ProcessResult | EsteiraError) => void;
  pieces: number;
  isWorking: boolean;
  cancelledAt: number | undefined;
  noticed: boolean;
}

/** Follows the tasks of one executor: their logs, ends and losses, with one question for all of them. */
export class TaskWatch {
  readonly #executor: string;
  readonly #store: MetadataStore;
  readonly #lossOf: (id: string) => EsteiraError | undefined;
  readonly #tasks = new Map<string, Watched>();
  #looking = false;
  #wake: (() => void) | undefined;

  /** @param options.lossOf why a task is lost, where its backend says it */
  constructor(options: {
    readonly executor: string;
    readonly store: MetadataStore;
    readonly lossOf?: ((id: string) => EsteiraError | undefined) | undefined;
  }) {
    this.#executor = options.executor;
    this.#store = options.store;
    this.#lossOf = options.lossOf ?? (() => undefined);
  }

  follow(task: Followed): ProcessHandle {
    const { promise, resolve, reject } = Promise.withResolvers<ProcessResult>();
    // Whoever waits hears of it; an attempt that was given up waits no more.
    promise.catch(() => {});
    const id = task.spec.attemptId;
    const watched: Watched = {
      ...task,
      skipper: new LogSkipper(task.spec.logged),
      startedAtMs: Date.now(),
      pieces: 0,
      isWorking: false,
      cancelledAt: undefined,
      noticed: false,
      settle: (outcome) => {
        if (!this.#tasks.delete(id)) return;
        if (outcome instanceof EsteiraError) reject(outcome);
        else resolve(outcome);
      },
    };
    this.#tasks.set(id, watched);
    if (!this.#looking) void this.#look();
    return {
      reference: { executor: this.#executor, id, startedAtMs: watched.startedAtMs },
      ended: promise,
      cancel: async () => {
        watched.cancelledAt ??= performance.now();
        if (this.#tasks.has(id)) {
          await this.#store.write((transaction) => askTasksToEnd(transaction, [id]));
          this.#wake?.();
        }
        await promise.catch(() => {});
      },
      leave: () => watched.settle(placeLost({ executor: "the engine", reason: "its engine left it to another" })),
    };
  }

  /** What is reaped cannot say how it ended. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#tasks.get(id)?.settle(this.#lost("it was ended and forgotten"));
  }

  async #look(): Promise<void> {
    this.#looking = true;
    const unsubscribe = this.#store.onChange(() => this.#wake?.());
    while (this.#tasks.size > 0) {
      try {
        const asked = [...this.#tasks.keys()];
        const found = new Map((await observeTasks(this.#store, asked)).map((task) => [task.id, task]));
        for (const id of asked) {
          const watched = this.#tasks.get(id);
          if (watched === undefined || watched.isWorking) continue;
          watched.isWorking = true;
          void this.#visit(watched, found.get(id)).finally(() => (watched.isWorking = false));
        }
      } catch {
        // A store that is away for a while is asked again.
      }
      await this.#pause();
    }
    unsubscribe();
    this.#looking = false;
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => setTimeout(resolve, REST_MS));
    if (this.#tasks.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_EVERY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async #visit(watched: Watched, task: ObservedTask | undefined): Promise<void> {
    try {
      if (task === undefined) return watched.settle(this.#lost("it was removed"));
      await this.#drain(watched, task);
      if (task.state === "queued") await this.#notice(watched);
      if (task.state === "lost") return watched.settle(await this.#loss(watched, task));
      if (task.state === "ended") watched.settle(await this.#outcome(watched, task));
    } catch (error) {
      if (error instanceof EsteiraError && error.kind === "terminal") watched.settle(error);
      else if (task?.state === "ended") watched.settle(this.#lost(`what it left cannot be read: ${messageOf(error)}`));
    }
  }

  async #loss(watched: Watched, task: ObservedTask): Promise<ProcessResult | EsteiraError> {
    if (watched.cancelledAt !== undefined) return cancelled(watched);
    const known = this.#lossOf(task.id);
    if (known === undefined) return this.#lost(`worker "${task.workerName ?? ""}" was not heard of in time, or ended`);
    // What the cluster says of it stays with the attempt, which the next one follows.
    await watched.log("stderr", `esteira: ${known.message}\n`);
    return known;
  }

  async #drain(watched: Watched, task: ObservedTask): Promise<void> {
    while (watched.pieces < task.logPieces) {
      const pieces = await this.#store.read((transaction) =>
        listTaskLog(transaction, { id: task.id, from: watched.pieces }),
      );
      if (pieces.length === 0) return;
      for (const { number, text } of pieces) {
        // Pieces come in order: one that is not there yet is waited for.
        if (number !== watched.pieces) return;
        for (const line of text.split("\n")) {
          const given = line === "" ? undefined : watched.skipper.read(line);
          if (given !== undefined && given.text !== "") await watched.log(given.stream, given.text);
        }
        watched.pieces++;
      }
    }
  }

  async #notice(watched: Watched): Promise<void> {
    if (watched.noticed || Date.now() - watched.startedAtMs < NOTICE_MS) return;
    watched.noticed = true;
    await watched.tell(`esteira: ${await watched.whyWaiting()}\n`);
  }

  async #outcome(watched: Watched, task: ObservedTask): Promise<ProcessResult | EsteiraError> {
    if (task.result === undefined) return cancelled(watched);
    const said: TaskResult = JSON.parse(task.result);
    if (said.error !== undefined) return fromErrorFacts(said.error);
    if (said.result === undefined) return this.#lost("it ended without a result");
    await watched.take(said);
    return {
      ...said.result,
      ...(said.outputsProblem === undefined ? {} : { outputsProblem: fromErrorFacts(said.outputsProblem) }),
    };
  }

  #lost(reason: string): EsteiraError {
    return placeLost({ executor: this.#executor, reason });
  }
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

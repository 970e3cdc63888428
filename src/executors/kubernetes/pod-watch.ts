import { EsteiraError, type Log, messageOf } from "#base";
import { placeLost } from "#engine";
import { z } from "zod";
import { jobEnded } from "../errors.ts";
import { pause } from "../pause.ts";
import type { Cluster, ClusterNews } from "./cluster.ts";
import { type ClusterObject, EVENTS, JOBS, PODS } from "./cluster-object.ts";
import { TASK_LABEL } from "./job-object.ts";
import { podUnstartable } from "./kubernetes-errors.ts";
import { disruptionOf, judgePod, type PodState } from "./pod-state.ts";

const LOOK_EVERY_MS = 1000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** How long a job may have no pod until it is asked why. */
const POD_MS = 5000;
const TAIL_LINES = 15;
/** What passes by itself is not told. */
const NOTICE_MS = 3000;
/** What alternates is told once. */
const MOST_TOLD = 20;

/** A process whose pod is looked at. */
export interface FollowedPod {
  readonly taskId: string;
  /** Name of its job. */
  readonly job: string;
  readonly tell: (text: string) => Promise<void>;
  /** No worker has taken its task. */
  readonly isQueued: () => Promise<boolean>;
  /** Ends its task as lost, if it has not ended yet. @returns whether it did */
  readonly lose: () => Promise<boolean>;
}

interface Watched extends FollowedPod {
  readonly since: number;
  readonly told: Set<string>;
  pod: ClusterObject | undefined;
  reason: string;
  /** Since when it waits for what somebody may have to mend. */
  worthSince: number | undefined;
  /** When it had its node. */
  placedAt: number | undefined;
  isTaken: boolean;
  /** When its job was asked last why there is no pod. */
  askedAt: number;
  /** What its pod came to; what becomes of its task is found out by the next look. */
  end: Extract<PodState, { readonly kind: "lost" | "unstartable" }> | undefined;
  verdict: EsteiraError | undefined;
  isWorking: boolean;
}

export interface PodWatchOptions {
  readonly executor: string;
  readonly namespace: string;
  readonly selector: string;
  readonly cluster: () => Promise<Cluster>;
  /** How long a pod that has its node may take until its task is taken. */
  readonly startMs: number;
  readonly signal: AbortSignal;
  readonly log: Log;
}

const eventsSchema = z.looseObject({
  type: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTimestamp: z.string().nullish(),
  eventTime: z.string().nullish(),
});

/**
 * Looks at the pods of one executor, all of them by one watch, for as long as there is one to follow. What it sees
 * explains why a step waits, and says of a pod that is gone or cannot start that nobody has to wait for it; whether and
 * how a process ended its worker alone says.
 */
export class PodWatch {
  readonly #options: PodWatchOptions;
  readonly #pods = new Map<string, Watched>();
  #isRunning = false;
  /** Why the cluster cannot be looked at. */
  #away: string | undefined;

  constructor(options: PodWatchOptions) {
    this.#options = options;
  }

  follow(pod: FollowedPod): void {
    const since = performance.now();
    this.#pods.set(pod.job, {
      ...pod,
      since,
      told: new Set(),
      pod: undefined,
      reason: "it was not made yet",
      worthSince: undefined,
      placedAt: undefined,
      isTaken: false,
      askedAt: since,
      end: undefined,
      verdict: undefined,
      isWorking: false,
    });
    if (!this.#isRunning) void this.#run();
  }

  forget(job: string): void {
    this.#pods.delete(job);
  }

  /** Why a process is lost, as far as the cluster says it. */
  lossOf(job: string): EsteiraError | undefined {
    const watched = this.#pods.get(job);
    if (watched?.verdict !== undefined) return watched.verdict;
    const reason = watched?.pod === undefined ? undefined : disruptionOf(watched.pod);
    return reason === undefined ? undefined : placeLost({ executor: this.#options.executor, reason });
  }

  /** Why nobody has taken its task. */
  whyWaiting(job: string): string {
    if (this.#away !== undefined) return `waiting for the cluster, which cannot be asked: ${this.#away}`;
    const watched = this.#pods.get(job);
    if (watched !== undefined) watched.told.add(watched.reason);
    return `waiting for the pod of job ${job}: ${watched?.reason ?? "it is not followed"}`;
  }

  async #run(): Promise<void> {
    const { signal: ending } = this.#options;
    this.#isRunning = true;
    while (this.#pods.size > 0 && !ending.aborted) {
      const idle = new AbortController();
      const signal = AbortSignal.any([ending, idle.signal]);
      const timer = setInterval(() => {
        if (this.#pods.size === 0) return idle.abort();
        for (const watched of this.#pods.values()) this.#work(watched, () => this.#look(watched));
      }, LOOK_EVERY_MS);
      await this.#listen(signal);
      clearInterval(timer);
    }
    this.#isRunning = false;
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { cluster, namespace, selector, executor, log } = this.#options;
    for (let waitMs = FIRST_PAUSE_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS)) {
      try {
        for await (const news of (await cluster()).followAll(PODS, namespace, { labels: selector }, signal)) {
          this.#away = undefined;
          waitMs = FIRST_PAUSE_MS;
          this.#hear(news);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (this.#away === undefined)
          log.warn("pods cannot be looked at; it is tried again", { executor, reason: messageOf(error) });
        this.#away = messageOf(error);
      }
      await pause(waitMs, signal);
    }
  }

  #hear(news: ClusterNews): void {
    if (!("listed" in news)) {
      const watched = this.#of(news.object);
      if (watched === undefined) return;
      if (news.type === "DELETED") this.#lose(watched, news.object);
      else this.#see(watched, news.object);
      return;
    }
    for (const pod of news.listed) {
      const watched = this.#of(pod);
      if (watched !== undefined) this.#see(watched, pod);
    }
    const there = new Set(news.listed.map(({ metadata }) => metadata.uid));
    for (const watched of this.#pods.values())
      if (watched.pod !== undefined && !there.has(watched.pod.metadata.uid)) this.#lose(watched, watched.pod);
  }

  #of({ metadata }: ClusterObject): Watched | undefined {
    return this.#pods.get(metadata.labels?.[TASK_LABEL] ?? "");
  }

  #lose(watched: Watched, pod: ClusterObject): void {
    watched.end = { kind: "lost", reason: disruptionOf(pod) ?? "its pod was deleted", isOwn: false };
    this.#work(watched, () => this.#look(watched));
  }

  #see(watched: Watched, pod: ClusterObject): void {
    const { executor } = this.#options;
    watched.pod = pod;
    const state = judgePod(pod);
    if (state.kind === "waiting") {
      watched.reason = state.reason;
      if (state.isPlaced) watched.placedAt ??= performance.now();
      watched.worthSince = state.isNoteworthy ? (watched.worthSince ?? performance.now()) : undefined;
    } else if (state.kind === "running") {
      watched.worthSince = undefined;
      watched.placedAt ??= performance.now();
      watched.reason = `it runs on ${state.node}, and its worker has not reached the server`;
    } else if (state.kind === "failed") {
      watched.verdict ??= jobEnded({ executor, job: watched.job, how: state.how, advice: state.advice });
    } else watched.end = state;
    this.#work(watched, () => this.#look(watched));
  }

  /** What ended without having taken its task would do so again. */
  async #afterEnd(watched: Watched, end: NonNullable<Watched["end"]>): Promise<void> {
    const { reason } = end;
    const isHopeless = end.kind === "unstartable" || (end.isOwn && (await watched.isQueued()));
    if (isHopeless) return this.#giveUp(watched, reason);
    return this.#judge(
      watched,
      placeLost({ executor: this.#options.executor, reason: `${reason} (job ${watched.job})` }),
    );
  }

  async #giveUp(watched: Watched, reason: string): Promise<void> {
    const said = await this.#tailOf(watched);
    const whole = said === "" ? reason : `${reason}; its last lines: ${said}`;
    await this.#judge(watched, podUnstartable({ executor: this.#options.executor, job: watched.job, reason: whole }));
  }

  async #tailOf({ pod }: Watched): Promise<string> {
    if (pod === undefined) return "";
    const { cluster, namespace } = this.#options;
    const of = { container: "step", isPrevious: false, lines: TAIL_LINES };
    const text = await (await cluster()).logOf(namespace, pod.metadata.name, of).catch(() => "");
    return text.trim();
  }

  /** A task that has ended by then has an end of its own. */
  async #judge(watched: Watched, verdict: EsteiraError): Promise<void> {
    watched.verdict ??= verdict;
    await watched.lose();
  }

  #tell(watched: Watched): void {
    const { told, reason } = watched;
    if (told.has(reason) || told.size >= MOST_TOLD) return;
    told.add(reason);
    // A store that is away takes no line.
    watched.tell(`esteira: ${reason}\n`).catch(() => told.delete(reason));
  }

  /** Once a second. */
  async #look(watched: Watched): Promise<void> {
    const { startMs } = this.#options;
    const now = performance.now();
    if (watched.verdict !== undefined) return this.#judge(watched, watched.verdict);
    if (watched.end !== undefined) return this.#afterEnd(watched, watched.end);
    if (watched.isTaken) return;
    if (watched.worthSince !== undefined && now - watched.worthSince >= NOTICE_MS) this.#tell(watched);
    if (watched.pod === undefined) {
      if (now - watched.askedAt >= POD_MS) await this.#ask(watched);
      return;
    }
    if (watched.placedAt === undefined || now - watched.placedAt < startMs) return;
    if (await watched.isQueued())
      await this.#giveUp(watched, `after ${Math.round(startMs / 1000)} s, ${watched.reason}`);
    else watched.isTaken = true;
  }

  /** Why a job has no pod. */
  async #ask(watched: Watched): Promise<void> {
    watched.askedAt = performance.now();
    const { cluster: open, namespace, executor } = this.#options;
    const cluster = await open();
    const job = await cluster.find(JOBS, namespace, watched.job);
    if (job === undefined || job.metadata.deletionTimestamp !== undefined)
      return await this.#judge(watched, placeLost({ executor, reason: `its job ${watched.job} was deleted` }));
    const { items } = await cluster.list(EVENTS, namespace, { fields: `involvedObject.uid=${job.metadata.uid ?? ""}` });
    const warnings = items.map((item) => eventsSchema.parse(item)).filter(({ type }) => type === "Warning");
    const last = warnings.toSorted((a, b) => atOf(a).localeCompare(atOf(b))).at(-1);
    if (last === undefined) return;
    watched.reason = `the cluster makes no pod: ${last.reason ?? ""}: ${last.message ?? ""}`;
    this.#tell(watched);
  }

  /** One thing at a time for each; a cluster or store that is away is asked again. */
  #work(watched: Watched, work: () => Promise<void>): void {
    if (watched.isWorking) return;
    watched.isWorking = true;
    void work()
      .catch((error: unknown) => {
        if (error instanceof EsteiraError && error.kind === "terminal") watched.reason = messageOf(error);
      })
      .finally(() => (watched.isWorking = false));
  }
}

function atOf({ lastTimestamp, eventTime }: z.infer<typeof eventsSchema>): string {
  return lastTimestamp ?? eventTime ?? "";
}

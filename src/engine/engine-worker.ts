import { messageOf } from "#base";
import { isCommitUnknown } from "#metadata-store";
import {
  appendLogChunks,
  type ClaimedStepRun,
  claimStepRuns,
  hasClaimable,
  type LeaseKeeper,
  type LogChunk,
  listCancelledAttempts,
  listForeignAttempts,
  listOtherEngines,
  measureLog,
  nextReadyTime,
  registerEngine,
  renewLeases,
  retireEngine,
  takeOverAttempt,
} from "#metadata-store/engine";
import { findStep } from "#pipeline";
import { performAttempt, type RunningAttempt } from "./attempt.ts";
import type { Executor } from "./executor.ts";
import { forgetAttempt, isHeldElsewhere, isLossOfPlace, sweepOutliving } from "./outliving.ts";
import type { TakenOver } from "./takeover.ts";
import { type AbortCause, type AttemptEnding, writeEnd, writeLost } from "./end-attempt.ts";
import type { EngineParts } from "./engine-parts.ts";
import { createLogSealer, type LogSealer } from "./log-sealer.ts";
import { LogWriter } from "./log-writer.ts";
import { isLost, isProcessGone, processStart, processTableName } from "./process-identity.ts";
import { removeWorkFolder, sweepWorkFolders } from "./work-folder.ts";

const LONGEST_TIMER_MS = 60_000;
/** Part of the lease after which an engine that hears nothing stops its own attempts. */
const SELF_FENCE_RATIO = 0.8;
/** So often an end is written whose commit nobody hears of. */
const MOST_COMMITS = 8;
/** How often an engine renews its lease, and looks whether another has lost its own: parts of the lease. */
const RENEWALS_PER_LEASE = 4;
/** An engine that is over by then needs no thread that keeps its leases. */
const KEEPER_AFTER_MS = 2000;

/** What became of an attempt's place on this machine, and what ends it at its timeout until then. */
interface Parking {
  on: Executor | undefined;
  timer: NodeJS.Timeout | undefined;
}

interface ActiveAttempt {
  readonly claimed: ClaimedStepRun;
  readonly abort: (cause: AbortCause) => void;
  /** What it runs on, of those that take no place here. */
  readonly parkedOn: () => Executor | undefined;
  readonly ended: Promise<void>;
}

/**
 * Takes step runs from the queue and carries them out.
 *
 * States: new → registered (has a lease, takes work of its scope) → stopping (takes nothing, ends its attempts) →
 * retired.
 * Invariant: every attempt it holds is in `#active` and is aborted before its lease can have expired elsewhere.
 */
export class EngineWorker {
  readonly #parts: EngineParts;
  readonly #concurrency: number;
  readonly #sealer: LogSealer;
  readonly #active = new Map<string, ActiveAttempt>();
  /**
   * Attempts that it gave up and could not say so: as soon as the store can be written again, they are lost like a dead
   * engine's.
   */
  readonly #abandoned = new Map<string, ClaimedStepRun>();
  /** Pipeline runs it works on; undefined in the set: all of them. */
  readonly #scope = new Set<string | undefined>();
  #registered: Promise<void> | undefined;
  #stopping = false;
  #pumping = false;
  #pumpAgain = false;
  #pumped: Promise<void> = Promise.resolve();
  #renewedAt = 0;
  #heartbeat: NodeJS.Timeout | undefined;
  #keeper: LeaseKeeper | undefined;
  #keeperTimer: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(parts: EngineParts, concurrency: number) {
    this.#parts = parts;
    this.#sealer = createLogSealer(parts);
    this.#concurrency = concurrency;
  }

  /** Begins to work on one pipeline run, or on all of the project. */
  async workOn(pipelineRunId: string | undefined): Promise<void> {
    this.#registered ??= this.#register();
    await this.#registered;
    this.#scope.add(pipelineRunId);
    await this.#recoverLost();
    this.wake();
  }

  /** Stops taking new work of one pipeline run. */
  leave(pipelineRunId: string): void {
    this.#scope.delete(pipelineRunId);
  }

  isWorkingOnAll(): boolean {
    return this.#scope.has(undefined);
  }

  /** Looks for work soon; many calls are one look. */
  wake(): void {
    if (this.#stopping) return;
    this.#pumpAgain = true;
    if (this.#pumping) return;
    this.#pumping = true;
    this.#pumped = new Promise((done) => setImmediate(() => void this.#pump().finally(done)));
  }

  /** Ends every attempt and waits for them; returns the pipeline runs that were being worked on. */
  async stop(): Promise<readonly string[]> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#pumped;
    const runs = new Set([...this.#active.values()].map(({ claimed }) => claimed.pipelineRunId));
    // What outlives an engine that worked on everything is there for the next one.
    for (const { abort, parkedOn } of this.#active.values())
      abort(this.isWorkingOnAll() && parkedOn()?.outliving !== undefined ? "leave" : "interrupt");
    await Promise.all([...this.#active.values()].map(({ ended }) => ended));
    clearInterval(this.#heartbeat);
    clearTimeout(this.#keeperTimer);
    await this.#keeper?.close();
    this.#unsubscribe?.();
    if (this.#registered !== undefined) await this.#retire();
    for (const run of this.#scope) if (run !== undefined) runs.add(run);
    return [...runs];
  }

  /** Where that cannot be written, others find its process gone, or its lease ended. */
  async #retire(): Promise<void> {
    try {
      await this.#parts.store.write((transaction) => retireEngine(transaction, this.#parts.id));
    } catch (error) {
      this.#parts.log.error("the end of the engine could not be written; the next one finds it gone", {
        error: messageOf(error),
      });
    }
  }

  async #register(): Promise<void> {
    const { store, id, project, leaseMs, clock, ports } = this.#parts;
    const engine = { id, project, host: processTableName(), pid: process.pid, processStart: processStart(process.pid) };
    this.#renewedAt = clock.monotonic();
    await store.write((transaction) => registerEngine(transaction, { ...engine, leaseMs, atMs: clock.now() }));
    this.#heartbeat = setInterval(() => void this.#renew(), leaseMs / RENEWALS_PER_LEASE);
    this.#keeperTimer = setTimeout(() => {
      this.#keeper = ports.keepLeases?.({ engineId: id, leaseMs });
    }, KEEPER_AFTER_MS);
    this.#unsubscribe = store.onChange(() => this.wake());
    this.#parts.later(sweepWorkFolders(this.#parts));
    this.#sealer.begin();
    this.#parts.later(sweepOutliving(this.#parts));
  }

  async #pump(): Promise<void> {
    try {
      while (this.#pumpAgain && !this.#stopping) {
        this.#pumpAgain = false;
        await this.#abortCancelled();
        for (const pipelineRunId of this.#scopes()) await this.#claim(pipelineRunId);
      }
      if (!this.#stopping) await this.#setTimer();
    } catch (error) {
      this.#parts.log.error("the engine could not look for work", { error: messageOf(error) });
      if (!this.#stopping) this.#wakeIn(1000);
    } finally {
      this.#pumping = false;
    }
    if (this.#pumpAgain) this.wake();
  }

  #scopes(): readonly (string | undefined)[] {
    return this.isWorkingOnAll() ? [undefined] : [...this.#scope];
  }

  async #claim(pipelineRunId: string | undefined): Promise<void> {
    const { store, project, id, leaseMs, clock } = this.#parts;
    while (!this.#stopping) {
      const limit = this.#concurrency - this.#atWork();
      if (limit <= 0 || !(await store.read((transaction) => hasClaimable(transaction, { project, pipelineRunId }))))
        return;
      const claimed = await this.#holding((hold) =>
        store.write(async (transaction) => {
          const claim = { project, owner: id, limit, leaseMs, atMs: clock.now(), pipelineRunId };
          return hold(await claimStepRuns(transaction, claim));
        }),
      );
      for (const one of claimed) this.#launch(one);
      if (claimed.length === 0) return;
    }
  }

  /**
   * Does a change that takes attempts. When it fails they may have been taken all the same, where nobody heard of the
   * commit: then they are given up like those of a dead engine, and for those that were not that changes nothing.
   */
  async #holding<Result>(
    change: (hold: (taken: readonly ClaimedStepRun[]) => readonly ClaimedStepRun[]) => Promise<Result>,
  ): Promise<Result> {
    let held: readonly ClaimedStepRun[] = [];
    try {
      return await change((taken) => (held = taken));
    } catch (error) {
      for (const one of held) this.#abandon(one);
      throw error;
    }
  }

  /** Attempts that take a place of this machine. */
  #atWork(): number {
    let count = 0;
    for (const { parkedOn } of this.#active.values()) if (parkedOn() === undefined) count++;
    return count;
  }

  #launch(claimed: ClaimedStepRun, takenOver?: TakenOver & { readonly next: number }): void {
    const controller = new AbortController();
    const parking: Parking = { on: undefined, timer: undefined };
    const ended = this.#run(claimed, { controller, parking, takenOver }).catch((error: unknown) => {
      this.#parts.log.error("the end of an attempt could not be written; the step runs again once it can be", {
        step: claimed.step,
        attemptId: claimed.attemptId,
        error: messageOf(error),
      });
      this.#abandon(claimed);
    });
    this.#active.set(claimed.attemptId, {
      claimed,
      abort: (cause) => controller.abort(cause),
      parkedOn: () => parking.on,
      ended,
    });
  }

  async #run(
    claimed: ClaimedStepRun,
    {
      controller,
      parking,
      takenOver,
    }: {
      readonly controller: AbortController;
      readonly parking: Parking;
      readonly takenOver: (TakenOver & { readonly next: number }) | undefined;
    },
  ): Promise<void> {
    const { patientStore, clock, log: operatorLog } = this.#parts;
    const log = new LogWriter({
      storage: { store: patientStore, objects: this.#parts.objects },
      clock,
      stepRunId: claimed.stepRunId,
      attemptNumber: claimed.attemptNumber,
      ...(takenOver === undefined ? {} : { next: takenOver.next, isMuted: true }),
      onError: (error) =>
        operatorLog.error("a step's log could not be written", { step: claimed.step, error: messageOf(error) }),
      onUnsealed: (error) =>
        operatorLog.warn("storage takes no log; it stays in the metadata database", { error: messageOf(error) }),
    });
    let step: AttemptEnding["step"];
    let result: AttemptEnding["result"];
    try {
      const definition = await this.#parts.definitionOf(claimed.definitionDigest);
      step = findStep(definition, claimed.step);
      if (step?.timeoutMs !== undefined)
        parking.timer = setTimeout(() => controller.abort("timeout" satisfies AbortCause), step.timeoutMs);
      result = await performAttempt(this.#parts, {
        claimed,
        definition,
        signal: controller.signal,
        log,
        takenOver,
        ...this.#callsOf(controller, parking),
      });
    } catch (error) {
      result = {
        type: "failed",
        error,
        cause: controller.signal.aborted ? (controller.signal.reason as AbortCause) : undefined,
      };
    } finally {
      clearTimeout(parking.timer);
    }
    if (controller.signal.reason === ("lease" satisfies AbortCause)) {
      this.#abandon(claimed);
      return;
    }
    if (controller.signal.reason === ("leave" satisfies AbortCause)) {
      const logs = await log.rest();
      await patientStore.write((transaction) => appendLogChunks(transaction, logs));
      this.#active.delete(claimed.attemptId);
      return;
    }
    if (result.type === "failed" && result.cause === undefined && isLossOfPlace(result.error)) {
      await this.#losePlace(claimed, { error: result.error, logs: await log.rest() });
      return;
    }
    await this.#finish({ claimed, step, result, logs: await log.rest(), claimNext: this.#nextClaim(claimed) });
    this.#sealer.note(claimed, log.loose);
  }

  #callsOf(
    controller: AbortController,
    parking: Parking,
  ): Pick<RunningAttempt, "park" | "isParked" | "timeOut" | "isLeft"> {
    return {
      park: (executor) => {
        parking.on = executor;
        // It may wait in a queue: its time runs where it does.
        clearTimeout(parking.timer);
        this.wake();
      },
      isParked: () => parking.on?.outliving !== undefined,
      timeOut: () => controller.abort("timeout" satisfies AbortCause),
      isLeft: () =>
        parking.on?.outliving !== undefined &&
        (controller.signal.reason === ("leave" satisfies AbortCause) ||
          controller.signal.reason === ("lease" satisfies AbortCause)),
    };
  }

  /** The machine or the backend is to blame, not the step: it is started again, on another budget. */
  async #losePlace(
    claimed: ClaimedStepRun,
    lost: { readonly error: Error; readonly logs: readonly LogChunk[] },
  ): Promise<void> {
    const { attemptId, token } = claimed;
    await this.#parts.patientStore.write((transaction) => appendLogChunks(transaction, lost.logs));
    await forgetAttempt(this.#parts, attemptId);
    await writeLost(this.#parts, { attemptId, token, reason: lost.error.message });
    this.#active.delete(attemptId);
    this.wake();
  }

  /** Goes on with what runs of an attempt elsewhere; false when nothing does. */
  async #takeOver(attempt: { readonly attemptId: string; readonly token: number }): Promise<boolean> {
    const { store, id, leaseMs, log } = this.#parts;
    if (this.#stopping || !(await isHeldElsewhere(this.#parts, attempt.attemptId))) return false;
    const taken = await this.#holding((hold) =>
      store.write(async (transaction) => {
        const found = await takeOverAttempt(transaction, { ...attempt, owner: id, leaseMs });
        hold(found === undefined ? [] : [found.claimed]);
        return found === undefined ? undefined : { ...found, kept: await measureLog(transaction, found.claimed) };
      }),
    );
    // Another engine was faster.
    if (taken === undefined) return true;
    log.info("took over what runs of an attempt", { attemptId: attempt.attemptId });
    const { claimed, trackingRunId, kept } = taken;
    this.#launch(claimed, { trackingRunId, kept, next: kept.next });
    return true;
  }

  #abandon(claimed: ClaimedStepRun): void {
    this.#active.delete(claimed.attemptId);
    this.#abandoned.set(claimed.attemptId, claimed);
  }

  async #finish(ending: AttemptEnding): Promise<void> {
    const next = await this.#write(ending);
    const { attemptId } = ending.claimed;
    if (this.#active.get(attemptId)?.parkedOn() !== undefined) this.#parts.later(forgetAttempt(this.#parts, attemptId));
    this.#active.delete(attemptId);
    for (const one of next) this.#launch(one);
    this.wake();
  }

  /** What a kind writes beside its outcome may be refused: then the attempt has failed. */
  async #write(ending: AttemptEnding): Promise<readonly ClaimedStepRun[]> {
    try {
      const next = await this.#writeOnce(ending);
      this.#parts.later(this.#afterwards(ending));
      return next;
    } catch (error) {
      if (ending.result.type === "failed") throw error;
      return this.#writeOnce({ ...ending, result: { type: "failed", error, cause: undefined } });
    }
  }

  /** An end whose commit nobody heard of is written again: the fencing token tells whether it is there. */
  async #writeOnce(ending: AttemptEnding): Promise<readonly ClaimedStepRun[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#holding((hold) => writeEnd(this.#parts, { ...ending, onClaim: hold }));
      } catch (error) {
        if (tries >= MOST_COMMITS || !isCommitUnknown(error)) throw error;
      }
    }
  }

  /** Nothing that waits for the step waits for this, and nothing of it is an error of the step. */
  async #afterwards({ claimed, result }: AttemptEnding): Promise<void> {
    if (result.type !== "ended" || result.outcome.status !== "succeeded") return;
    try {
      await result.outcome.afterwards?.();
    } catch (error) {
      this.#parts.log.warn("what was to be done after a step failed", { step: claimed.step, reason: messageOf(error) });
    }
  }

  #nextClaim(claimed: ClaimedStepRun): AttemptEnding["claimNext"] {
    if (this.#stopping || this.#atWork() > this.#concurrency) return undefined;
    if (this.isWorkingOnAll()) return { pipelineRunId: undefined };
    return this.#scope.has(claimed.pipelineRunId) ? { pipelineRunId: claimed.pipelineRunId } : undefined;
  }

  async #abortCancelled(): Promise<void> {
    if (this.#active.size === 0) return;
    const ids = await this.#parts.store.read((transaction) =>
      listCancelledAttempts(transaction, { engineId: this.#parts.id }),
    );
    for (const id of ids) this.#active.get(id)?.abort("cancel");
  }

  async #setTimer(): Promise<void> {
    const { store, project } = this.#parts;
    let next = Infinity;
    for (const pipelineRunId of this.#scopes())
      next = Math.min(
        next,
        (await store.read((transaction) => nextReadyTime(transaction, { project, pipelineRunId }))) ?? Infinity,
      );
    clearTimeout(this.#timer);
    if (next !== Infinity) this.#wakeIn(next - Date.now());
  }

  #wakeIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.min(Math.max(delayMs, 1), LONGEST_TIMER_MS));
  }

  /** Measured from the moment it was sent: an attempt ends here before its lease can have ended there. */
  async #renew(): Promise<void> {
    const { store, clock, leaseMs, id, log } = this.#parts;
    const sentAt = clock.monotonic();
    this.#keeper?.beat();
    const before = [...this.#active.keys()];
    const fenceWhenOver = (): void => {
      const leftMs = leaseMs * SELF_FENCE_RATIO - this.#renewedAgo();
      if (leftMs > 0) fence = setTimeout(fenceWhenOver, leftMs);
      else this.#fence(before);
    };
    let fence = setTimeout(fenceWhenOver, Math.max(0, leaseMs * SELF_FENCE_RATIO - this.#renewedAgo()));
    try {
      const kept = new Set(await store.write((transaction) => renewLeases(transaction, { id, leaseMs })));
      this.#renewedAt = sentAt;
      this.#fence(before.filter((attempt) => !kept.has(attempt)));
      await this.#loseAbandoned();
      await this.#recoverLost();
    } catch (error) {
      log.warn("the engine could not prolong its leases", { error: messageOf(error) });
      if (this.#renewedAgo() >= leaseMs * SELF_FENCE_RATIO) this.#fence(before);
    } finally {
      clearTimeout(fence);
    }
  }

  /** Since a renewal that took place was begun, by this loop or by the thread beside it. */
  #renewedAgo(): number {
    return Math.min(this.#parts.clock.monotonic() - this.#renewedAt, this.#keeper?.age() ?? Infinity);
  }

  #fence(attempts: readonly string[]): void {
    for (const id of attempts) this.#active.get(id)?.abort("lease");
  }

  async #loseAbandoned(): Promise<void> {
    for (const { attemptId, token } of this.#abandoned.values()) {
      if (await this.#takeOver({ attemptId, token })) {
        this.#abandoned.delete(attemptId);
        continue;
      }
      await removeWorkFolder(this.#parts, attemptId);
      await writeLost(this.#parts, { attemptId, token });
      this.#abandoned.delete(attemptId);
      this.wake();
    }
  }

  /** Attempts of engines that are gone: what they left running is ended first, then another attempt may start. */
  async #recoverLost(): Promise<void> {
    const { store, project, id, executors, log } = this.#parts;
    for (const pipelineRunId of this.#scopes()) {
      const foreign = await store.read((transaction) =>
        listForeignAttempts(transaction, { project, engineId: id, pipelineRunId }),
      );
      const lost = foreign.filter(isLost);
      for (const attempt of lost) {
        if (await this.#takeOver(attempt)) continue;
        // Of this machine one looks for all.
        for (const one of executors.filter(({ backend }, index) => index === 0 || backend !== "local"))
          await one.reap({ executor: one.name, id: attempt.attemptId, startedAtMs: attempt.startedAtMs });
        await removeWorkFolder(this.#parts, attempt.attemptId);
        if (await writeLost(this.#parts, attempt))
          log.info("took over an attempt of an engine that is gone", { attemptId: attempt.attemptId });
      }
      if (lost.length > 0) this.wake();
    }
    await this.#retireGone();
  }

  /** Engines whose process is gone; what attempts they still have elsewhere are lost all the same. */
  async #retireGone(): Promise<void> {
    const { store, project, id } = this.#parts;
    const gone = (await store.read((transaction) => listOtherEngines(transaction, { project, engineId: id }))).filter(
      isProcessGone,
    );
    if (gone.length === 0) return;
    await store.write(async (transaction) => {
      for (const engine of gone) await retireEngine(transaction, engine.id);
    });
  }
}

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EsteiraError, messageOf, newId } from "#base";
import { executorNotDeclared, trialFailed } from "#executors";
import { executorOf, type ExecutorWorker } from "#engine";
import type { MetadataStore } from "#metadata-store";
import { listAttemptSteps } from "#metadata-store/engine";
import { describeResources, hasRoomFor, type KnownExecutor, type Resources } from "#pipeline";
import type { Platform } from "./platform.ts";

/** One place where steps can run, asked now. */
export interface ExaminedExecutor {
  readonly name: string;
  readonly backend: string;
  readonly isDefault: boolean;
  /** The most that one process can have; undefined when it could not be asked. */
  readonly offer: Resources | undefined;
  readonly gives: string | undefined;
  /** Programs of other machines that take its steps, where it has such. */
  readonly workers: readonly ExaminedWorker[];
  /** Why it cannot be asked, and what to do. */
  readonly problem: { readonly message: string; readonly hint: string | undefined } | undefined;
}

/** A worker, and the steps that it runs now. */
export interface ExaminedWorker extends Omit<ExecutorWorker, "tasks"> {
  readonly steps: readonly { readonly attemptId: string; readonly pipeline: string; readonly step: string }[];
}

/** A step that asks for more than its executor can give one process. */
export interface UnplacedStep {
  readonly pipeline: string;
  readonly step: string;
  readonly executor: string;
  readonly asks: string;
  /** Executors that could give it. */
  readonly able: readonly string[];
}

/** What definitions are checked against. */
export function knownExecutors([, ...others]: Platform["executors"]): readonly KnownExecutor[] {
  return others.map(({ name, capabilities }) => ({ name, isRemote: capabilities.remote }));
}

/** Asks every executor of a project what it can give, and finds the steps that ask for more. Nothing is started. */
export async function examineExecutors({
  executors,
  config,
  kinds,
  loadProject,
  store,
}: Pick<Platform, "executors" | "config" | "kinds" | "loadProject" | "store">): Promise<{
  readonly executors: readonly ExaminedExecutor[];
  readonly unplaced: readonly UnplacedStep[];
}> {
  const examined = await Promise.all(
    executors.map(async (executor): Promise<ExaminedExecutor> => {
      const { name, backend } = executor;
      const facts = {
        name,
        backend,
        isDefault: name === config.defaults.executor,
        workers: await examineWorkers(store, (await executor.workers?.()) ?? []),
      };
      try {
        const given = await executor.offer();
        return { ...facts, offer: given, gives: describeResources(given), problem: undefined };
      } catch (error) {
        const hint = error instanceof EsteiraError ? error.hint : undefined;
        return { ...facts, offer: undefined, gives: undefined, problem: { message: messageOf(error), hint } };
      }
    }),
  );
  const offers = new Map(examined.map(({ name, offer }) => [name, offer]));
  const known = new Map(kinds.map((kind) => [kind.name, kind]));
  const { pipelines } = await loadProject();
  const placing = { executors, ports: { defaultExecutor: config.defaults.executor } };
  const unplaced = pipelines.flatMap((pipeline) =>
    pipeline.steps.flatMap((step): readonly UnplacedStep[] => {
      const { resources } = step;
      const kind = known.get(step.kind);
      if (resources === undefined || kind === undefined) return [];
      const { name } = executorOf(placing, step, kind);
      const offer = offers.get(name);
      if (offer === undefined || hasRoomFor(offer, resources)) return [];
      const able = examined.flatMap((one) =>
        one.offer !== undefined && hasRoomFor(one.offer, resources) ? [one.name] : [],
      );
      return [{ pipeline: pipeline.name, step: step.name, executor: name, asks: describeResources(resources), able }];
    }),
  );
  return { executors: examined, unplaced };
}

async function examineWorkers(
  store: MetadataStore,
  workers: readonly ExecutorWorker[],
): Promise<readonly ExaminedWorker[]> {
  const ids = workers.flatMap(({ tasks }) => tasks.map(({ attemptId }) => attemptId));
  const steps = ids.length === 0 ? [] : await store.read((transaction) => listAttemptSteps(transaction, ids));
  return workers.map(({ tasks, ...worker }) => ({
    ...worker,
    steps: steps.filter(({ attemptId }) => tasks.some((task) => task.attemptId === attemptId)),
  }));
}

/** What a trial of an executor showed. */
export interface TriedExecutor {
  readonly name: string;
  readonly durationMs: number;
  /** How its processes are isolated. */
  readonly isolation: string;
}

const TRIAL = `
const { readFileSync, writeFileSync } = require("node:fs");
writeFileSync("answer", readFileSync("question", "utf8"));
const url = process.env.ESTEIRA_URL;
if (url === undefined) process.exit(0);
fetch(url + "/healthz").then(
  () => process.exit(0),
  (error) => { console.error(url + " cannot be reached: " + (error.cause ?? error)); process.exit(1); },
);`;

/**
 * Runs a process on an executor that reads a file of the store, writes another, and calls the platform where the
 * executor says its address.
 *
 * @throws EXECUTORS_TRIAL_FAILED with what it wrote, EXECUTORS_STORE_NOT_SHARED, and what else keeps it from running
 */
export async function tryExecutor(
  { executors, config }: Pick<Platform, "executors" | "config">,
  name: string,
): Promise<TriedExecutor> {
  const executor = executors.find((one) => one.name === name);
  if (executor === undefined)
    throw executorNotDeclared({ executor: name, executors: executors.map((one) => one.name) });
  const id = `trial-${newId()}`;
  const folder = join(config.storeFolder, "work", id);
  const question = newId();
  let said = "";
  const began = performance.now();
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "question"), question);
    const { platformUrl } = executor;
    const handle = await executor.submit(
      {
        attemptId: id,
        command: [process.execPath, "-e", TRIAL],
        workingFolder: folder,
        environment: platformUrl === undefined ? {} : { ESTEIRA_URL: platformUrl },
      },
      (_, text) => {
        said += text;
      },
    );
    const { exitCode, signal, isolation } = await handle.ended;
    const answer = await readFile(join(folder, "answer"), "utf8").catch(() => "");
    if (exitCode !== 0 || answer !== question)
      throw trialFailed({ executor: name, exit: signal ?? `exit code ${String(exitCode)}`, said: said.trim() });
    return { name, durationMs: Math.round(performance.now() - began), isolation };
  } finally {
    await executor.reap({ executor: name, id, startedAtMs: 0 });
    await rm(folder, { recursive: true, force: true });
  }
}

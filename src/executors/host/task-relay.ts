import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { z } from "zod";
import { withFolderLock } from "../folder-lock.ts";
import type { StartedTask } from "../remote/task-format.ts";
import { type RunningTask, runTask } from "./run-task.ts";
import { WorkerClient } from "./worker-client.ts";
import { createTaskMachine, sweepTasks, type WorkerHostOptions } from "./worker-host.ts";

const messageSchema = z.union([
  z.strictObject({ worker: z.string() }),
  z.strictObject({
    start: z.custom<StartedTask>((value) => typeof value === "object" && value !== null && "spec" in value),
    devices: z.string().optional(),
  }),
  z.strictObject({ end: z.string() }),
]);

export interface TaskRelayOptions extends Omit<
  WorkerHostOptions,
  "name" | "executor" | "labels" | "most" | "idleMs" | "silenceMs" | "onReady" | "signal"
> {
  /** Lines of JSON: `{"worker": ID}` once, then `{"start": TASK}` and `{"end": ID}`. Its end ends everything. */
  readonly input: Readable;
  /** Gets `{"done": ID}` for each task that has ended. */
  readonly say: (line: string) => void;
}

/**
 * Runs tasks that another process took, under its worker's name, on this machine: it prolongs no lease, and asks for no
 * task. What they ask for is given by whoever placed them here.
 */
export async function runTaskRelay(options: TaskRelayOptions): Promise<void> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const wait = (): void => options.log.info("waiting for another worker that uses the same folder", {});
  const signal = new AbortController().signal;
  await withFolderLock(join(options.folder, "lock"), { signal, onWait: wait }, () => relay(options));
}

async function relay(options: TaskRelayOptions): Promise<void> {
  const client = new WorkerClient(options);
  const machine = createTaskMachine(options, { client, name: "relay" });
  await sweepTasks(machine);
  const running = new Map<string, RunningTask>();
  for await (const line of createInterface({ input: options.input })) {
    const message = messageSchema.parse(JSON.parse(line));
    if ("worker" in message) client.actAs(message.worker);
    else if ("end" in message) running.get(message.end)?.end();
    else {
      const { start: task, devices } = message;
      const one = runTask(placed(task, devices), machine);
      running.set(task.id, one);
      void one.done.then(() => {
        running.delete(task.id);
        options.say(JSON.stringify({ done: task.id }));
      });
    }
  }
  for (const one of running.values()) one.forget();
  await Promise.all([...running.values()].map(({ done }) => done));
}

/** What was asked for has been given: this machine counts nothing, and shows the devices that the task was given. */
function placed(task: StartedTask, devices: string | undefined): StartedTask {
  const { resources, ...process } = task.spec.process;
  const shown = (resources?.gpus ?? 0) > 0 && devices !== undefined ? { CUDA_VISIBLE_DEVICES: devices } : {};
  return {
    ...task,
    spec: { ...task.spec, process: { ...process, environment: { ...shown, ...process.environment } } },
  };
}

import { hostname } from "node:os";
import type { ProcessResult } from "#pipeline";
import { createLocalExecutor } from "../drivers/local.ts";
import { createIsolation } from "../isolation/isolation.ts";
import { toErrorFacts } from "./job-error.ts";
import { JobFolder, type JobPlan, type JobResult } from "./job-folder.ts";
import { JobLogWriter } from "./job-log.ts";

const LOOK_EVERY_MS = 500;
/** What a scheduler says of the devices that are the job's. */
const DEVICES = ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL"];

/**
 * Runs the process of a job on this machine, and writes its log and result into the job's folder. The process runs
 * once, however often a scheduler starts this: a second start of the same job says that the first is lost, another job
 * does nothing.
 *
 * @param facts.job id of the job at its backend
 * @param facts.environment of this process: what devices it has
 */
export async function runJob(
  folder: JobFolder,
  facts: { readonly job: string; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<void> {
  if (!(await folder.start({ job: facts.job, host: hostname() }))) {
    const first = await folder.readStarted();
    if (first?.job === facts.job && (await folder.readResult()) === undefined)
      await folder.writeResult({
        format: "job/1",
        wasAsked: false,
        logBytes: 0,
        lost: `its job was taken from ${first.host} and queued again`,
      });
    return;
  }
  const plan = await folder.takePlan();
  const log = new JobLogWriter(folder.logFile);
  const ending = await runPlan(folder, plan, { log, devices: devicesOf(facts.environment) });
  await folder.writeResult({ format: "job/1", ...ending, logBytes: log.close() });
}

function devicesOf(environment: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    DEVICES.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function runPlan(
  folder: JobFolder,
  { spec, place, node }: JobPlan,
  { log, devices }: { readonly log: JobLogWriter; readonly devices: Readonly<Record<string, string>> },
): Promise<Omit<JobResult, "format" | "logBytes">> {
  const { isolation, storeFolder, path, ...more } = place;
  const executor = createLocalExecutor({
    workFolder: more.workFolder,
    isolation: createIsolation({ level: isolation }),
    ...(storeFolder === undefined ? {} : { storeFolder }),
    ...(path === undefined ? {} : { path }),
    ...(more.readable === undefined ? {} : { readable: more.readable }),
    ...(more.writable === undefined ? {} : { writable: more.writable }),
    ...(more.environment === undefined ? {} : { environment: more.environment }),
  });
  const command = withOwnNode(spec.command, node);
  let asked = false;
  try {
    const handle = await executor.submit(
      { ...spec, command, environment: { ...devices, ...spec.environment } },
      (stream, text) => log.write(stream, text),
    );
    const cancel = (): void => void handle.cancel();
    process.on("SIGTERM", cancel);
    process.on("SIGINT", cancel);
    const timer = setInterval(() => {
      void folder.isToEnd().then(
        (reason) => {
          if (reason === undefined) return;
          asked = true;
          cancel();
        },
        // A file system that is away for a while is no reason to end.
        () => {},
      );
    }, LOOK_EVERY_MS);
    const { outputsProblem, ...result }: ProcessResult = await handle.ended;
    clearInterval(timer);
    return {
      result,
      wasAsked: asked,
      ...(outputsProblem === undefined ? {} : { outputsProblem: toErrorFacts(outputsProblem) }),
    };
  } catch (error) {
    return { wasAsked: asked, error: toErrorFacts(error) };
  }
}

function withOwnNode(command: JobPlan["spec"]["command"], node: string): JobPlan["spec"]["command"] {
  if ("shell" in command || command[0] !== node) return command;
  return [process.execPath, ...command.slice(1)];
}

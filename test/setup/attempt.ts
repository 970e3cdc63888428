import type { StepContracts, StepTests } from "#executors";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type Json, newId, silentLog } from "#base";
import { createPythonEnvironments, type PythonEnvironments } from "#executors";
import type { AssetVersion } from "#metadata-store";
import { digestOfTree, type Blobs, putTree } from "#storage";
import type { AttemptContext, LocatedAsset, ProcessResult } from "#pipeline";
import { testCache } from "./cache-folder.ts";

/** Python environments that are kept between test runs: making one takes the better part of a minute. */
export const testEnvironments: PythonEnvironments = createPythonEnvironments({
  storeFolder: join(testCache(), "test-environments"),
  environment: process.env as Record<string, string>,
});

export interface TestAttempt<Declaration> extends AttemptContext<Declaration> {
  readonly logged: { readonly stream: string; readonly text: string }[];
  readonly progressed: string[];
  /** Process groups that were started and have not ended. */
  readonly running: ReadonlySet<number>;
}

/** One attempt whose processes are real; its outputs become trees. */
export async function testAttempt<Declaration>(
  declaration: Declaration,
  options: {
    readonly projectFolder: string;
    readonly objects: Blobs;
    readonly step?: string;
    readonly params?: Readonly<Record<string, Json>>;
    readonly inputs?: ReadonlyMap<string, AssetVersion>;
    readonly files?: readonly string[];
    readonly located?: (version: AssetVersion) => LocatedAsset;
    readonly signal?: AbortSignal;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<TestAttempt<Declaration>> {
  const workFolder = await mkdtemp(join(tmpdir(), "esteira-attempt-"));
  const logged: TestAttempt<unknown>["logged"] = [];
  const progressed: string[] = [];
  const running = new Set<number>();
  const signal = options.signal ?? new AbortController().signal;
  after(async () => {
    await rm(workFolder, { recursive: true, force: true });
  });
  return {
    declaration,
    project: "p",
    projectFolder: options.projectFolder,
    pipeline: "pipeline",
    step: options.step ?? "made",
    pipelineRunId: newId(),
    stepRunId: newId(),
    attemptId: newId(),
    attemptNumber: 1,
    actor: "ana",
    commit: { id: "0123456789abcdef0123456789abcdef01234567", dirty: false },
    params: options.params ?? {},
    inputs: options.inputs ?? new Map(),
    files: options.files ?? [],
    workFolder,
    signal,
    logged,
    progressed,
    running,
    log: (text, stream = "stdout") => void logged.push({ stream, text }),
    progress: (done, total, unit) => void progressed.push(`${done}/${total} ${unit}`),
    operatorLog: silentLog,
    runProcess: (spec) =>
      runProcess(spec, {
        signal,
        running,
        log: (stream, text) => void logged.push({ stream, text }),
        ...(options.environment === undefined ? {} : { environment: options.environment }),
      }),
    locate: async (version) => {
      if (options.located === undefined) throw new Error(`no content for ${version.asset}`);
      return options.located(version);
    },
    async publish({ asset, kind, folder }) {
      await mkdir(folder, { recursive: true });
      const tree = await putTree(options.objects, folder);
      return { made: { asset, kind, digest: digestOfTree(tree), content: tree } };
    },
    trackingRun: async () => ({ runId: "0".repeat(32), experimentId: "0" }),
    platformUrl: async () => "http://127.0.0.1:0",
    stepResults: async () => ({}),
  };
}

/** A real process; its secrets are in files of a temporary folder. */
export async function runProcess(
  spec: Parameters<AttemptContext<unknown>["runProcess"]>[0],
  host: {
    readonly signal: AbortSignal;
    readonly running: Set<number>;
    readonly log: (stream: "stdout" | "stderr", text: string) => void;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<ProcessResult> {
  const [program, ...parameters] = Array.isArray(spec.command)
    ? spec.command
    : ["/bin/sh", "-c", (spec.command as { shell: string }).shell];
  const startedMs = performance.now();
  const secretFolder = await mkdtemp(join(tmpdir(), "esteira-secrets-"));
  const secretFiles = Object.entries(spec.secretFiles ?? {});
  for (const [name, value] of secretFiles) await writeFile(join(secretFolder, name), value);
  const child = spawn(program as string, parameters as string[], {
    cwd: spec.workingFolder,
    detached: true,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: tmpdir(),
      ...host.environment,
      ...spec.environment,
      ...Object.fromEntries(secretFiles.map(([name]) => [`${name}_FILE`, join(secretFolder, name)])),
    },
  });
  const pid = child.pid ?? 0;
  host.running.add(pid);
  let endedBy: ProcessResult["endedBy"] = "itself";
  const kill = (): void => {
    endedBy = "cancel";
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, "SIGKILL");
  };
  for (const signal of [host.signal, spec.signal]) signal?.addEventListener("abort", kill, { once: true });
  child.stdout.on("data", (chunk: Buffer) => (spec.onOutput ?? host.log)("stdout", chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (spec.onOutput ?? host.log)("stderr", chunk.toString()));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  host.running.delete(pid);
  await rm(secretFolder, { recursive: true });
  return {
    exitCode: code ?? undefined,
    signal: signal ?? undefined,
    endedBy,
    durationMs: performance.now() - startedMs,
    isolation: "none",
  };
}

/** For steps that name no contract. */
export const noContracts: StepContracts = {
  problems: () => Promise.resolve([]),
  inputs: () => Promise.resolve([]),
  describe: () => Promise.resolve(undefined),
};

/** Of steps without unit tests. */
export const noTests: StepTests = { problems: () => Promise.resolve({ found: [], problems: [] }) };

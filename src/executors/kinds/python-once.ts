import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Json } from "#base";
import type { Executor } from "#engine";
import type { ProcessLimits } from "#pipeline";
import type { PythonEnvironments } from "../python-environment.ts";
import { writeContext } from "../step-context.ts";
import { createWorkspace } from "../workspace.ts";
import { type PythonDeclaration, raisedIn } from "./python.ts";

const LONGEST_TEST_MS = 300_000;
const GIVEN_VERSION = 1;

/** A script that runs once, outside of any pipeline run. */
export interface ScriptOnce {
  /** Of this process, and of nothing else. */
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  readonly declaration: PythonDeclaration;
  readonly projectFolder: string;
  /** Files of the project that it needs: it sees no other. */
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits?: ProcessLimits | undefined;
  readonly timeoutMs?: number | undefined;
  readonly params: Readonly<Record<string, Json>>;
  readonly inputs: ReadonlyMap<
    string,
    { readonly file: string; readonly columns: readonly { readonly name: string; readonly type: string }[] }
  >;
  /** Absolute, writable. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the script of a `python` step on given files, isolated as steps are and without network; it gets no secret.
 *
 * @returns where its outputs are, or what it raised
 * @throws what making its environment throws
 */
export async function runScriptOnce(
  { environments, executor }: { readonly environments: PythonEnvironments; readonly executor: Executor },
  script: ScriptOnce,
): Promise<{ readonly outputFolder: string } | { readonly problem: string }> {
  const { id, project, pipeline, step, declaration, projectFolder, folder, params, signal } = script;
  const { python, args = [], requirements } = declaration;
  const environment = await environments.prepare({
    requirements: requirements === undefined ? "" : await readFile(resolve(projectFolder, requirements), "utf8"),
    requirementsFile: requirements ?? `step ${step}`,
    ...(signal === undefined ? {} : { signal }),
  });
  const workspace = join(folder, "project");
  const git = { ignoredPaths: () => Promise.resolve([]) };
  await createWorkspace({ projectFolder, folder: workspace, leaveOut: [], made: [], only: script.files }, git);
  const inputs = Object.fromEntries(
    [...script.inputs].map(([name, { file, columns }]) => [
      name,
      { format: "delta/1", path: folder, files: [file], columns, version: GIVEN_VERSION },
    ]),
  );
  const context = writeContext(folder, {
    project,
    pipeline,
    step,
    stepRunId: id,
    attemptId: id,
    params,
    inputs,
    steps: {},
  });
  let said = "";
  const handle = await executor.submit(
    {
      attemptId: id,
      command: [environment.python, resolve(workspace, python), ...args],
      workingFolder: workspace,
      environment: { ...script.env, ...context.environment },
      readable: [...context.folders, ...environment.folders],
      writable: [folder],
      network: false,
      limits: script.limits,
      timeoutMs: script.timeoutMs ?? LONGEST_TEST_MS,
    },
    (_, text) => {
      said = `${said}${text}`.slice(-10_000);
    },
  );
  const cancel = (): void => void handle.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const { exitCode, signal: ending, endedBy } = await handle.ended;
    if (exitCode === 0) return { outputFolder: context.outputFolder };
    const exit = ending ?? (endedBy === "itself" ? `exit code ${exitCode}` : endedBy);
    const raised = raisedIn(said);
    return { problem: `${python} ended with ${exit}${raised === "" ? "" : `: ${raised}`}` };
  } finally {
    signal?.removeEventListener("abort", cancel);
    await executor.reap(handle.reference);
  }
}

import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isEsteiraError, type Json, matchesPattern } from "#base";
import type { AssetKind, WriteTransaction } from "#pipeline";
import {
  assertInside,
  type AttemptContext,
  commandFailed,
  type MadeVersion,
  type Problem,
  type ProcessResult,
  type ProcessSpec,
  type StepAnalysis,
  type StepInput,
  type StepOutcome,
} from "#pipeline";
import { outputFolderMissing, reportMissing } from "../errors.ts";
import { parseJunitReport } from "../junit-report.ts";
import { writeStepContext } from "../step-context.ts";

const TAIL_LENGTH = 300;

/** What steps that run a command of the user have in common. */
export interface CommandOptions {
  /** Asset kind → project-relative folder that holds it afterwards. */
  readonly makes?: Readonly<Partial<Record<AssetKind, string>>> | undefined;
  readonly report?: string | undefined;
  /** Tests of the report that may fail: names, with `*` for any characters. */
  readonly unreliable?: readonly string[] | undefined;
  readonly inputs?: readonly string[] | undefined;
  readonly folder?: string | undefined;
  readonly sandbox?: boolean | undefined;
}

/** What of the options says nothing without another. */
export function problemsOf({ report, unreliable }: CommandOptions): readonly Problem[] {
  if (unreliable === undefined || report !== undefined) return [];
  return [
    {
      path: ["unreliable"],
      message: "unreliable names tests of a report, and there is no report",
      hint: "Say which JUnit file the command writes: report: junit.xml.",
    },
  ];
}

export function inputsOf(inputs: readonly string[] | undefined): readonly StepInput[] {
  return (inputs ?? []).map((asset, index) => ({ asset, role: "input", path: ["inputs", index] }));
}

export function makesOf(step: string, makes: CommandOptions["makes"]): StepAnalysis["makes"] {
  return Object.keys(makes ?? {}).map((kind) => ({ asset: step, kind: kind as AssetKind }));
}

/** Project-relative paths that the command makes. */
export function madeBy({ makes, report }: CommandOptions): readonly string[] {
  return [...Object.values(makes ?? {}), ...(report === undefined ? [] : [report])];
}

/** Runs the command, reads its report, takes what it made. */
export async function runCommand(
  attempt: AttemptContext<unknown>,
  command: ProcessSpec["command"],
  options: CommandOptions,
): Promise<StepOutcome> {
  const context = await writeStepContext(attempt, attempt.params);
  const result = await attempt.runProcess({
    command,
    workingFolder: resolve(attempt.projectFolder, options.folder ?? "."),
    environment: context.environment,
    outputFile: context.outputFile,
    readable: context.folders,
    takes: madeBy(options).map((path) => resolve(attempt.projectFolder, path)),
    ...(options.sandbox === true ? { isolation: { atLeast: "sandbox" } } : {}),
  });
  const { report, unreliable = [] } = options;
  const facts = report === undefined ? {} : await readReport(attempt, { report, unreliable }, result);
  if (result.exitCode !== 0 && !isExcused(facts, result)) {
    const error = commandFailed({ step: attempt.step, ending: endingOf(result), tail: lastLine(result.tail ?? "") });
    return { status: "failed", error, facts };
  }
  const { made, alsoWrite } = await publishFolders(attempt, options.makes);
  return {
    status: "succeeded",
    made,
    facts,
    outputs: result.outputs,
    ...(alsoWrite === undefined ? {} : { alsoWrite }),
  };
}

function endingOf(result: ProcessResult): string {
  if (result.endedBy === "timeout") return "was ended by its timeout";
  if (result.endedBy === "cancel") return "was cancelled";
  return result.signal === undefined
    ? `ended with exit ${String(result.exitCode)}`
    : `was ended by signal ${result.signal}`;
}

function lastLine(tail: string): string {
  const line = tail.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line.length > TAIL_LENGTH ? `…${line.slice(-TAIL_LENGTH)}` : line;
}

/** Whether a command that ended by itself failed for nothing but tests that may. */
function isExcused(facts: Readonly<Record<string, Json>>, { endedBy, signal }: ProcessResult): boolean {
  return endedBy === "itself" && signal === undefined && facts["failed"] === 0 && Number(facts["excused"] ?? 0) > 0;
}

async function readReport(
  attempt: AttemptContext<unknown>,
  { report: path, unreliable }: { readonly report: string; readonly unreliable: readonly string[] },
  result: ProcessResult,
): Promise<Readonly<Record<string, Json>>> {
  let xml: string;
  try {
    const file = resolve(attempt.projectFolder, path);
    await assertInside(file, { folders: [attempt.projectFolder, attempt.workFolder], asset: attempt.step });
    xml = await readFile(file, "utf8");
  } catch (error) {
    if (isEsteiraError(error)) throw error;
    // A command that failed before it could report has its own error.
    if (result.exitCode !== 0) return {};
    throw reportMissing({ step: attempt.step, report: path }, error);
  }
  const report = parseJunitReport(xml, (name) => unreliable.some((pattern) => matchesPattern(name, pattern)));
  for (const failure of report.failures) attempt.log(`failed: ${failure.name}: ${failure.message}`, "stderr");
  for (const failure of report.excused)
    attempt.log(`failed, and is said to be unreliable: ${failure.name}: ${failure.message}`, "stderr");
  return {
    tests: report.tests,
    failed: report.failed,
    skipped: report.skipped,
    failures: report.failures.map((failure) => ({ ...failure })),
    ...(report.excused.length === 0
      ? {}
      : { excused: report.excused.length, unreliable: report.excused.map(({ name }) => name) }),
  };
}

async function publishFolders(
  attempt: AttemptContext<unknown>,
  makes: CommandOptions["makes"],
): Promise<{
  readonly made: readonly MadeVersion[];
  readonly alsoWrite?: (transaction: WriteTransaction) => Promise<void>;
}> {
  const made: MadeVersion[] = [];
  const writes: ((transaction: WriteTransaction) => Promise<void>)[] = [];
  for (const [kind, folder] of Object.entries(makes ?? {})) {
    const absolute = join(attempt.projectFolder, folder);
    if (!(await isFolder(absolute))) throw outputFolderMissing({ step: attempt.step, asset: attempt.step, folder });
    const published = await attempt.publish({ asset: attempt.step, kind: kind as AssetKind, folder: absolute });
    made.push(published.made);
    if (published.alsoWrite !== undefined) writes.push(published.alsoWrite);
  }
  if (writes.length === 0) return { made };
  return {
    made,
    alsoWrite: async (transaction) => {
      for (const write of writes) await write(transaction);
    },
  };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

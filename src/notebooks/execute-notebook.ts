import { setTimeout as delay } from "node:timers/promises";
import { type Digest, digestOf, type EsteiraError, type Json } from "#base";
import { attemptStopped, cellFailed, cellTimedOut, kernelDied } from "./errors.ts";
import { type CellOutputs, createNotebookOutputs } from "./cell-outputs.ts";
import { type ExecutedCell, type ExecutedFacts, formatExecutedNotebook } from "./executed-notebook.ts";
import type { ExecutionEnd, Kernel } from "./kernel.ts";
import { type KernelMessage, textIn } from "./kernel-message.ts";
import { INJECTED_TAG, type Notebook, type NotebookCell } from "./notebook.ts";
import { type DeclaredParameters, injectedSource } from "./parameters.ts";
import { redactOutput, redactSecrets, withoutAnsi } from "./secret-scan.ts";
import { sourceCells } from "./source-digest.ts";

const INTERRUPT_GRACE_MS = 5_000;

export interface ExecuteOptions {
  readonly notebook: Notebook;
  readonly file: string;
  readonly declared: DeclaredParameters;
  /** Checked values. */
  readonly parameters: Readonly<Record<string, Json>>;
  readonly kernel: Kernel;
  /** Default: none. */
  readonly cellTimeoutMs: number | undefined;
  readonly signal: AbortSignal;
  /** Goes into `metadata.esteira` of the evidence. */
  readonly facts: Readonly<Record<string, Json>>;
  readonly nowMs: () => number;
  /** Line of the `.ipynb` at which a cell's line stands, for errors. */
  readonly lineInFile: (cellIndex: number, line: number) => number;
  readonly log: (text: string, stream: "stdout" | "stderr") => void;
  readonly progress: (done: number, total: number) => void;
  /** Called with the evidence so far, after each cell. */
  readonly save: (text: string) => Promise<void>;
}

export interface ExecutedNotebook {
  /** nbformat 4.5. */
  readonly text: string;
  readonly cellsExecuted: number;
  /** Rules of the secrets that were taken out of the outputs. */
  readonly redactedRules: readonly string[];
  /** Why it failed, given the digest under which the evidence was kept; undefined when it did not fail. */
  readonly failure: CellFailure | undefined;
}

export type CellFailure = (executedNotebook: Digest | undefined) => EsteiraError;

interface Progress {
  readonly cells: readonly ExecutedCell[];
  readonly redacted: string[];
  readonly startedMs: number;
}

/**
 * Executes a notebook's cells from top to bottom in a kernel that was just started; never throws for what the cells do.
 */
export async function executeNotebook(options: ExecuteOptions): Promise<ExecutedNotebook> {
  const cells: ExecutedCell[] = withInjected(options).map((cell) => ({
    cell,
    status: "pending",
    outputs: [],
    executionCount: undefined,
  }));
  const state: Progress = { cells, redacted: [], startedMs: options.nowMs() };
  const outputs = createNotebookOutputs();
  const code = cells.filter(
    ({ cell }) => cell.type === "code" && !cell.tags.includes("skip-execution") && cell.source.trim() !== "",
  );
  let failure: CellFailure | undefined;
  let done = 0;
  for (const executed of code) {
    options.progress(done, code.length);
    const outcome = await executeCell(executed, outputs.cell(), options, state);
    await options.save(evidence(options, state, undefined));
    done++;
    if (outcome === "stop") break;
    if (outcome !== "next") {
      failure = outcome;
      break;
    }
  }
  options.progress(done, code.length);
  return {
    text: evidence(options, state, failure !== undefined),
    cellsExecuted: done,
    redactedRules: [...new Set(state.redacted)],
    failure,
  };
}

/** The cells to execute: forged injected cells are gone already, ours stands behind the parameters. */
function withInjected({ notebook, declared, parameters }: ExecuteOptions): readonly NotebookCell[] {
  const cells = sourceCells(notebook);
  if (Object.keys(parameters).length === 0) return cells;
  const injected: NotebookCell = {
    id: "injected-parameters",
    type: "code",
    source: injectedSource(parameters),
    tags: [INJECTED_TAG],
    metadata: {},
    attachments: {},
    outputs: [],
    executionCount: undefined,
    index: -1,
  };
  const at = declared.cell === undefined ? 0 : cells.findIndex(({ id }) => id === declared.cell?.id) + 1;
  return [...cells.slice(0, at), injected, ...cells.slice(at)];
}

async function executeCell(
  executed: ExecutedCell,
  outputs: CellOutputs,
  options: ExecuteOptions,
  state: Progress,
): Promise<"next" | "stop" | CellFailure> {
  const { cell } = executed;
  const name = cell.index < 0 ? "the parameters cell" : `cell ${cell.index + 1}`;
  const log = createLineLog(options.log);
  const dates: Record<string, string> = {};
  executed.status = "running";
  executed.startedAt = isoTime(options.nowMs());
  executed.sentDigest = digestOf(cell.source);
  options.log(`── ${name}`, "stdout");
  const execution = options.kernel.execute(cell.source, (message) => {
    outputs.add(message);
    noteDate(dates, message);
    log.message(message);
  });
  const end = await withTimeout(execution, options);
  log.flush();
  const redacted = outputs.list().map(redactOutput);
  state.redacted.push(...redacted.flatMap(({ rules }) => rules));
  executed.outputs = redacted.map(({ output }) => output);
  executed.executionCount = outputs.executionCount();
  executed.endedAt = isoTime(options.nowMs());
  if (end.status === "ok" || end.status === "error") dates["shell.execute_reply"] = end.reply.date;
  executed.execution = dates;
  const verdict = judge(end, executed, options, name);
  executed.status = verdict === "next" || verdict === "stop" ? "completed" : "failed";
  return verdict;
}

type TimedEnd = ExecutionEnd | { readonly status: "timeout" };

/** Interrupts what runs too long; ends the kernel when it does not heed. */
async function withTimeout(execution: Promise<ExecutionEnd>, options: ExecuteOptions): Promise<TimedEnd> {
  if (options.cellTimeoutMs === undefined) return execution;
  const settled = new AbortController();
  const timer = delay(options.cellTimeoutMs, "late" as const, { signal: settled.signal }).catch(() => "late" as const);
  const first = await Promise.race([execution, timer]);
  settled.abort();
  if (first !== "late") return first;
  options.kernel.interrupt();
  const grace = await Promise.race([execution, delay(INTERRUPT_GRACE_MS, "late" as const, { ref: false })]);
  if (grace === "late") await options.kernel.kill();
  return { status: "timeout" };
}

function judge(
  end: TimedEnd,
  executed: ExecutedCell,
  options: ExecuteOptions,
  name: string,
): "next" | "stop" | CellFailure {
  const { file } = options;
  if (end.status === "dead" && options.signal.aborted)
    return (executedNotebook) => attemptStopped({ file, cell: name, executedNotebook });
  if (end.status === "dead")
    return (executedNotebook) => kernelDied({ file, cell: name, exit: end.exit, executedNotebook });
  if (end.status === "timeout")
    return (executedNotebook) =>
      cellTimedOut({ file, cell: name, seconds: (options.cellTimeoutMs ?? 0) / 1000, executedNotebook });
  if (end.status === "ok" || executed.cell.tags.includes("raises-exception")) return "next";
  const errorName = textIn(end.reply.content, "ename") || "Error";
  const errorValue = redactSecrets(withoutAnsi(textIn(end.reply.content, "evalue")));
  if (errorName === "SystemExit" && ["", "0", "None"].includes(errorValue)) return "stop";
  const line = options.lineInFile(executed.cell.index, lineOfError(end.reply.content["traceback"]));
  return (executedNotebook) =>
    cellFailed({ file, cell: name, line, errorName, errorValue: errorValue.slice(0, 2_000), executedNotebook });
}

/** IPython's traceback marks the line of the cell with an arrow; of several frames the first is in the cell itself. */
function lineOfError(traceback: Json | undefined): number {
  const text = Array.isArray(traceback) ? withoutAnsi(traceback.join("\n")) : "";
  return Number(/^-+>\s*(\d+)/m.exec(text)?.[1] ?? /Cell In\[\d+\], line (\d+)/.exec(text)?.[1] ?? 1);
}

function evidence(options: ExecuteOptions, state: Progress, failed: boolean | undefined): string {
  const defaults = Object.fromEntries(
    options.declared.parameters.flatMap(({ name, default: value }) => (value === undefined ? [] : [[name, value]])),
  );
  const endMs = options.nowMs();
  const facts: ExecutedFacts = {
    kernel: options.notebook.kernel,
    language: options.notebook.language,
    implementation: options.kernel.implementation,
    inputPath: options.file,
    startedAt: isoTime(state.startedMs),
    endedAt: failed === undefined ? undefined : isoTime(endMs),
    durationSeconds: failed === undefined ? undefined : (endMs - state.startedMs) / 1000,
    failed,
    defaults,
    parameters: options.parameters,
    esteira: options.facts,
  };
  return formatExecutedNotebook(state.cells, facts);
}

function noteDate(dates: Record<string, string>, message: KernelMessage): void {
  if (message.type === "execute_input") dates["iopub.execute_input"] ??= message.date;
  if (message.type === "status") dates[`iopub.status.${textIn(message.content, "execution_state")}`] ??= message.date;
}

/** Sends what cells print to the step's log, whole lines at a time, without secrets. */
function createLineLog(log: ExecuteOptions["log"]): { message(message: KernelMessage): void; flush(): void } {
  const rest = { stdout: "", stderr: "" };
  const write = (text: string, stream: "stdout" | "stderr"): void =>
    log(redactSecrets(withoutAnsi(text)).replace(/\n$/, ""), stream);
  return {
    message({ type, content }) {
      if (type === "stream") {
        const stream = content["name"] === "stderr" ? "stderr" : "stdout";
        const text = rest[stream] + textIn(content, "text");
        const end = text.lastIndexOf("\n") + 1;
        if (end > 0) write(text.slice(0, end), stream);
        rest[stream] = text.slice(end);
      } else if (type === "error") {
        write(
          (Array.isArray(content["traceback"]) ? content["traceback"] : [textIn(content, "evalue")]).join("\n"),
          "stderr",
        );
      } else if (type === "execute_result") {
        const data = content["data"] as Readonly<Record<string, Json>> | undefined;
        if (typeof data?.["text/plain"] === "string") write(data["text/plain"], "stdout");
      }
    },
    flush() {
      for (const stream of ["stdout", "stderr"] as const) if (rest[stream] !== "") write(rest[stream], stream);
    },
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

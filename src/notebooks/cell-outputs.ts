import type { Json } from "#base";
import { type KernelMessage, textIn } from "./kernel-message.ts";
import { isObject, type NotebookOutput } from "./notebook.ts";
import { linesOf } from "./source-digest.ts";

/** Bytes kept of one stream output, and of one displayed value; the rest is cut, and the cut is noted. */
const LARGEST_STREAM = 1_000_000;
const LARGEST_DISPLAY = 10_000_000;

type MutableOutput = { output_type: string; [key: string]: Json };

interface StreamText {
  readonly output: MutableOutput;
  readonly pieces: string[];
  kept: number;
  cut: number;
}

/**
 * Collects what a kernel publishes into the outputs of cells, as nbformat 4.5 has them.
 *
 * `display_id`s belong to the notebook: an update changes every output with that id, in any cell.
 */
export interface NotebookOutputs {
  /** Starts the outputs of a cell. */
  cell(): CellOutputs;
}

export interface CellOutputs {
  /** Takes one iopub message; unknown types are passed over. */
  add(message: KernelMessage): void;
  /** The outputs so far. */
  list(): readonly NotebookOutput[];
  executionCount(): number | undefined;
}

export function createNotebookOutputs(): NotebookOutputs {
  const displays = new Map<string, MutableOutput[]>();
  return { cell: () => createCellOutputs(displays) };
}

function createCellOutputs(displays: Map<string, MutableOutput[]>): CellOutputs {
  let outputs: MutableOutput[] = [];
  const streams = new Map<MutableOutput, StreamText>();
  let clearBeforeNext = false;
  let count: number | undefined;

  function push(output: MutableOutput): void {
    if (clearBeforeNext) outputs = [];
    clearBeforeNext = false;
    outputs.push(output);
  }
  function addStream(name: string, text: string): void {
    const last = outputs.at(-1);
    let stream = last === undefined || clearBeforeNext || last["name"] !== name ? undefined : streams.get(last);
    if (stream === undefined) {
      const output: MutableOutput = { output_type: "stream", name, text: [] };
      push(output);
      stream = { output, pieces: [], kept: 0, cut: 0 };
      streams.set(output, stream);
    }
    const kept = text.slice(0, Math.max(0, LARGEST_STREAM - stream.kept));
    if (kept !== "") stream.pieces.push(kept);
    stream.kept += kept.length;
    stream.cut += text.length - kept.length;
  }
  function clear(wait: boolean): void {
    if (wait) clearBeforeNext = true;
    else outputs = [];
  }
  function countFrom(content: KernelMessage["content"]): void {
    if (typeof content["execution_count"] === "number") count = content["execution_count"];
  }
  function addDisplay(output: MutableOutput, content: KernelMessage["content"]): void {
    push(output);
    const transient = content["transient"];
    const id = isObject(transient) ? transient["display_id"] : undefined;
    if (typeof id === "string") displays.set(id, [...(displays.get(id) ?? []), output]);
  }

  return {
    executionCount: () => count,
    list: () =>
      outputs.map((output) => {
        const stream = streams.get(output);
        if (stream === undefined) return output as NotebookOutput;
        const note = stream.cut === 0 ? "" : `\n[esteira: ${stream.cut} more characters were cut]\n`;
        return { ...output, text: linesOf(stream.pieces.join("") + note) } as NotebookOutput;
      }),
    add({ type, content }) {
      switch (type) {
        case "stream":
          return addStream(textIn(content, "name"), textIn(content, "text"));
        case "display_data":
          return addDisplay({ output_type: "display_data", ...bundleOf(content) }, content);
        case "execute_result":
          return addDisplay(
            { output_type: "execute_result", execution_count: countOf(content), ...bundleOf(content) },
            content,
          );
        case "update_display_data":
          return updateDisplays(displays, content);
        case "error":
          return push(errorOf(content));
        case "clear_output":
          return clear(content["wait"] === true);
        case "execute_input":
          return countFrom(content);
        default:
      }
    },
  };
}

function errorOf(content: KernelMessage["content"]): MutableOutput {
  return {
    output_type: "error",
    ename: textIn(content, "ename"),
    evalue: textIn(content, "evalue"),
    traceback: (content["traceback"] ?? []) as Json,
  };
}

function countOf(content: KernelMessage["content"]): Json {
  return content["execution_count"] ?? null;
}

function updateDisplays(displays: ReadonlyMap<string, MutableOutput[]>, content: KernelMessage["content"]): void {
  const transient = content["transient"];
  const id = isObject(transient) ? transient["display_id"] : undefined;
  if (typeof id !== "string") return;
  for (const output of displays.get(id) ?? []) Object.assign(output, bundleOf(content));
}

/**
 * `data` and `metadata` as nbformat wants them; `transient` is refused there. Values that are too large become a note.
 */
function bundleOf(content: KernelMessage["content"]): { data: Json; metadata: Json } {
  const data: Record<string, Json> = {};
  for (const [mime, value] of Object.entries(isObject(content["data"]) ? content["data"] : {})) {
    const size = typeof value === "string" ? value.length : JSON.stringify(value).length;
    if (size > LARGEST_DISPLAY) data["text/plain"] = `[esteira: ${mime} of ${size} characters was cut]`;
    else if (data[mime] === undefined)
      data[mime] = typeof value === "string" && /^text\/|svg/.test(mime) ? linesOf(value) : value;
  }
  return { data, metadata: isObject(content["metadata"]) ? content["metadata"] : {} };
}

import { digestOf, type Json } from "#base";
import { notebookFormatOld, notebookInvalid } from "./errors.ts";
import { findJsonError } from "./json-error.ts";

export const CELL_TYPES = ["code", "markdown", "raw"] as const;
export type CellType = (typeof CELL_TYPES)[number];

/** An output of a code cell, as nbformat has it. */
export type NotebookOutput = { readonly output_type: string } & { readonly [key: string]: Json };

export interface NotebookCell {
  readonly id: string;
  readonly type: CellType;
  /** Joined, with `\n` line ends. */
  readonly source: string;
  /** Sorted, unique. */
  readonly tags: readonly string[];
  readonly metadata: { readonly [key: string]: Json };
  readonly attachments: { readonly [name: string]: { readonly [mime: string]: Json } };
  readonly outputs: readonly NotebookOutput[];
  readonly executionCount: number | undefined;
  /** Its place in the file, from 0. */
  readonly index: number;
}

/** A notebook of nbformat 4, checked. */
export interface Notebook {
  readonly cells: readonly NotebookCell[];
  /** `kernelspec.name` */
  readonly kernel: string;
  /** `python`, … */
  readonly language: string;
  readonly metadata: { readonly [key: string]: Json };
}

export const INJECTED_TAG = "injected-parameters";
export const PARAMETERS_TAG = "parameters";
const CELL_ID = /^[a-zA-Z0-9-_]{1,64}$/;

/**
 * Reads a notebook.
 *
 * @param text content of the `.ipynb`
 * @param file its name in messages
 * @throws NOTEBOOKS_FILE_INVALID, NOTEBOOKS_FORMAT_UNSUPPORTED
 */
export function parseNotebook(text: string, file: string): Notebook {
  const raw = parseJson(text, file);
  if (!isObject(raw)) throw notebookInvalid({ file, found: "the file holds no JSON object" });
  const major = raw["nbformat"];
  if (major !== 4)
    throw typeof major === "number"
      ? notebookFormatOld({ file, found: String(major) })
      : notebookInvalid({ file, found: "the key nbformat is missing" });
  const cells = raw["cells"];
  if (!Array.isArray(cells)) throw notebookInvalid({ file, found: "the key cells is missing, or no list" });
  const metadata = isObject(raw["metadata"]) ? raw["metadata"] : {};
  const kernelspec = isObject(metadata["kernelspec"]) ? metadata["kernelspec"] : {};
  const languageInfo = isObject(metadata["language_info"]) ? metadata["language_info"] : {};
  return {
    cells: withIds(
      cells.map((cell, index) => toCell(cell as Json, index, file)),
      file,
    ),
    kernel: textOf(kernelspec["name"]) ?? "python3",
    language: textOf(languageInfo["name"]) ?? textOf(kernelspec["language"]) ?? "python",
    metadata,
  };
}

function parseJson(text: string, file: string): Json {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, "")) as Json;
  } catch (error) {
    const offset = findJsonError(text);
    const before = text.slice(0, offset);
    const found =
      offset >= text.length
        ? "the file ends too early"
        : `the file is no JSON: ${JSON.stringify(text[offset])} is unexpected`;
    throw notebookInvalid(
      { file, line: before.split("\n").length, column: offset - before.lastIndexOf("\n"), found },
      error,
    );
  }
}

function toCell(
  raw: Json,
  index: number,
  file: string,
): Omit<NotebookCell, "id"> & { readonly id: string | undefined } {
  const where = `cell ${index + 1}`;
  if (!isObject(raw)) throw notebookInvalid({ file, found: `${where} is no object` });
  const type = raw["cell_type"];
  if (!CELL_TYPES.includes(type as CellType))
    throw notebookInvalid({
      file,
      found: `${where} has cell_type ${JSON.stringify(type)}; expected ${CELL_TYPES.join(", ")}`,
    });
  const source = joined(raw["source"]);
  if (source === undefined)
    throw notebookInvalid({ file, found: `${where} has no source (a string or a list of lines)` });
  const metadata = isObject(raw["metadata"]) ? raw["metadata"] : {};
  const tags = Array.isArray(metadata["tags"]) ? metadata["tags"].filter((tag) => typeof tag === "string") : [];
  return {
    id: textOf(raw["id"]),
    type: type as CellType,
    source: source.replace(/\r\n?/g, "\n"),
    tags: [...new Set(tags)].sort(),
    metadata,
    attachments: (isObject(raw["attachments"]) ? raw["attachments"] : {}) as NotebookCell["attachments"],
    outputs: (Array.isArray(raw["outputs"]) ? raw["outputs"] : []) as unknown as readonly NotebookOutput[],
    executionCount: typeof raw["execution_count"] === "number" ? raw["execution_count"] : undefined,
    index,
  };
}

/** Before nbformat 4.5 cells have no ids: they are derived from the content, so that diffs and approvals are stable. */
function withIds(
  cells: readonly (Omit<NotebookCell, "id"> & { readonly id: string | undefined })[],
  file: string,
): readonly NotebookCell[] {
  const taken = new Set<string>();
  return cells.map((cell) => {
    const id = cell.id ?? derivedId(cell.type, cell.source, taken);
    if (!CELL_ID.test(id))
      throw notebookInvalid({
        file,
        found: `cell ${cell.index + 1} has the id ${JSON.stringify(id)}; expected 1 to 64 letters, digits, - or _`,
      });
    if (taken.has(id))
      throw notebookInvalid({ file, found: `two cells have the id "${id}" (the second is cell ${cell.index + 1})` });
    taken.add(id);
    return { ...cell, id };
  });
}

function derivedId(type: CellType, source: string, taken: ReadonlySet<string>): string {
  const base = `c${digestOf(JSON.stringify([type, source])).slice("sha256:".length, "sha256:".length + 10)}`;
  for (let repeat = 1; ; repeat++) {
    const id = repeat === 1 ? base : `${base}-${repeat}`;
    if (!taken.has(id)) return id;
  }
}

/** A multi-line string of nbformat: text, or a list of lines with their line ends. */
export function joined(value: Json | undefined): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((line) => typeof line === "string")) return value.join("");
  return undefined;
}

export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

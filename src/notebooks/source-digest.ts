import { type Digest, digestOf, digestOfJson, type Json } from "#base";
import { INJECTED_TAG, isObject, joined, type Notebook, type NotebookCell } from "./notebook.ts";

const FORMAT = "notebook/1";

/**
 * The identity of a notebook: the digest of its source.
 *
 * In: the cells in order with type, id, source, tags and attachments; the kernel's name, the language, a declared
 * parameter schema. Out: outputs, execution counts and all other metadata, and cells tagged `injected-parameters`: an
 * executed copy has the digest of its source, and such cells are never executed.
 */
export function digestOfNotebook(notebook: Notebook): Digest {
  const esteira = notebook.metadata["esteira"];
  return digestOfJson({
    esteira: FORMAT,
    kernel: notebook.kernel,
    language: notebook.language,
    parameters: isObject(esteira) ? (esteira["parameters"] ?? null) : null,
    cells: sourceCells(notebook).map((cell) => ({
      id: cell.id,
      type: cell.type,
      source: cell.source,
      tags: cell.tags,
      attachments: digestsOfAttachments(cell),
    })),
  });
}

/**
 * What an approval of a notebook is bound to: its source, and with it the project's files that it imports or names.
 *
 * @param files project-relative path → digest of the content; without any, the notebook's own digest
 */
export function digestOfSource(notebook: Notebook, files: Readonly<Record<string, Digest>>): Digest {
  const digest = digestOfNotebook(notebook);
  return Object.keys(files).length === 0 ? digest : digestOfJson({ esteira: "source/1", notebook: digest, files });
}

/** The cells that count: all but injected ones. */
export function sourceCells(notebook: Notebook): readonly NotebookCell[] {
  return notebook.cells.filter((cell) => !cell.tags.includes(INJECTED_TAG));
}

/** The notebook without outputs, as one canonical nbformat 4.5 text: equal sources, equal bytes. */
export function strippedNotebook(notebook: Notebook): string {
  const esteira = notebook.metadata["esteira"];
  const cells = sourceCells(notebook).map((cell) => ({
    cell_type: cell.type,
    id: cell.id,
    metadata: cell.tags.length === 0 ? {} : { tags: cell.tags },
    source: linesOf(cell.source),
    ...(cell.type === "code" ? { execution_count: null, outputs: [] } : {}),
    ...(Object.keys(cell.attachments).length === 0 ? {} : { attachments: cell.attachments }),
  }));
  const metadata = {
    ...(isObject(esteira) && esteira["parameters"] !== undefined
      ? { esteira: { parameters: esteira["parameters"] } }
      : {}),
    kernelspec: { display_name: notebook.kernel, language: notebook.language, name: notebook.kernel },
    language_info: { name: notebook.language },
  };
  return `${JSON.stringify({ cells, metadata, nbformat: 4, nbformat_minor: 5 }, undefined, 1)}\n`;
}

/** Lines with their line ends, the form in which notebooks are easiest to compare. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.split(/(?<=\n)/);
}

function digestsOfAttachments(cell: NotebookCell): Record<string, Record<string, Digest>> {
  const digests: Record<string, Record<string, Digest>> = {};
  for (const [name, bundle] of Object.entries(cell.attachments)) {
    digests[name] = Object.fromEntries(
      Object.entries(bundle).map(([mime, value]) => [mime, digestOfAttachment(mime, value)]),
    );
  }
  return digests;
}

function digestOfAttachment(mime: string, value: Json): Digest {
  const text = joined(value);
  if (text === undefined) return digestOfJson(value);
  return digestOf(
    /^(image\/(?!svg)|audio\/|video\/|application\/(pdf|octet-stream))/.test(mime) ? Buffer.from(text, "base64") : text,
  );
}

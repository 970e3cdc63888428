/** What a text of SQL asks for, as far as the protocol has to know. */
export type Statement =
  | { readonly kind: "empty" }
  | { readonly kind: "select"; readonly text: string }
  /** Understood, and without effect here: `tag` is what its end is called. */
  | { readonly kind: "settled"; readonly tag: string; readonly effect?: "begin" | "end" }
  | { readonly kind: "set"; readonly name: string; readonly value: string }
  | { readonly kind: "show"; readonly name: string }
  | { readonly kind: "deallocate"; readonly name: string | undefined }
  /** `COPY (SELECT …) TO STDOUT`. */
  | { readonly kind: "copy"; readonly text: string; readonly options: CopyOptions }
  /** Would change something. */
  | { readonly kind: "refused"; readonly verb: string };

export interface CopyOptions {
  readonly format: "text" | "csv";
  readonly header: boolean;
  readonly delimiter: string;
}

const PARTS =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|;|[^'"\-/$;]+|[\s\S]/g;

/** The statements of a text, without what is empty. */
export function splitStatements(sql: string): readonly string[] {
  const statements = [""];
  for (const [part] of sql.matchAll(PARTS))
    if (part === ";") statements.push("");
    else statements[statements.length - 1] += part;
  return statements.filter((statement) => withoutComments(statement) !== "");
}

export function readStatement(sql: string): Statement {
  const text = withoutComments(sql).replace(/;\s*$/, "");
  if (text === "") return { kind: "empty" };
  const verb = (/^\(*\s*([a-z]+)/i.exec(text)?.[1] ?? "").toUpperCase();
  return (READERS[verb] ?? refused)(text, sql);
}

type Reader = (text: string, sql: string) => Statement;

const select: Reader = (_, sql) => ({ kind: "select", text: sql });
const settled =
  (tag: string, effect?: "begin" | "end"): Reader =>
  () => ({ kind: "settled", tag, ...(effect === undefined ? {} : { effect }) });
const refused: Reader = (text) => ({
  kind: "refused",
  verb: /^\w+/.exec(text)?.[0].toUpperCase() ?? text.slice(0, 20),
});

const READERS: Readonly<Record<string, Reader>> = {
  SELECT: select,
  WITH: select,
  VALUES: select,
  FROM: select,
  TABLE: (text) => ({ kind: "select", text: text.replace(/^table\s+/i, "SELECT * FROM ") }),
  BEGIN: settled("BEGIN", "begin"),
  START: settled("BEGIN", "begin"),
  COMMIT: settled("COMMIT", "end"),
  END: settled("COMMIT", "end"),
  ABORT: settled("ROLLBACK", "end"),
  ROLLBACK: (text, sql) => settled("ROLLBACK", /^rollback\s+to\b/i.test(text) ? undefined : "end")(text, sql),
  SAVEPOINT: settled("SAVEPOINT"),
  RELEASE: settled("RELEASE"),
  RESET: settled("RESET"),
  LISTEN: settled("LISTEN"),
  UNLISTEN: settled("UNLISTEN"),
  CLOSE: settled("CLOSE"),
  DISCARD: settled("DISCARD ALL"),
  DEALLOCATE(text) {
    const name = /^deallocate\s+(?:prepare\s+)?"?(\w+)"?/i.exec(text)?.[1];
    return { kind: "deallocate", name: name?.toUpperCase() === "ALL" ? undefined : name };
  },
  SHOW: (text) => ({ kind: "show", name: text.replace(/^show\s+/i, "").trim() }),
  SET: readSet,
  COPY: readCopy,
};

function readSet(text: string): Statement {
  const [, name = "", value = ""] =
    /^set\s+(?:session\s+|local\s+)?(time\s+zone|[\w.]+)\s*(?:=|\bto\b)?\s*(.*)$/is.exec(text) ?? [];
  if (/^(transaction|session|constraints|role)$/i.test(name)) return { kind: "settled", tag: "SET" };
  return {
    kind: "set",
    name: name.toLowerCase().replace(/^time\s+zone$/, "timezone"),
    value: value.trim().replace(/^'([\s\S]*)'$/, "$1"),
  };
}

function readCopy(text: string): Statement {
  const found = /^copy\s+(\([\s\S]*\)|(?:"?public"?\.)?"?[^\s("]+"?)\s+to\s+stdout\b([\s\S]*)$/i.exec(text);
  if (found === null) return { kind: "refused", verb: "COPY" };
  const [, source = "", rest = ""] = found;
  const format = /\bcsv\b/i.test(rest) ? "csv" : "text";
  if (/\bbinary\b/i.test(rest)) return { kind: "refused", verb: "COPY … BINARY" };
  const delimiter = /\bdelimiter\s+(?:as\s+)?'(.)'/i.exec(rest)?.[1] ?? (format === "csv" ? "," : "\t");
  return {
    kind: "copy",
    text: source.startsWith("(") ? source.slice(1, -1) : `SELECT * FROM ${source}`,
    options: { format, delimiter, header: /\bheader\b(?!\s+(?:false|off|0))/i.test(rest) },
  };
}

function withoutComments(sql: string): string {
  return [...sql.matchAll(PARTS)]
    .map(([part]) => (part.startsWith("--") || (part.startsWith("/*") && part.length > 2) ? " " : part))
    .join("")
    .trim();
}

/** One row as COPY writes it, with its line break. */
export function copyLine(cells: readonly (string | null)[], { format, delimiter }: CopyOptions): string {
  const written = cells.map((cell) => {
    if (format === "csv") {
      if (cell === null) return "";
      return cell === "" || cell.includes(delimiter) || /["\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
    }
    if (cell === null) return String.raw`\N`;
    return cell.replaceAll(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character);
  });
  return `${written.join(delimiter)}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

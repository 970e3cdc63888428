export const PREVIEW_KINDS = ["image", "table", "json", "markdown", "html", "text", "none"] as const;
export type PreviewKind = (typeof PREVIEW_KINDS)[number];

const IMAGES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  bmp: "image/bmp",
  svg: "image/svg+xml",
};
const TEXTS = new Set([
  "txt",
  "log",
  "py",
  "ipynb",
  "r",
  "sql",
  "js",
  "ts",
  "yaml",
  "yml",
  "toml",
  "ini",
  "cfg",
  "conf",
  "sh",
  "xml",
  "lock",
  "jsonl",
  "env",
  "dockerfile",
  "java",
  "scala",
  "go",
  "rs",
  "c",
  "h",
  "cpp",
  "css",
]);
const PLAIN_NAMES = new Set(["mlmodel", "mlproject", "dockerfile", "license", "readme", "requirements"]);

const KINDS: Readonly<Record<string, PreviewKind>> = {
  csv: "table",
  tsv: "table",
  json: "json",
  geojson: "json",
  md: "markdown",
  markdown: "markdown",
  html: "html",
  htm: "html",
};

/** How a file is shown, by its name. */
export function previewKind(path: string): PreviewKind {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const ending = endingOf(name);
  if (ending in IMAGES) return "image";
  return KINDS[ending] ?? (TEXTS.has(ending) || PLAIN_NAMES.has(name) ? "text" : "none");
}

/** What follows the last point, in small letters, or nothing. */
function endingOf(name: string): string {
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1).toLowerCase() : "";
}

export function imageType(path: string): string {
  return IMAGES[endingOf(path)] ?? "application/octet-stream";
}

export interface PreviewTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * Reads delimited text (RFC 4180: quotes, doubled quotes, line breaks in fields), the first line being the names.
 *
 * @param isCut the text ends in the middle of a file: its last, perhaps broken line is left out
 */
export function parseDelimited(
  text: string,
  separator: "," | "\t",
  { isCut = false, mostRows = 5000 } = {},
): PreviewTable {
  const lines: string[][] = [];
  let fields: string[] = [];
  for (const [value, end] of readFields(text, separator)) {
    if (isCut && end === "") break;
    fields.push(value);
    if (end === separator) continue;
    if (fields.length > 1 || value !== "") lines.push(fields);
    fields = [];
    if (lines.length > mostRows) break;
  }
  const [columns = [], ...rows] = lines;
  return { columns, rows };
}

/**
 * Each field, in quotes or not, with what ends it; a quote that never closes is plain text, so that something always
 * matches.
 */
function* readFields(text: string, separator: "," | "\t"): Generator<readonly [string, string]> {
  const reader =
    separator === ","
      ? /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n?|\n|$)/y
      : /(?:"((?:[^"]|"")*)"|([^\t\r\n]*))(\t|\r\n?|\n|$)/y;
  let end = separator as string;
  while (reader.lastIndex < text.length || (end === separator && text !== "")) {
    const [, quoted, plain = "", mark = ""] = reader.exec(text) ?? [];
    end = mark;
    yield [quoted?.replaceAll('""', '"') ?? plain, end];
    if (end === "") return;
  }
}

/** JSON that is a table: a list of objects, or `{columns, data}` as pandas and MLflow write it; else undefined. */
export function jsonTable(value: unknown): PreviewTable | undefined {
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row) => typeof row === "object" && row !== null && !Array.isArray(row))
  ) {
    const rows = value as readonly Readonly<Record<string, unknown>>[];
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    return { columns, rows: rows.map((row) => columns.map((column) => row[column])) };
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { columns, data } = value as { readonly columns?: unknown; readonly data?: unknown };
  if (!Array.isArray(columns) || !Array.isArray(data) || !data.every((row) => Array.isArray(row))) return undefined;
  return { columns: columns.map(String), rows: data as readonly (readonly unknown[])[] };
}

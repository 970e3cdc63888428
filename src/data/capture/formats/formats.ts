import type { SourceFormat } from "../source-file.ts";
import { openCsv } from "./csv.ts";
import { csvTogether } from "./csv-together.ts";
import type { Together } from "./files-together.ts";
import { openJson, openNdjson } from "./json.ts";
import { ndjsonTogether } from "./ndjson-together.ts";
import { openParquet } from "./parquet.ts";
import type { CsvOptions, OpenFile, SourceRows } from "./source-rows.ts";

/** How files of one format are read. */
export interface Format {
  /** @throws UnreadableFile */
  open(source: OpenFile): Promise<SourceRows>;
  /** Files from the first one on that can share statements; undefined when it is better read alone. */
  together?(
    files: readonly Pick<OpenFile, "file">[],
    how: { readonly csv: CsvOptions; readonly isByFile: boolean },
  ): Promise<Together | undefined>;
}

export const FORMATS: Readonly<Record<SourceFormat, Format>> = {
  csv: { open: openCsv, together: (files, { csv }) => csvTogether(files, csv) },
  ndjson: {
    open: openNdjson,
    // Each object has columns of its own: what is said about a file's columns is said by file.
    together: async (files, { isByFile }) => (isByFile ? undefined : ndjsonTogether(files)),
  },
  json: { open: openJson },
  parquet: { open: openParquet },
  // Its sheet is written as NDJSON before it is read.
  xlsx: { open: openNdjson },
};

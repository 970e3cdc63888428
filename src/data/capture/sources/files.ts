import { formatQuantity, isEsteiraError } from "#base";
import type { MetadataStore } from "#metadata-store";
import { listCapturedFiles } from "#metadata-store/data";
import type { AnalysisContext } from "#pipeline";
import type { WriteDisposition } from "../../dataset.ts";
import { deletesMissing, isReplacing } from "../../write-disposition.ts";
import { captureFilesMissing } from "../../errors.ts";
import type { IdentifiedFile } from "../capture.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import { type CaptureNeeds, compareWithLedger, tellSnapshotsApart } from "../ledger.ts";
import { findCaptureFolder, findSourceFiles, formatOf, readIdentity, type SourceFile } from "../source-file.ts";
import type { OpenSource, Source, SourceAnalysis, SourceContext, SourceReading } from "./source.ts";

type FilesDeclaration = CaptureDeclaration["capture"] & { readonly files: string | readonly string[] };

export interface FilesDependencies {
  readonly store: MetadataStore;
  /** Absolute folders outside the project that captures may read. */
  readonly captureFolders: readonly string[];
}

/** Files below the project or an allowed folder; what a dataset has of them, its ledger knows by their content. */
export function createFilesSource(capture: FilesDeclaration, dependencies: FilesDependencies): Source {
  const patterns = typeof capture.files === "string" ? [capture.files] : capture.files;
  const find = async (projectFolder: string): Promise<readonly SourceFile[]> =>
    findSourceFiles(await folderOf(projectFolder), patterns);
  const folderOf = (projectFolder: string): Promise<string> =>
    findCaptureFolder(capture.folder, projectFolder, dependencies.captureFolders);
  return {
    description: patterns.join(", "),
    write: "append",
    analyse: (context) => analyseFiles(dependencies, context, () => find(context.projectFolder)),
    async preview(context) {
      const needs = await findNeeds(capture, context, await find(context.projectFolder));
      return describeNeeds(needs, context.disposition);
    },
    async open(context) {
      const files = await find(context.projectFolder);
      if (files.length === 0 && context.position.latest === undefined)
        throw captureFilesMissing({ patterns, folder: await folderOf(context.projectFolder) });
      return openFiles(capture, context, files);
    },
  };
}

function openFiles(capture: FilesDeclaration, context: SourceContext, found: readonly SourceFile[]): OpenSource {
  return {
    async read() {
      const needs = await findNeeds(capture, context, found);
      return {
        files: needs.files,
        cursor: undefined,
        moved: needs.moved,
        notes: notesOf(needs, context),
        nothingNew: `nothing new: ${formatQuantity(found.length, "file is", "files are")} captured already`,
      } satisfies SourceReading;
    },
    close: () => Promise.resolve(),
  };
}

async function analyseFiles(
  { store }: FilesDependencies,
  context: AnalysisContext,
  find: () => Promise<readonly SourceFile[]>,
): Promise<SourceAnalysis> {
  const asked = await store.read((transaction) =>
    listCapturedFiles(transaction, {
      project: context.project,
      dataset: context.step,
      states: ["again", "anew"],
      limit: 10_000,
    }),
  );
  const fingerprintOf = (files: readonly SourceFile[]): SourceAnalysis["fingerprint"] => [
    ...files.map(({ path, sizeBytes, mtimeMs }) => [path, sizeBytes, mtimeMs]),
    ...asked.map(({ digest }) => digest),
  ];
  try {
    return { problems: [], fingerprint: fingerprintOf(await find()) };
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    const { message, hint } = error;
    const place = isEsteiraError(error, "DATA_CAPTURE_FOLDER_REFUSED") ? "folder" : "files";
    return {
      problems: [{ path: ["capture", place], message, ...(hint === undefined ? {} : { hint }) }],
      fingerprint: fingerprintOf([]),
    };
  }
}

async function findNeeds(
  capture: FilesDeclaration,
  { position, disposition }: SourceContext,
  found: readonly SourceFile[],
): Promise<CaptureNeeds> {
  const identified: Omit<IdentifiedFile, "supersedes">[] = [];
  for (const file of found) {
    const format = capture.format ?? formatOf(file.path);
    identified.push({
      ...file,
      ...(await readIdentity(file.absolute, format === "csv" && !/\.(gz|zst|zip)$/i.test(file.path))),
    });
  }
  const files = deletesMissing(disposition) ? tellSnapshotsApart(identified, position.ledger) : identified;
  return compareWithLedger(position.ledger, files, {
    isReplaced: isReplacing(disposition),
    changed: capture.changed ?? "supersede",
  });
}

function notesOf(needs: CaptureNeeds, { step, disposition }: SourceContext): string[] {
  return [
    ...needs.copies.map(({ path, of }) => `${path} holds the same bytes as ${of}, which is captured instead`),
    ...needs.leftOut.map(
      ({ path }) =>
        `${path} stays out: the dataset was restored to a version without its rows; read it with: esteira capture ${step} --again ${path}`,
    ),
    ...(needs.goneCount > 0 && !isReplacing(disposition)
      ? [
          `${formatQuantity(needs.goneCount, "captured file is", "captured files are")} not there any more; the rows stay`,
        ]
      : []),
  ];
}

/** Files are only compared by size and time where that tells enough. */
function describeNeeds(needs: CaptureNeeds, disposition: WriteDisposition): string {
  const superseded = needs.files
    .flatMap(({ supersedes }) => supersedes)
    .filter(({ state }) => state !== "left_out")
    .reduce((sum, { rowsPublished }) => sum + rowsPublished, 0);
  const counts = [
    `${needs.newCount} new`,
    `${needs.changedCount} changed`,
    `${needs.unchangedCount} unchanged`,
    ...(needs.againCount === 0 ? [] : [`${needs.againCount} to read again`]),
  ];
  const rows =
    disposition === "append" && superseded > 0 ? `; ${formatQuantity(superseded, "row")} will be superseded` : "";
  const gone =
    needs.goneCount > 0 && !isReplacing(disposition)
      ? `; ${formatQuantity(needs.goneCount, "file is", "files are")} gone, the rows stay`
      : "";
  return `files: ${counts.join(", ")}${rows}${gone}`;
}

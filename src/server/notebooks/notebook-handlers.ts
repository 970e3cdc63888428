import type { NotebookCell, NotebookOutput, NotebookVersion } from "#api";
import type { Platform } from "#app";
import type { Digest } from "#base";
import { listApprovals } from "#governance";
import { type AssetVersion, getAssetVersion, type ReadTransaction } from "#metadata-store";
import { findStepRun, type StepRun } from "#metadata-store/engine";
import { type NotebookOutput as StoredOutput, parseNotebook, type Notebook } from "#notebooks";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { nameApprovals } from "../approvals/approval-handlers.ts";
import { resourceMissing } from "../errors.ts";

/** From the richest form that is safe to show to the plainest. */
const MIME_TYPES = ["image/png", "image/jpeg", "image/svg+xml", "text/html", "application/json", "text/plain"] as const;

/** Notebook versions: cells, outputs of the execution that is kept as evidence, changes against the version before. */
export function createNotebookHandlers(platform: Platform): Pick<ApiHandlers, "getNotebookVersion"> {
  const { store, objects, project } = platform;
  async function load(version: AssetVersion): Promise<Notebook> {
    const [file] = (version.content as { files?: readonly { digest: Digest }[] }).files ?? [];
    if (file === undefined) throw resourceMissing({ kind: "notebook", key: version.id });
    return parseNotebook((await objects.get(file.digest)).toString(), version.asset);
  }

  return {
    async getNotebookVersion({ params, query }) {
      const { version, before, stepRun } = await store.read(async (transaction) => {
        const found = await getAssetVersion(transaction, { id: params.id });
        if (found?.kind !== "notebook" || found.project !== project)
          throw resourceMissing({ kind: "notebook version", key: params.id });
        return {
          version: found,
          before:
            found.version === 1
              ? undefined
              : await getAssetVersion(transaction, { project, asset: found.asset, version: found.version - 1 }),
          stepRun: await findExecution(transaction, found, query.stepRun),
        };
      });
      const source = await load(version);
      const facts = (stepRun?.facts ?? {}) as { executedNotebook?: Digest; parameters?: Record<string, unknown> };
      const executed =
        facts.executedNotebook === undefined
          ? undefined
          : parseNotebook((await objects.get(facts.executedNotebook)).toString(), version.asset);
      return {
        versionId: version.id,
        asset: version.asset,
        version: version.version,
        path: version.asset,
        sourceDigest: version.digest,
        kernel: source.kernel,
        isExecuted: executed !== undefined,
        ...(executed === undefined ? {} : { executedDigest: facts.executedNotebook, stepRunId: stepRun?.id }),
        executedAtMs: stepRun?.finishedAtMs,
        pipelineRunId: stepRun?.pipelineRunId ?? version.pipelineRunId,
        parameters: facts.parameters ?? {},
        cells: toCells(executed ?? source, before === undefined ? undefined : await load(before)),
        approvals: await nameApprovals(platform, await listApprovals(store, { project, digest: version.digest })),
      } satisfies NotebookVersion;
    },
  };
}

/**
 * The step run whose outputs are shown: the one asked for, if it executed this version, else the one that made the
 * version.
 */
async function findExecution(
  transaction: ReadTransaction,
  version: AssetVersion,
  asked: string | undefined,
): Promise<StepRun | undefined> {
  const id = asked ?? version.stepRunId;
  const stepRun = id === undefined ? undefined : await findStepRun(transaction, id);
  if (asked === undefined) return stepRun;
  const { notebookVersionId } = (stepRun?.facts ?? {}) as { readonly notebookVersionId?: unknown };
  if (stepRun === undefined || notebookVersionId !== version.id)
    throw resourceMissing({ kind: "execution of this notebook", key: asked });
  return stepRun;
}

function toCells(notebook: Notebook, before: Notebook | undefined): readonly NotebookCell[] {
  const earlier = new Map(before?.cells.map((cell) => [cell.id, cell.source]));
  return notebook.cells.map((cell) => {
    const sourceBefore = earlier.get(cell.id);
    const change =
      before === undefined
        ? undefined
        : sourceBefore === undefined
          ? "added"
          : sourceBefore === cell.source
            ? "unchanged"
            : "changed";
    return {
      id: cell.id,
      type: cell.type,
      source: cell.source,
      tags: cell.tags,
      executionCount: cell.executionCount,
      outputs: cell.outputs.flatMap(toOutput),
      change,
      sourceBefore: change === "changed" ? sourceBefore : undefined,
    };
  });
}

function toOutput(output: StoredOutput): readonly NotebookOutput[] {
  if (output.output_type === "stream") return [{ kind: "text", mimeType: "text/plain", data: joined(output["text"]) }];
  if (output.output_type === "error")
    return [
      {
        kind: "error",
        mimeType: "text/plain",
        data: joined(output["traceback"], "\n") || `${joined(output["ename"])}: ${joined(output["evalue"])}`,
      },
    ];
  const data = (output["data"] ?? {}) as Readonly<Record<string, unknown>>;
  const mimeType = MIME_TYPES.find((type) => type in data);
  if (mimeType === undefined) return [];
  const content = data[mimeType];
  if (mimeType === "application/json") return [{ kind: "json", mimeType, data: JSON.stringify(content, undefined, 2) }];
  const kind = mimeType === "text/html" ? "html" : mimeType === "text/plain" ? "text" : "image";
  return [{ kind, mimeType, data: joined(content) }];
}

function joined(value: unknown, separator = ""): string {
  return Array.isArray(value) ? value.join(separator) : typeof value === "string" ? value : "";
}

import { newId } from "#base";
import { appendEvent, getAssetVersion } from "#metadata-store";
import { recordRestatement } from "#metadata-store/data";
import type { DatasetChangeDependencies } from "./change-dataset.ts";
import { datasetMissing, datasetNotIncremental, restatementInvalid } from "./errors.ts";
import { ledgerOf } from "./transform/incremental.ts";
import { type IntervalUnit, parseMoment, showSpan, type TimeSpan, wholeIntervals } from "./transform/intervals.ts";

/** A part of an incremental dataset to fill again, or all of it. */
export interface RestatementRequest {
  /** A date or a date with a time, UTC where no zone is said. Default: from its start. */
  readonly from?: string | undefined;
  /** The first moment that is not in it. Default: to its end. */
  readonly to?: string | undefined;
  /** All of it, made anew. */
  readonly full?: boolean | undefined;
}

/**
 * Notes that the next run of an incremental model fills intervals again that are filled.
 *
 * @returns in words what that will be
 * @throws DATA_DATASET_MISSING, DATA_DATASET_NOT_INCREMENTAL, DATA_RESTATEMENT_INVALID
 */
export async function askToRestate(
  { store, clock, project }: Pick<DatasetChangeDependencies, "store" | "clock" | "project">,
  request: RestatementRequest & { readonly dataset: string; readonly actor: string },
): Promise<string> {
  const { dataset, actor } = request;
  const atMs = clock.now();
  return store.write(async (transaction) => {
    const latest = await getAssetVersion(transaction, { project, asset: dataset });
    if (latest === undefined) throw datasetMissing({ dataset, version: undefined });
    const ledger = await ledgerOf(transaction, latest);
    if (ledger === undefined) throw datasetNotIncremental({ dataset });
    const span = spanOf(request, ledger.time === undefined);
    await recordRestatement(transaction, { id: newId(atMs), project, dataset, ...span, actor, atMs });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "dataset.restatement_asked",
      subjectKind: "asset",
      subject: dataset,
      actor,
      data: {
        from: span.fromMs === undefined ? null : new Date(span.fromMs).toISOString(),
        to: span.toMs === undefined ? null : new Date(span.toMs).toISOString(),
      },
    });
    return span.fromMs === undefined && span.toMs === undefined
      ? "all"
      : showAsked(span, ledger.interval ?? "day", (ledger.filled ?? []).flat());
  });
}

function spanOf(
  request: RestatementRequest & { readonly dataset: string },
  isMerged: boolean,
): { readonly fromMs: number | undefined; readonly toMs: number | undefined } {
  const { dataset, from, to, full = false } = request;
  const fail = (reason: string): Error => restatementInvalid({ dataset, reason });
  if (full) {
    if (from !== undefined || to !== undefined) throw fail("all of it, and a part of it, were asked for at once");
    return { fromMs: undefined, toMs: undefined };
  }
  if (from === undefined && to === undefined) throw fail("no span was named");
  if (isMerged) throw fail("it is merged by key and has no intervals; only all of it can be made anew");
  const read = (text: string | undefined): number | undefined => {
    const ms = text === undefined ? undefined : parseMoment(text);
    if (text !== undefined && ms === undefined)
      throw fail(`${JSON.stringify(text)} is no date such as 2024-01-31, and no date with a time`);
    return ms;
  };
  const [fromMs, toMs] = [read(from), read(to)];
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw fail(`its end ${to ?? ""} is not after its start ${from ?? ""}`);
  return { fromMs, toMs };
}

function showAsked(
  { fromMs, toMs }: { readonly fromMs: number | undefined; readonly toMs: number | undefined },
  unit: IntervalUnit,
  filled: readonly string[],
): string {
  const bounds = filled.map((text) => Date.parse(text));
  const span: TimeSpan = [
    fromMs ?? Math.min(...bounds, toMs ?? Infinity),
    toMs ?? Math.max(...bounds, fromMs ?? -Infinity),
  ];
  return showSpan(wholeIntervals(span, unit));
}

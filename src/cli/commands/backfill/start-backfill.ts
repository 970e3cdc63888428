import type { BackfillPreview, NewBackfill } from "#api";
import { isEsteiraError } from "#base";
import { type CommandContext, type CommandOption, type OptionValues, textOption, textOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatDuration } from "../../format.ts";
import { tellIsolation } from "../../isolation-note.ts";
import { readParams } from "../../params.ts";
import type { CliSession } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { watchBackfill } from "./backfill-view.ts";

const DEFAULT_PARALLEL = 4;

/** Options of commands that make several partitions. */
export const backfillOptions: Readonly<
  Record<"all" | "dry-run" | "max-parallel" | "fail-fast" | "param", CommandOption>
> = {
  all: { type: "boolean", help: "Also those that are as what is there now makes them." },
  "dry-run": { type: "boolean", help: "Say what would be made, how long that takes and who reads it; make nothing." },
  "max-parallel": { type: "string", value: "N", help: "So many at once, 1 to 100; default 4." },
  "fail-fast": { type: "boolean", help: "Begin no more after the first failure." },
  param: { type: "string", multiple: true, value: "NAME=VALUE", help: "A param of the pipeline; may be repeated." },
};

/** What those options ask for, and `--partition`. @throws CLI_USAGE_WRONG */
export function readBackfill(options: OptionValues, usage: string): NewBackfill {
  const given = textOption(options, "max-parallel");
  const maxParallel = given === undefined ? undefined : Number(given);
  if (maxParallel !== undefined && !(Number.isInteger(maxParallel) && maxParallel >= 1 && maxParallel <= 100))
    throw usageWrong({ usage, reason: `--max-parallel ${given ?? ""}: expected 1 to 100` });
  const partitions = textOptions(options, "partition");
  return {
    ...(partitions.length === 0 ? {} : { partitions }),
    all: options["all"] === true,
    failed: options["failed"] === true,
    failFast: options["fail-fast"] === true,
    maxParallel,
    params: readParams(textOptions(options, "param"), usage),
  };
}

/** Makes partitions of a pipeline, or says what that would be, and gives the exit code. */
export async function startBackfill(
  session: CliSession,
  context: CommandContext,
  of: {
    readonly pipeline: string;
    readonly body: NewBackfill;
    readonly asJson: boolean;
    readonly isDryRun: boolean;
  },
): Promise<number> {
  const { terminal } = context;
  const { call, platform, identity } = session;
  const { pipeline, body, asJson } = of;
  const params = { name: pipeline };
  if (of.isDryRun) {
    const preview = await call("previewBackfill", { params, body });
    if (asJson) terminal.printJson(preview);
    else printPreview(terminal, preview, body.maxParallel ?? DEFAULT_PARALLEL);
    return 0;
  }
  await platform.registerProject(identity.name);
  await tellIsolation(terminal, platform);
  const made = await call("createBackfill", { params, body }).catch((error: unknown) => {
    if (isEsteiraError(error, "PIPELINE_BACKFILL_EMPTY")) return undefined;
    throw error;
  });
  if (made === undefined) return tellNothing(session, context, of);
  if (!asJson) terminal.note(`Backfill ${made.id} of ${pipeline}`);
  return watchBackfill(session, context, { id: made.id, asJson });
}

/** Whoever asks for what is there already has it. */
async function tellNothing(
  { call }: CliSession,
  { terminal }: CommandContext,
  { pipeline, body, asJson }: { readonly pipeline: string; readonly body: NewBackfill; readonly asJson: boolean },
): Promise<number> {
  const preview = await call("previewBackfill", { params: { name: pipeline }, body });
  if (asJson) terminal.printJson(preview);
  else printPreview(terminal, preview, DEFAULT_PARALLEL);
  return 0;
}

function printPreview(terminal: Terminal, preview: BackfillPreview, maxParallel: number): void {
  const { partitionCount: count, leftOut, filled, medianMs, downstream, partitions } = preview;
  terminal.print(`${formatCount(count)} to be made, ${formatCount(leftOut)} left out`);
  if (count > 0) terminal.print(`  ${spanOf(partitions, count)}`);
  if (leftOut > 0) terminal.print(terminal.style("dim", `  left out: ${spanOf(filled, leftOut)}`));
  if (medianMs !== undefined && count > 0)
    terminal.print(
      `  about ${formatDuration(medianMs)} each, ${formatDuration((medianMs * count) / Math.min(maxParallel, count))} in all`,
    );
  for (const { asset, pipeline, step } of downstream) terminal.print(`  ${asset} is read by ${step} of ${pipeline}`);
}

const NAMED = 5;

/** A few by name, many by the first and the last that is known. */
function spanOf(names: readonly string[], count: number): string {
  if (count <= NAMED) return names.join(", ");
  const last = names.length === count ? (names.at(-1) ?? "") : "";
  return `${names[0] ?? ""} … ${last}`;
}

import type { WaitReason, WorkHolder } from "#api";
import { formatTime } from "./format.ts";

const HOLDERS_NAMED = 3;

/** `flights.load of 01J…`, or a whole run. */
export function holderText({ pipeline, step, matrix, pipelineRunId }: WorkHolder): string {
  const name = step === undefined ? pipeline : `${pipeline}.${step}`;
  return `${name}${matrix === undefined ? "" : ` (${matrix})`} of ${pipelineRunId}`;
}

/** Why queued work has not begun, in one line. */
export function waitText(reason: WaitReason): string {
  const { kind, name = "", limit = 0, used = 0, needs = 1 } = reason;
  switch (kind) {
    case "delay":
      return `a retry, at ${formatTime(reason.untilMs ?? 0)}`;
    case "concurrency":
      return `concurrency ${name}: ${used} of ${limit} at work${holdersText(reason)}`;
    case "pool":
      return `pool ${name}: ${used} of ${limit} slots held${holdersText(reason)}${needs > 1 ? `; needs ${needs}` : ""}`;
    case "pool-turn":
      return `pool ${name}: one before it needs more slots than are free (${used} of ${limit} held)${holdersText(reason)}`;
    case "pool-gone":
      return `pool ${name} is not in esteira.yaml any more: add it again, or cancel the run`;
    case "engine":
      return "an engine that has room";
    case "no-engine":
      return "an engine: none works on the project (esteira up)";
  }
}

function holdersText({ holders }: WaitReason): string {
  if (holders.length === 0) return "";
  const named = holders.slice(0, HOLDERS_NAMED).map(holderText).join(", ");
  return ` by ${named}${holders.length > HOLDERS_NAMED ? ", …" : ""}`;
}

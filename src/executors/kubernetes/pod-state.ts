import { z } from "zod";
import type { ClusterObject } from "./cluster-object.ts";

/** What a pod of a step has come to. */
export type PodState =
  /** It does not run its wrapper yet; `isPlaced`: it has its node, and waits no more for others. */
  | { readonly kind: "waiting"; readonly reason: string; readonly isPlaced: boolean; readonly isNoteworthy: boolean }
  | { readonly kind: "running"; readonly node: string }
  /** Its place is to blame. */
  | {
      readonly kind: "lost";
      readonly reason: string;
      /** Its wrapper ended it, and nothing of the cluster. */
      readonly isOwn: boolean;
    }
  /** It never can. */
  | { readonly kind: "unstartable"; readonly reason: string }
  /** The step is to blame, or who set its bounds. */
  | { readonly kind: "failed"; readonly how: string; readonly advice: string };

const ended = z.looseObject({
  exitCode: z.number(),
  signal: z.number().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
});
const stateSchema = z.looseObject({
  waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  terminated: ended.optional(),
});
type ContainerState = z.infer<typeof stateSchema>;
const podSchema = z.looseObject({
  spec: z.looseObject({ nodeName: z.string().optional() }).optional(),
  status: z
    .looseObject({
      phase: z.string().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .nullish(),
      containerStatuses: z
        .array(
          z.looseObject({
            state: stateSchema.optional(),
          }),
        )
        .nullish(),
    })
    .optional(),
});
type Pod = z.infer<typeof podSchema>;

/** What another try of the cluster does not cure. */
const NEVER: ReadonlySet<string> = new Set(["InvalidImageName", "ErrImageNeverPull"]);
/** Names of the program that the runtime could not start. */
const UNSTARTED: ReadonlySet<string> = new Set(["StartError", "ContainerCannotRun"]);
const QUIET: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);

/** Judges a pod by what the cluster says of it. */
export function judgePod(object: ClusterObject): PodState {
  const pod = podSchema.parse(object);
  const phase = pod.status?.phase;
  const node = pod.spec?.nodeName ?? "its node";
  const state = stateOf(pod);
  if (phase === "Failed" || phase === "Succeeded" || state?.terminated !== undefined) return judgeEnd(pod, node);
  const scheduled = conditionOf(pod, "PodScheduled");
  if (scheduled?.status === "False")
    return waiting(`no node has room: ${sayOf(scheduled)}`, { isPlaced: false, isNoteworthy: true });
  return judgeStart(pod, { node, isRunning: phase === "Running", ...state?.waiting });
}

function judgeStart(
  pod: Pod,
  said: {
    readonly node: string;
    readonly isRunning: boolean;
    readonly reason?: string | undefined;
    readonly message?: string | undefined;
  },
): PodState {
  const { node, reason = "" } = said;
  if (NEVER.has(reason)) return { kind: "unstartable", reason: sayOf(said) };
  if (said.isRunning) return { kind: "running", node };
  if (pod.spec?.nodeName === undefined)
    return waiting("no node was chosen yet", { isPlaced: false, isNoteworthy: false });
  if (reason === "" || QUIET.has(reason))
    return waiting(`${node} prepares it`, { isPlaced: true, isNoteworthy: false });
  return waiting(`${node} cannot start it yet: ${sayOf(said)}`, { isPlaced: true, isNoteworthy: true });
}

/** Why a pod goes, where the cluster says it: its node is emptied, or gone, or somebody else's need was greater. */
export function disruptionOf(object: ClusterObject): string | undefined {
  const pod = podSchema.parse(object);
  const condition = conditionOf(pod, "DisruptionTarget");
  if (condition?.status === "True") return sayOf(condition);
  const ready = conditionOf(pod, "Ready");
  if (ready?.status === "False" && ready.reason === "NodeNotReady")
    return `${pod.spec?.nodeName ?? "its node"} does not answer`;
  return object.metadata.deletionTimestamp === undefined ? undefined : "its pod is being deleted";
}

function judgeEnd(pod: Pod, node: string): PodState {
  const { status } = pod;
  const disruption = conditionOf(pod, "DisruptionTarget");
  if (disruption?.status === "True") return lost(`${node}: ${sayOf(disruption)}`);
  if (status?.reason === "DeadlineExceeded")
    return { kind: "failed", how: "reached its deadline", advice: "Ask whoever set activeDeadlineSeconds." };
  if (status?.reason !== undefined) return lost(`${node}: ${sayOf(status)}`);
  const end = stateOf(pod)?.terminated;
  return end === undefined ? lost(`its pod on ${node} ended, and nothing says how`) : judgeContainer(end, node);
}

function judgeContainer(end: z.infer<typeof ended>, node: string): PodState {
  const { reason = "", message = reason } = end;
  if (reason === "OOMKilled")
    return {
      kind: "failed",
      how: `took more memory than its pod has on ${node} (OOMKilled)`,
      advice: "Ask for more: resources: { memory: … } of the step.",
    };
  if (UNSTARTED.has(reason)) return { kind: "unstartable", reason: message };
  return { kind: "lost", reason: `its wrapper on ${node} ended with ${exitOf(end)} and no result`, isOwn: true };
}

function lost(reason: string): PodState {
  return { kind: "lost", reason, isOwn: false };
}

function stateOf({ status }: Pod): ContainerState | undefined {
  return status?.containerStatuses?.[0]?.state;
}

function exitOf({ exitCode, signal }: z.infer<typeof ended>): string {
  return signal === undefined || signal === 0 ? `exit code ${exitCode}` : `signal ${signal}`;
}

function waiting(reason: string, of: { readonly isPlaced: boolean; readonly isNoteworthy: boolean }): PodState {
  return { kind: "waiting", reason, ...of };
}

function conditionOf(
  { status }: Pod,
  type: string,
): NonNullable<NonNullable<Pod["status"]>["conditions"]>[number] | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

function sayOf({
  reason,
  message,
}: {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}): string {
  const words = [reason, message].filter((text) => text !== undefined && text !== "");
  return words.join(": ") || "the cluster gives no reason";
}

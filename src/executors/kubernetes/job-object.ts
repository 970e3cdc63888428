import { createHash } from "node:crypto";
import type { ProcessSpec } from "#pipeline";
import { attemptOf } from "../attempt-of.ts";
import type { ClusterObject } from "./cluster-object.ts";

const MIB = 1024 ** 2;
/** What the wrapper itself takes beside its step. */
const WRAPPER_BYTES = 256 * MIB;
const LONGEST_SLUG = 40;
/** A pod whose task is gone, or whose job was made twice, ends by itself. */
const IDLE_S = 60;
/** How long a pod may take to end what it runs, beyond the step's own time for that. */
const ENDING_S = 20;
const DEFAULT_GRACE_MS = 10_000;
const WORK_FOLDER = "/esteira";

/** On every job and pod: name of the job, and of which attempt it is. */
export const TASK_LABEL = "esteira/task";
export const ATTEMPT_LABEL = "esteira/attempt";

/** What an executor gives all its pods. */
export interface PodSettings {
  readonly namespace: string;
  readonly image: string;
  readonly command: string;
  readonly serviceAccount: string | undefined;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly object[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly imagePullSecrets: readonly string[];
  readonly priorityClass: string | undefined;
  readonly user: number | undefined;
  /** As `esteira worker` takes it. */
  readonly isolation: string;
  /** Resource that stands for a graphics processor. */
  readonly gpu: string;
  /** How long the cluster keeps jobs that have ended. */
  readonly keepMs: number;
}

export interface JobRequest {
  readonly project: string;
  readonly executor: string;
  readonly spec: ProcessSpec;
  /** Of its worker: it takes what carries this, and nothing else. */
  readonly taskLabel: string;
  readonly url: string;
  readonly pod: PodSettings;
}

/** The same for the same process, whoever asks: a second job of it cannot be made. */
export function nameOfJob({ project, executor, id }: { project: string; executor: string; id: string }): string {
  const slug = id.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const digest = createHash("sha256")
    .update(JSON.stringify([project, executor, id]))
    .digest("hex");
  return `esteira-${slug.slice(0, LONGEST_SLUG).replace(/-$/, "")}-${digest.slice(0, 10)}`;
}

/** What finds every job and pod of an executor, or of one attempt there. */
export function selectorOf(of: {
  readonly project: string;
  readonly executor: string;
  readonly attemptId?: string;
}): string {
  const { attemptId } = of;
  const attempt = attemptId === undefined ? {} : { [ATTEMPT_LABEL]: toLabelValue(attemptId) };
  return Object.entries({ ...ownLabels(of), ...attempt })
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}

function ownLabels({
  project,
  executor,
}: {
  readonly project: string;
  readonly executor: string;
}): Record<string, string> {
  return {
    "app.kubernetes.io/managed-by": "esteira",
    "esteira/project": toLabelValue(project),
    "esteira/executor": executor,
  };
}

function toLabelValue(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9_.-]/g, "-")
    .slice(0, 63)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
}

/** The job of one process: its pod runs a worker that takes one task. Nothing of the task stands in it. */
export function toJob({ project, executor, spec, taskLabel, url, pod }: JobRequest): ClusterObject {
  const name = nameOfJob({ project, executor, id: spec.attemptId });
  const { environment, gracePeriodMs = DEFAULT_GRACE_MS } = spec;
  const labels = {
    ...pod.labels,
    ...ownLabels({ project, executor }),
    [TASK_LABEL]: name,
    [ATTEMPT_LABEL]: toLabelValue(attemptOf(spec.attemptId)),
  };
  const annotations = {
    ...pod.annotations,
    "esteira/step": `${environment["ESTEIRA_PIPELINE"] ?? ""}.${environment["ESTEIRA_STEP"] ?? ""}`,
  };
  const words = ["--url", url, "--name", name, "--executor", executor, "--labels", taskLabel];
  const bounds = [
    "--max-tasks",
    "1",
    "--idle",
    String(IDLE_S),
    "--folder",
    WORK_FOLDER,
    "--isolation",
    pod.isolation,
    "--json",
    ...sharesOf(spec),
  ];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: pod.namespace, labels, annotations },
    spec: {
      // Tries again are the engine's.
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      ttlSecondsAfterFinished: Math.ceil(pod.keepMs / 1000),
      template: {
        metadata: { labels, annotations },
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: Math.ceil(gracePeriodMs / 1000) + ENDING_S,
          automountServiceAccountToken: pod.serviceAccount !== undefined,
          enableServiceLinks: false,
          ...placeOf(pod),
          securityContext: {
            seccompProfile: { type: "RuntimeDefault" },
            ...(pod.user === undefined ? {} : { runAsNonRoot: true, runAsUser: pod.user, fsGroup: pod.user }),
          },
          containers: [
            {
              name: "step",
              image: pod.image,
              command: [pod.command, "worker", ...words, ...bounds],
              env: [
                { name: "ESTEIRA_TOKEN", valueFrom: { secretKeyRef: { name, key: "token" } } },
                { name: "HOME", value: WORK_FOLDER },
              ],
              resources: resourcesOf(spec, pod.gpu),
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
              volumeMounts: [{ name: "work", mountPath: WORK_FOLDER }],
            },
          ],
          volumes: [{ name: "work", emptyDir: {} }],
        },
      },
    },
  };
}

/** Its worker counts what the pod has, not what the node has. */
function sharesOf({ resources }: ProcessSpec): readonly string[] {
  const { cpus = 1, gpus = 0, memoryBytes } = resources ?? {};
  const memory = memoryBytes === undefined ? [] : ["--memory", `${Math.ceil(memoryBytes / MIB)} MiB`];
  return ["--cpus", String(cpus), "--gpus", String(gpus), ...memory];
}

function placeOf(pod: PodSettings): Readonly<Record<string, unknown>> {
  return {
    ...(pod.serviceAccount === undefined ? {} : { serviceAccountName: pod.serviceAccount }),
    ...(pod.priorityClass === undefined ? {} : { priorityClassName: pod.priorityClass }),
    ...(Object.keys(pod.nodeSelector).length === 0 ? {} : { nodeSelector: pod.nodeSelector }),
    ...(pod.tolerations.length === 0 ? {} : { tolerations: pod.tolerations }),
    ...(pod.imagePullSecrets.length === 0 ? {} : { imagePullSecrets: pod.imagePullSecrets.map((name) => ({ name })) }),
  };
}

/** A step that says nothing counts as one processor, and has no bound. */
function resourcesOf({ resources }: ProcessSpec, gpu: string): object {
  const { cpus, gpus = 0, memoryBytes } = resources ?? {};
  const memory = memoryBytes === undefined ? {} : { memory: `${Math.ceil((memoryBytes + WRAPPER_BYTES) / MIB)}Mi` };
  const devices = gpus === 0 ? {} : { [gpu]: String(gpus) };
  const bounds = { ...(cpus === undefined ? {} : { cpu: String(cpus) }), ...memory, ...devices };
  return {
    requests: { cpu: String(cpus ?? 1), ...memory, ...devices },
    ...(Object.keys(bounds).length === 0 ? {} : { limits: bounds }),
  };
}

/** Holds the token of a job's pod; it goes with the job. */
export function toSecret(job: ClusterObject, token: string): ClusterObject {
  const { name, namespace, labels, uid = "" } = job.metadata;
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: {
      name,
      namespace,
      labels,
      ownerReferences: [{ apiVersion: job.apiVersion, kind: job.kind, name, uid }],
    },
    stringData: { token },
  };
}

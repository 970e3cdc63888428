// Jobs and pods of the stub of a cluster (kubernetes-stub.ts): what the job controller, the scheduler and a kubelet do,
// as far as executors rely on it. A pod's command really runs, as a process of this machine: images are names.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

type Value = ReturnType<typeof JSON.parse>;

/** Of the stub's store. */
export interface PodHost {
  find(kind: string, name: string): Value;
  all(kind: string): readonly Value[];
  create(kind: string, object: Value): Value;
  /** Writes an object that was changed. */
  touch(kind: string, name: string): void;
  drop(kind: string, name: string): void;
}

export interface PodNode {
  readonly name: string;
  readonly cpus: number;
  readonly gpus?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Started {
  readonly process: ChildProcess;
  readonly folder: string;
  log: string;
  /** What the kubelet says of its end, where it knows better. */
  reason: string | undefined;
}

export interface PodRunner {
  /** A job was made. */
  start(job: Value): void;
  /** A pod is deleted: its process is asked to end, and killed after its time. */
  remove(pod: Value): void;
  /** Nodes came, or got larger. */
  reschedule(): void;
  logOf(pod: string): string;
  /** Kills a pod's wrapper, as the kernel does for memory, or anybody else. */
  kill(pod: string, how?: { readonly reason?: string }): void;
  /** The node's pods go to make room; the API says why. */
  evict(pod: string): void;
  /** The node and all that ran on it is gone, and nobody says so. */
  loseNode(name: string): void;
  stop(): void;
}

const BACK_OFF_MS = 60;

export function createPodRunner(
  host: PodHost,
  { folder, nodes }: { readonly folder: string; readonly nodes: readonly PodNode[] },
): PodRunner {
  const running = new Map<string, Started>();
  const logs = new Map<string, string>();
  const gone = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  let isStopped = false;

  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isStopped) work();
    }, ms);
    timers.add(timer);
  };
  const podOf = (name: string): Value => host.find("Pod", name);
  const setStatus = (name: string, status: Value): void => {
    const pod = podOf(name);
    if (pod === undefined) return;
    pod.status = { ...pod.status, ...status };
    host.touch("Pod", name);
  };
  const askedOf = (pod: Value, name: string): number =>
    pod.spec.containers.reduce((sum: number, one: Value) => sum + Number(one.resources?.requests?.[name] ?? 0), 0);
  const isOver = (pod: Value): boolean => ["Succeeded", "Failed"].includes(pod.status?.phase);
  const usedOn = (node: string, name: string): number =>
    host
      .all("Pod")
      .filter((pod) => pod.spec?.nodeName === node && !isOver(pod))
      .reduce((sum, pod) => sum + askedOf(pod, name), 0);

  const schedule = (): void => {
    for (const pod of host
      .all("Pod")
      .filter((one) => one.spec?.containers && one.spec.nodeName === undefined && !isOver(one))) {
      const reasons: string[] = [];
      const node = nodes.find((one) => {
        if (gone.has(one.name)) return void reasons.push("node(s) had untolerated taint");
        const wanted = Object.entries(pod.spec.nodeSelector ?? {});
        if (wanted.some(([key, value]) => one.labels?.[key] !== value))
          return void reasons.push("node(s) didn't match Pod's node affinity/selector");
        if (usedOn(one.name, "cpu") + askedOf(pod, "cpu") > one.cpus) return void reasons.push("Insufficient cpu");
        if (usedOn(one.name, "nvidia.com/gpu") + askedOf(pod, "nvidia.com/gpu") > (one.gpus ?? 0))
          return void reasons.push("Insufficient nvidia.com/gpu");
        return true;
      });
      const { name } = pod.metadata;
      if (node === undefined) {
        const message = `0/${nodes.length} nodes are available: ${reasons.map((one) => `1 ${one}`).join(", ")}.`;
        const known = pod.status?.conditions?.[0];
        if (known?.message !== message)
          setStatus(name, {
            phase: "Pending",
            conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
          });
        continue;
      }
      pod.spec.nodeName = node.name;
      setStatus(name, { phase: "Pending", conditions: [{ type: "PodScheduled", status: "True" }] });
      pull(name, 0);
    }
  };

  const wait = (name: string, reason: string, message?: string): void =>
    setStatus(name, {
      containerStatuses: [{ name: "step", restartCount: 0, state: { waiting: { reason, message } } }],
    });

  /** Pulls the image and starts the container; tries again as a kubelet does. */
  const pull = (name: string, tries: number): void => {
    const pod = podOf(name);
    if (pod === undefined || isOver(pod) || pod.metadata.deletionTimestamp !== undefined) return;
    const [container] = pod.spec.containers;
    const { image } = container;
    if (image.includes("@@")) return wait(name, "InvalidImageName", `Failed to apply default image tag "${image}"`);
    if (image.includes("absent")) {
      wait(name, tries % 2 === 0 ? "ErrImagePull" : "ImagePullBackOff", `Back-off pulling image "${image}"`);
      return later(BACK_OFF_MS, () => pull(name, tries + 1));
    }
    const missing = (container.env ?? []).find(
      ({ valueFrom }: Value) => valueFrom && host.find("Secret", valueFrom.secretKeyRef.name) === undefined,
    );
    if (missing !== undefined) {
      wait(name, "CreateContainerConfigError", `secret "${missing.valueFrom.secretKeyRef.name}" not found`);
      return later(BACK_OFF_MS, () => pull(name, tries + 1));
    }
    run(name, container);
  };

  const run = (name: string, container: Value): void => {
    const place = mkdtempSync(join(folder, "pod-"));
    const mounts = (container.volumeMounts ?? []).map(({ mountPath }: Value, index: number): [string, string] => [
      mountPath,
      join(place, `volume-${index}`),
    ]);
    const mounted = (text: string): string =>
      mounts.reduce(
        (said: string, [from, to]: [string, string]) =>
          said === from || said.startsWith(`${from}/`) ? to + said.slice(from.length) : said,
        text,
      );
    const environment = Object.fromEntries(
      (container.env ?? []).map(({ name: variable, value, valueFrom }: Value) => [
        variable,
        valueFrom === undefined
          ? mounted(value)
          : Buffer.from(
              host.find("Secret", valueFrom.secretKeyRef.name).data[valueFrom.secretKeyRef.key],
              "base64",
            ).toString(),
      ]),
    );
    const [program, ...words] = container.command.map(mounted);
    const child = spawn(program, words, {
      cwd: place,
      env: { PATH: process.env["PATH"], ...environment },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const started: Started = { process: child, folder: place, log: "", reason: undefined };
    running.set(name, started);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (started.log = (started.log + text).slice(-100_000)));
    child.once("error", (error) =>
      finish(name, {
        exitCode: 128,
        reason: "StartError",
        message: `failed to create containerd task: exec: "${program}": ${error.message}`,
      }),
    );
    child.once("close", (code, signal) => {
      if (child.pid === undefined) return;
      const exitCode = code ?? 128 + (signal === "SIGTERM" ? 15 : 9);
      finish(name, { exitCode, reason: started.reason ?? (exitCode === 0 ? "Completed" : "Error") });
    });
    if (child.pid !== undefined)
      setStatus(name, {
        phase: "Running",
        containerStatuses: [
          { name: "step", restartCount: 0, state: { running: { startedAt: new Date().toISOString() } } },
        ],
      });
  };

  const finish = (name: string, terminated: Value): void => {
    const started = running.get(name);
    running.delete(name);
    logs.set(name, started?.log ?? "");
    if (isStopped) return;
    const pod = podOf(name);
    if (pod !== undefined && !gone.has(pod.spec.nodeName)) {
      const { exitCode } = terminated;
      setStatus(name, {
        phase: exitCode === 0 ? "Succeeded" : "Failed",
        containerStatuses: [{ name: "step", restartCount: 0, state: { terminated } }],
      });
      const job = host.find("Job", pod.metadata.labels["batch.kubernetes.io/job-name"]);
      if (job !== undefined) {
        const type = exitCode === 0 ? "Complete" : "Failed";
        job.status = {
          ...(exitCode === 0 ? { succeeded: 1 } : { failed: 1 }),
          conditions: [
            { type, status: "True", reason: exitCode === 0 ? "CompletionsReached" : "BackoffLimitExceeded" },
          ],
        };
        host.touch("Job", job.metadata.name);
      }
      if (pod.metadata.deletionTimestamp !== undefined) host.drop("Pod", name);
    }
    if (started !== undefined) rmSync(started.folder, { recursive: true, force: true, maxRetries: 5 });
    schedule();
  };

  const signal = (name: string, which: NodeJS.Signals): void => {
    const pid = running.get(name)?.process.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, which);
    } catch {
      // It has ended.
    }
  };

  return {
    start(job) {
      const { name, uid } = job.metadata;
      const { metadata, spec } = job.spec.template;
      // The controller notices a moment later.
      later(5, () => {
        if (host.find("Job", name)?.metadata.uid !== uid) return;
        const labels = { ...metadata?.labels, "batch.kubernetes.io/job-name": name, "job-name": name };
        host.create("Pod", {
          metadata: {
            name: `${name}-${uid.slice(0, 5)}`,
            labels,
            annotations: metadata?.annotations,
            ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid, controller: true }],
          },
          spec: structuredClone(spec),
          status: { phase: "Pending" },
        });
        schedule();
      });
    },
    remove(pod) {
      const { name } = pod.metadata;
      if (running.get(name) === undefined && !gone.has(pod.spec?.nodeName)) {
        host.drop("Pod", name);
        return schedule();
      }
      if (pod.metadata.deletionTimestamp !== undefined) return;
      pod.metadata.deletionTimestamp = new Date().toISOString();
      host.touch("Pod", name);
      signal(name, "SIGTERM");
      later(Number(pod.spec.terminationGracePeriodSeconds ?? 30) * 1000, () => signal(name, "SIGKILL"));
    },
    reschedule: schedule,
    logOf: (pod) => running.get(pod)?.log ?? logs.get(pod) ?? "",
    kill(pod, { reason } = {}) {
      const started = running.get(pod);
      if (started !== undefined) started.reason = reason;
      signal(pod, "SIGKILL");
    },
    evict(name) {
      const pod = podOf(name);
      setStatus(name, {
        conditions: [
          ...(pod.status.conditions ?? []),
          {
            type: "DisruptionTarget",
            status: "True",
            reason: "EvictionByEvictionAPI",
            message: "Eviction API: evicting",
          },
        ],
      });
      this.remove(podOf(name));
    },
    loseNode(name) {
      gone.add(name);
      for (const pod of host.all("Pod").filter((one) => one.spec?.nodeName === name)) {
        signal(pod.metadata.name, "SIGKILL");
        if (!isOver(pod))
          setStatus(pod.metadata.name, {
            conditions: [
              ...(pod.status.conditions ?? []),
              { type: "Ready", status: "False", reason: "NodeNotReady", message: "" },
            ],
          });
      }
    },
    stop() {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
      for (const name of running.keys()) signal(name, "SIGKILL");
    },
  };
}

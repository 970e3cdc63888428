import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Executor } from "#engine";
import { type KubernetesStub, startKubernetesStub } from "./kubernetes-stub.ts";
import type { PodNode } from "./kubernetes-pods.ts";
import { openTestServer, type OpenedServer } from "./opened-server.ts";
import { temporaryFolder } from "./stores.ts";

export const NAMESPACE = "ml";

export interface ClusterServer extends OpenedServer {
  readonly stub: KubernetesStub;
  readonly cluster: Executor;
}

/** A server whose executor `cluster` is a namespace of a stub of Kubernetes. */
export async function openClusterServer(
  options: {
    readonly nodes?: readonly PodNode[];
    readonly quota?: number;
    /** Further settings of the executor, as YAML of one line each. */
    readonly settings?: readonly string[];
    readonly yaml?: string;
    readonly stub?: KubernetesStub;
    readonly prepare?: (folder: string) => Promise<void>;
    readonly start?: boolean;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Promise<ClusterServer> {
  const {
    nodes = [{ name: "one", cpus: 6 }],
    quota = Infinity,
    settings = [],
    yaml = "",
    environment,
    ...more
  } = options;
  const stub =
    options.stub ??
    (await startKubernetesStub(await temporaryFolder(), { namespace: NAMESPACE, nodes, page: 100, quota }));
  const lines = [
    `namespace: ${NAMESPACE}`,
    "kubeconfig: CLUSTER",
    ...settings,
    ...(settings.some((line) => line.startsWith("image:")) ? [] : ["image: esteira"]),
    ...(settings.some((line) => line.startsWith("command:")) ? [] : [`command: ${await writeProgram()}`]),
  ];
  const opened = await openTestServer({
    yaml: `executors:\n  cluster:\n    kubernetes:\n${lines.map((line) => `      ${line}\n`).join("")}${yaml}`,
    environment: { ESTEIRA_SECRET_CLUSTER: stub.kubeconfig(), ...environment },
    ...more,
  });
  const whole = await opened.platform.whole();
  const cluster = whole.executors.find(({ name }) => name === "cluster");
  if (cluster === undefined) throw new Error("there is no cluster");
  return { ...opened, stub, cluster };
}

/** `esteira` of these sources, as an image would have it. */
export async function writeProgram(): Promise<string> {
  const path = join(await temporaryFolder(), "esteira");
  const main = resolve(import.meta.dirname, "../../src/cli/main.ts");
  const line = `exec "${process.execPath}" --disable-warning=ExperimentalWarning "${main}" "$@"\n`;
  await writeFile(path, `#!/bin/sh\n${line}`, { mode: 0o755 });
  return path;
}

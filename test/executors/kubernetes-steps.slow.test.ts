// Steps of a server of its own on a stub of a cluster, through what happens to clusters, servers and networks.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { NAMESPACE, writeProgram } from "../setup/cluster-server.ts";
import { runEsteira } from "../setup/command-line.ts";
import { type KubernetesStub, startKubernetesStub } from "../setup/kubernetes-stub.ts";
import { startServer, type StartedServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Run {
  readonly status: string;
  readonly stepRuns: readonly { readonly attempts: readonly object[] }[];
}

async function ask<Answer>(url: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    headers: { "content-type": "application/json" },
  });
  const said: Answer = JSON.parse(await answer.text());
  assert.ok(answer.ok, JSON.stringify(said));
  return said;
}

async function ended(url: string, id: string): Promise<Run> {
  for (;;) {
    const run = await ask<Run>(url, `pipeline-runs/${id}`);
    if (["succeeded", "failed", "cancelled"].includes(run.status)) return run;
    await delay(200);
  }
}

async function until(what: () => unknown): Promise<void> {
  while (!(await what())) await delay(50);
}

const whenThere = (file: string): Promise<void> =>
  until(async () => (await readFile(file, "utf8").catch(() => "")) !== "");
const linesOf = async (file: string): Promise<number> => (await readFile(file, "utf8")).trim().split("\n").length;
const logOf = async (folder: string, id: string): Promise<string> => (await runEsteira(folder, ["logs", id])).stdout;

interface Setting {
  readonly stub: KubernetesStub;
  readonly folder: string;
  readonly began: string;
  readonly nodes: { readonly name: string; cpus: number }[];
  serve(words?: readonly string[]): Promise<StartedServer>;
}

async function open(step: (began: string) => string, lease = "60s"): Promise<Setting> {
  const nodes = [
    { name: "one", cpus: 2 },
    { name: "two", cpus: 2 },
  ];
  const stub = await startKubernetesStub(await temporaryFolder(), { namespace: NAMESPACE, nodes, page: 100 });
  const folder = await temporaryFolder();
  const began = join(folder, "began");
  await mkdir(join(folder, "pipelines"));
  await writeFile(
    join(folder, "esteira.yaml"),
    `name: p
isolation: none
executors:
  cluster:
    kubernetes:
      namespace: ${NAMESPACE}
      kubeconfig: CLUSTER
      image: esteira
      isolation: none
      command: ${await writeProgram()}
      lease: ${lease}
defaults: { executor: cluster }
`,
  );
  await writeFile(join(folder, "pipelines/slow.yaml"), `steps:\n  slow: { run: '${step(began)}' }\n`);
  const serve = async (words: readonly string[] = []): Promise<StartedServer> => {
    const server = await startServer(folder, { ESTEIRA_SECRET_CLUSTER: stub.kubeconfig() }, words);
    after(() => server.stop());
    return server;
  };
  return { stub, folder, began, nodes, serve };
}

const start = (url: string): Promise<{ readonly id: string }> => ask(url, "pipelines/slow/runs", {});

describe("steps on a cluster", { timeout: 900_000 }, () => {
  it("go on while their server is killed, which the next one takes over with its log, and leave nothing", async () => {
    const lines = [1, 2, 3, 4, 5, 6].map((number) => `line ${number}`);
    const { stub, folder, began, nodes, serve } = await open(
      (file) => `echo "$$" >> ${file}; for i in 1 2 3 4 5 6; do echo "line $i"; echo "error $i" >&2; sleep 2; done`,
    );
    for (const node of nodes) node.cpus = 0;
    const server = await serve();
    const { id } = await start(server.url);
    // A line that is none of the process: the log goes on behind what the process wrote.
    await until(async () => (await logOf(folder, id)).includes("no node has room"));
    for (const node of nodes) node.cpus = 2;
    stub.pods.reschedule();
    await whenThere(began);
    server.child.kill("SIGKILL");
    await once(server.child, "exit");
    const next = await serve(["--port", new URL(server.url).port]);
    const run = await ended(next.url, id);
    const log = await logOf(folder, id);
    assert.equal(run.status, "succeeded", log);
    assert.equal(await linesOf(began), 1, "it was started twice");
    assert.deepEqual(log.match(/line \d/g), lines);
    assert.deepEqual(
      log.match(/error \d/g),
      lines.map((line) => line.replace("line", "error")),
    );
    assert.equal(stub.made.filter(({ kind }) => kind === "Job").length, 1);
    await until(() => [...stub.all("Job"), ...stub.all("Pod"), ...stub.all("Secret")].length === 0);
  });

  it("are started again when their node is lost, their pod evicted or their wrapper killed, and go on without the cluster", async () => {
    const { stub, folder, began, serve } = await open(
      (file) => `echo "$$" >> ${file}; test -e ${file}.enough || sleep 600; echo done`,
      "10s",
    );
    const server = await serve();
    const { id } = await start(server.url);
    const running = (): string | undefined =>
      stub.all("Pod").find((pod) => pod.status?.phase === "Running" && pod.metadata.deletionTimestamp === undefined)
        ?.metadata.name;
    const whenStarted = (times: number): Promise<void> =>
      until(async () => running() !== undefined && (await linesOf(began).catch(() => 0)) === times);
    await whenStarted(1);
    stub.pods.evict(running() ?? "");
    await whenStarted(2);
    stub.pods.kill(running() ?? "");
    await whenStarted(3);
    stub.pods.loseNode(stub.find("Pod", running() ?? "").spec.nodeName);
    await until(async () => (await linesOf(began)) === 4);
    // The cluster's API is away; the step ends all the same.
    stub.setToken("another");
    stub.dropWatches();
    const log = await logOf(folder, id);
    assert.match(log, /EvictionByEvictionAPI/);
    await ask(server.url, `pipeline-runs/${id}/cancel`, {});
    const run = await ended(server.url, id);
    assert.deepEqual([run.status, run.stepRuns[0]?.attempts.length], ["cancelled", 4]);
  });

  it("are gone with their job when they are cancelled, also before they have a pod", async () => {
    const { stub, began, serve } = await open((file) => `echo "$$" >> ${file}; sleep 600`);
    const server = await serve();
    const first = await start(server.url);
    await whenThere(began);
    await ask(server.url, `pipeline-runs/${first.id}/cancel`, {});
    assert.equal((await ended(server.url, first.id)).status, "cancelled");
    await until(() => [...stub.all("Job"), ...stub.all("Pod")].length === 0);
    stub.pods.loseNode("one");
    stub.pods.loseNode("two");
    const second = await start(server.url);
    await until(() => stub.all("Pod").length === 1);
    await ask(server.url, `pipeline-runs/${second.id}/cancel`, {});
    assert.equal((await ended(server.url, second.id)).status, "cancelled");
    await until(() => [...stub.all("Job"), ...stub.all("Pod")].length === 0);
    assert.equal(await linesOf(began), 1);
  });
});

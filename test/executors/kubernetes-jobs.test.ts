// Jobs, pods and what is said of them, on a stub of a cluster (test/setup/kubernetes-stub.ts).
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError, newId } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { ProcessSpec } from "#pipeline";
import { type ClusterServer, openClusterServer } from "../setup/cluster-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Started {
  readonly id: string;
  readonly handle: ProcessHandle;
  readonly said: () => string;
}

async function start(cluster: Executor, more: Partial<ProcessSpec> = {}): Promise<Started> {
  let said = "";
  const id = more.attemptId ?? newId();
  const handle = await cluster.submit(
    {
      attemptId: id,
      command: { shell: "echo begun; sleep 60" },
      workingFolder: await temporaryFolder(),
      environment: {},
      ...more,
    },
    (_, text) => void (said += text),
  );
  handle.ended.catch(() => {});
  return { id, handle, said: () => said };
}

async function until(what: () => unknown): Promise<void> {
  while (!what()) await delay(20);
}

const lost = (reason: RegExp) => (error: unknown) =>
  isEsteiraError(error, "PIPELINE_PLACE_LOST") && reason.test(error.message);
const unstartable = (reason: RegExp) => (error: unknown) =>
  isEsteiraError(error, "EXECUTORS_POD_UNSTARTABLE") && reason.test(error.message);
const podOf = ({ stub }: ClusterServer): string => stub.all("Pod")[0].metadata.name;

describe("jobs of a cluster", { timeout: 900_000 }, () => {
  it("ask for what the step asks, carry what the executor says, and hold no token", async () => {
    const { cluster, stub } = await openClusterServer({
      nodes: [{ name: "small", cpus: 1 }],
      settings: [
        "service_account: trainer",
        "node_selector: { pool: gpu }",
        "tolerations: [{ key: gpu, operator: Exists, effect: NoSchedule }]",
        "labels: { team: forecasts }",
        "image_pull_secrets: [registry]",
        "user: 1000",
        "url: https://esteira.example.com",
      ],
    });
    const { handle, id } = await start(cluster, {
      resources: { cpus: 4, gpus: 2, memoryBytes: 2 * 1024 ** 3 },
      environment: { PASSWORD: "hunter2", ESTEIRA_PIPELINE: "train", ESTEIRA_STEP: "fit" },
      secrets: ["hunter2"],
    });
    const [job, secret] = stub.made;
    assert.deepEqual([job.kind, secret.kind, stub.made.length], ["Job", "Secret", 2]);
    const { spec, metadata } = job;
    assert.deepEqual(
      [spec.backoffLimit, spec.ttlSecondsAfterFinished, spec.template.spec.restartPolicy],
      [0, 3600, "Never"],
    );
    const [container] = spec.template.spec.containers;
    const asked = { cpu: "4", memory: "2304Mi", "nvidia.com/gpu": "2" };
    assert.deepEqual(container.resources, { requests: asked, limits: asked });
    assert.equal(metadata.labels["esteira/attempt"], id);
    assert.equal(metadata.labels.team, "forecasts");
    assert.equal(metadata.annotations["esteira/step"], "train.fit");
    const { serviceAccountName, nodeSelector, tolerations, imagePullSecrets, securityContext } = spec.template.spec;
    assert.deepEqual(
      { serviceAccountName, nodeSelector, tolerations, imagePullSecrets, securityContext },
      {
        serviceAccountName: "trainer",
        nodeSelector: { pool: "gpu" },
        tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }],
        imagePullSecrets: [{ name: "registry" }],
        securityContext: {
          seccompProfile: { type: "RuntimeDefault" },
          runAsNonRoot: true,
          runAsUser: 1000,
          fsGroup: 1000,
        },
      },
    );
    const { token } = secret.stringData;
    assert.match(token, /^esp_esteira\.sealed/);
    const text = JSON.stringify(job);
    assert.ok(!text.includes(token) && !text.includes("hunter2"));
    assert.equal(secret.metadata.ownerReferences[0].uid, stub.find("Job", metadata.name).metadata.uid);
    await cluster.reap(handle.reference);
    assert.deepEqual([stub.all("Job"), stub.all("Secret"), stub.all("Pod")], [[], [], []]);
  });

  it("say why they wait: no room, an image that does not come, a quota", async () => {
    const full = await openClusterServer({ nodes: [{ name: "small", cpus: 1 }] });
    const waiting = await start(full.cluster, { resources: { cpus: 3 } });
    await until(() =>
      waiting.said().includes("no node has room: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."),
    );
    await waiting.handle.cancel();
    assert.equal((await waiting.handle.ended).endedBy, "cancel");

    const absent = await openClusterServer({ settings: ["image: registry/absent:1", "start: 6s"] });
    const pulling = await start(absent.cluster);
    await assert.rejects(
      pulling.handle.ended,
      unstartable(/after 6 s, one cannot start it yet: (ErrImagePull|ImagePullBackOff): Back-off pulling image/),
    );
    assert.match(pulling.said(), /ImagePull|ErrImagePull/);

    const bounded = await openClusterServer({ quota: 0 });
    const refused = await start(bounded.cluster);
    await until(() => refused.said().includes("the cluster makes no pod: FailedCreate: Error creating"));
    await bounded.cluster.reap(refused.handle.reference);
    await assert.rejects(refused.handle.ended, lost(/ended and forgotten/));
  });

  it("fail at once for an image that can be none, a program that it does not have, and a server that refuses", async () => {
    const invalid = await openClusterServer({ settings: ['image: "esteira@@1"'] });
    await assert.rejects((await start(invalid.cluster)).handle.ended, unstartable(/InvalidImageName/));
    const without = await openClusterServer({ settings: ["command: /no/such/esteira"] });
    await assert.rejects((await start(without.cluster)).handle.ended, unstartable(/exec: "\/no\/such\/esteira"/));
    const foreign = await openClusterServer();
    const strange = await openClusterServer({ settings: [`url: ${foreign.url}`] });
    await foreign.platform.access.createUser({ name: "ana", actor: "maria" });
    await assert.rejects(
      (await start(strange.cluster)).handle.ended,
      unstartable(/ended with exit code .*its last lines: .*401/s),
    );
  });

  it("tell apart what the step did and what became of its place", async () => {
    const server = await openClusterServer();
    const { cluster, stub } = server;
    const begin = async (): Promise<Started> => {
      const started = await start(cluster);
      await until(() => started.said().includes("begun"));
      return started;
    };
    const large = await begin();
    stub.pods.kill(podOf(server), { reason: "OOMKilled" });
    await assert.rejects(
      large.handle.ended,
      (error) =>
        isEsteiraError(error, "EXECUTORS_JOB_ENDED") && /more memory than its pod has on one/.test(error.message),
    );
    await cluster.reap(large.handle.reference);

    const evicted = await begin();
    stub.pods.evict(podOf(server));
    await assert.rejects(evicted.handle.ended, lost(/EvictionByEvictionAPI: Eviction API: evicting/));
    await cluster.reap(evicted.handle.reference);

    const killed = await begin();
    stub.pods.kill(podOf(server));
    await assert.rejects(killed.handle.ended, lost(/its wrapper on one ended with exit code 137 and no result/));
    await cluster.reap(killed.handle.reference);

    const deleted = await begin();
    stub.remove("Job", stub.all("Job")[0].metadata.name);
    await assert.rejects(deleted.handle.ended, lost(/deleted/));
    await cluster.reap(deleted.handle.reference);
    assert.deepEqual(await cluster.outliving?.list(), []);
    assert.deepEqual(await cluster.workers?.(), []);
  });

  it("are made once: a second submission finds the job, and nobody else's is taken for it", async () => {
    const { cluster, stub } = await openClusterServer({ nodes: [{ name: "small", cpus: 1 }] });
    const resources = { cpus: 2 };
    const first = await start(cluster, { resources });
    first.handle.leave?.();
    await assert.rejects(first.handle.ended, lost(/left it to another/));
    const again = await start(cluster, { attemptId: first.id, resources });
    assert.equal(stub.made.filter(({ kind }) => kind === "Job").length, 1);
    const posts = stub.requests.filter((line) => line.startsWith("POST") && line.includes("/jobs"));
    assert.equal(posts.length, 2, "the second was answered 409");
    assert.deepEqual(await cluster.outliving?.list(), [first.id]);
    const { name } = stub.all("Job")[0].metadata;
    await cluster.reap(again.handle.reference);
    // A job of this name that is not of this attempt.
    stub.create("Job", { metadata: { name, labels: {} }, spec: { template: { spec: { containers: [] } } } });
    await assert.rejects(start(cluster, { attemptId: first.id, resources }), (error) =>
      isEsteiraError(error, "EXECUTORS_JOB_FOREIGN"),
    );
    assert.equal(stub.all("Job").length, 1, "it was left alone");
  });

  it("are seen again after the watch broke, its place was forgotten, and the cluster was away", async () => {
    const { cluster, stub } = await openClusterServer({ settings: ["image: registry/absent:1"] });
    const started = await start(cluster);
    await until(() => stub.openWatches === 1 && stub.all("Pod").length === 1);
    stub.forgetHistory();
    stub.dropWatches();
    await until(
      () => stub.requests.filter((line) => line.includes("/pods?") && !line.includes("watch=true")).length >= 2,
    );
    stub.failNext(8, 503);
    stub.dropWatches();
    await until(() => stub.openWatches === 1);
    stub.remove("Pod", stub.all("Pod")[0].metadata.name);
    await assert.rejects(started.handle.ended, lost(/deleted/));
    await cluster.reap(started.handle.reference);
  });

  it("have a token that takes their own task, and only while that is kept", async () => {
    const server = await openClusterServer({ nodes: [{ name: "small", cpus: 1 }] });
    const { cluster, stub, url } = server;
    const resources = { cpus: 2 };
    const [one, two] = [await start(cluster, { resources }), await start(cluster, { resources })];
    const token: string = stub.made.find(({ kind }) => kind === "Secret").stringData.token;
    const ask = (path: string, body: object, bearer: string): Promise<Response> =>
      fetch(`${url}/${path}`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
      });
    const card = { name: "greedy", host: "h", version: "0", offer: { cpus: 64, gpus: 0, memoryBytes: 0 }, labels: [] };
    const { worker } = JSON.parse(await (await ask("workers", card, token)).text());
    const free = { cpus: 64, gpus: 0, memoryBytes: 0 };
    const wish = { tasks: [], givenUp: [], free, most: 10, waitMs: 0 };
    const answer = JSON.parse(await (await ask(`workers/${worker}/sync`, wish, token)).text());
    assert.deepEqual(
      answer.start.map(({ id }: { id: string }) => id),
      [one.id],
    );
    const api = await fetch(`${url}/api/v1/pipelines`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(api.status, 403);
    const other = token.replace(/(?<=:)[^:]*$/, (hidden) =>
      hidden.replace(/^./, (first) => (first === "A" ? "B" : "A")),
    );
    for (const forged of [
      other,
      'esp_{"project":"p","task":"x"}',
      "esp_",
      `esp_${JSON.stringify({ project: "p", task: one.id })}`,
    ])
      assert.equal((await ask("workers", card, forged)).status, 401, forged);
    await ask(`workers/${worker}/sync`, { ...wish, givenUp: [{ id: one.id, token: answer.start[0].token }] }, token);
    await assert.rejects(one.handle.ended, lost(/./));
    await cluster.reap(one.handle.reference);
    assert.equal((await ask("workers", card, token)).status, 401);
    await cluster.reap(two.handle.reference);
  });

  it("need a cluster that can be reached, and say what is missing of it", async () => {
    const unset = await openClusterServer({ environment: { ESTEIRA_SECRET_CLUSTER: "" } });
    await assert.rejects(
      unset.cluster.offer(),
      (error) =>
        isEsteiraError(error, "EXECUTORS_KUBECONFIG_INVALID") && /secret CLUSTER is not set/.test(error.message),
    );
    const bounded = await openClusterServer({ settings: ["cpus: 8", "memory: 16 GiB"] });
    assert.deepEqual(await bounded.cluster.offer(), { cpus: 8, gpus: undefined, memoryBytes: 16 * 1024 ** 3 });
  });
});

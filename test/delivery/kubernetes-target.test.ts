// Code in a cluster. The cluster is a stub (test/setup/kubernetes-stub.ts): no Kubernetes runs here.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type CommandEnd, runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { type KubernetesStub, startKubernetesStub } from "../setup/kubernetes-stub.ts";
import { temporaryFolder } from "../setup/stores.ts";

const WEB = `apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data:
  release: "\${{ release.environment }} \${{ release.version }}"
---
# what runs
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: \${{ values.replicas }}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: "\${{ values.image }}"
`;
const STEP = "deploy: app, to: staging, target: cluster, manifests: k8s/*.yaml, health_timeout: 20s";

interface Project {
  readonly folder: string;
  write(path: string, text: string): Promise<void>;
  run(...words: readonly string[]): Promise<CommandEnd & { readonly said: string }>;
  /** Deploys with an image. */
  deploy(image: string): Promise<CommandEnd & { readonly said: string }>;
  readonly environment: Record<string, string>;
}

describe("a release in a cluster", { timeout: 240_000 }, async () => {
  const folder = await temporaryFolder();
  let made = 0;

  async function makeProject(stub: KubernetesStub, { step = STEP, values = "replicas: 2" } = {}): Promise<Project> {
    const at = join(folder, `project-${++made}`);
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(join(at, path, ".."), { recursive: true });
      await writeFile(join(at, path), text);
    };
    await write(
      "esteira.yaml",
      `name: shop\nenvironments: { staging: {}, locked: { sandbox: true } }\ntargets: { cluster: { kubernetes: { namespace: shop, kubeconfig: CLUSTER } } }\n`,
    );
    await write(
      "pipelines/web.yaml",
      `steps:
  app: { run: 'mkdir -p dist && cp -r k8s image.txt dist/', makes: { code: dist/ } }
  web: { ${step}, values: { image: { file: image.txt }, ${values} } }
`,
    );
    await write("k8s/web.yaml", WEB);
    const environment: Record<string, string> = { ESTEIRA_SECRET_CLUSTER: stub.kubeconfig() };
    const run: Project["run"] = async (...words) => {
      const end = await runEsteira(at, words, environment);
      const said = end.stdout + end.stderr;
      assert.ok(!said.includes(stub.token), "a token was told");
      return { ...end, said };
    };
    const deploy: Project["deploy"] = async (image) => {
      await write("image.txt", `${image}\n`);
      return run("run", "web");
    };
    return { folder: at, write, run, deploy, environment };
  }
  const namesOf = (stub: KubernetesStub): readonly string[] =>
    stub
      .all("ConfigMap")
      .map(({ metadata }) => String(metadata.name))
      .toSorted((a, b) => a.localeCompare(b));
  const imageOf = (stub: KubernetesStub): string =>
    stub.find("Deployment", "web")?.spec.template.spec.containers[0].image;

  it("is applied with its values, kept while it runs, and goes back by rollback", async () => {
    const stub = await startKubernetesStub(join(folder, "one"));
    const project = await makeProject(stub);
    const first = await project.deploy("registry/web@sha256:one");
    assert.equal(first.code, 0, first.said);
    const { said: log } = await project.run("logs", "latest", "web");
    assert.match(log, /deployment\/web: 1 of 2 updated, 2 available[^]*deployment\/web: 2 of 2 updated, 2 available/);
    const { metadata, spec } = stub.find("Deployment", "web");
    assert.equal(spec.replicas, 2);
    assert.equal(metadata.annotations["esteira/release"], "1");
    assert.equal(metadata.annotations["esteira/asset"], "app");
    assert.match(metadata.annotations["esteira/digest"], /^sha256:/);
    assert.equal(stub.find("ConfigMap", "web").data.release, "staging 1");
    const second = await project.deploy("registry/web@sha256:two");
    assert.equal(second.code, 0, second.said);
    assert.equal(imageOf(stub), "registry/web@sha256:two");
    stub.requests.length = 0;
    const again = await project.run("run", "web", "--only", "web");
    assert.equal(again.code, 0, again.said);
    assert.deepEqual(
      stub.requests.filter((one) => /^(DELETE|PATCH)/.test(one) && !one.includes("dryRun")),
      [],
    );
    const back = await project.run("rollback", "app", "--environment", "staging");
    assert.equal(back.code, 0, back.said);
    assert.equal(imageOf(stub), "registry/web@sha256:one");
    assert.equal(stub.find("Deployment", "web").metadata.annotations["esteira/release"], "1");
  });

  for (const [image, said] of [
    ["web:crash", /pod\/web-\d-x, container web: CrashLoopBackOff: it ended with 3 \(Error\)[^]*boom: cannot open/],
    ["web:absent", /pod\/web-\d-x, container web: ImagePullBackOff: Back-off pulling image/],
    ["web:stuck", /ProgressDeadlineExceeded: ReplicaSet/],
  ] as const)
    it(`is taken back when its rollout fails (${image}), and says why`, async () => {
      const stub = await startKubernetesStub(join(folder, image.replace(":", "-")));
      const project = await makeProject(stub);
      const alone = await project.deploy(image);
      assert.equal(alone.code, 1, alone.said);
      assert.match(alone.said, said);
      assert.match(alone.said, /nothing of it ran before/);
      assert.deepEqual([stub.find("Deployment", "web"), stub.find("ConfigMap", "web")], [undefined, undefined]);
      assert.equal((await project.deploy("web:good")).code, 0);
      await project.write("k8s/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\n");
      const worse = await project.deploy(image);
      assert.equal(worse.code, 1, worse.said);
      assert.match(worse.said, said);
      assert.match(worse.said, /release \d runs again/);
      assert.equal(imageOf(stub), "web:good");
      assert.equal(stub.find("ConfigMap", "more"), undefined, "what only the failed release had is gone");
    });

  it("is applied again when something of it is gone, and stops at fields that others manage, unless it is forced", async () => {
    const stub = await startKubernetesStub(join(folder, "drift"));
    const project = await makeProject(stub);
    assert.equal((await project.deploy("web:1")).code, 0);
    stub.remove("ConfigMap", "web");
    assert.equal((await project.run("run", "web", "--only", "web")).code, 0);
    assert.equal(stub.find("ConfigMap", "web").data.release, "staging 1");
    stub.edit("Deployment", "web", "kubectl-edit", ({ spec }) => (spec.replicas = 7));
    const stopped = await project.run("run", "web", "--only", "web");
    assert.equal(stopped.code, 1, stopped.said);
    assert.match(stopped.said, /deployment\/web has fields that others manage: \.spec\.replicas \(kubectl-edit\)/);
    assert.equal(stub.find("Deployment", "web").spec.replicas, 7);
    const text = await readFile(join(project.folder, "pipelines/web.yaml"), "utf8");
    await project.write(
      "pipelines/web.yaml",
      text.replace("target: cluster", "target: cluster, force_conflicts: true"),
    );
    const forced = await project.run("run", "web", "--only", "web");
    assert.equal(forced.code, 0, forced.said);
    assert.equal(stub.find("Deployment", "web").spec.replicas, 2);
  });

  it("is followed when watches end, when what they knew has expired, and while the server is busy", async () => {
    const stub = await startKubernetesStub(join(folder, "watch"));
    const project = await makeProject(stub);
    const ending = setInterval(() => {
      if (stub.openWatches === 0) return;
      if (Math.random() < 0.5) stub.forgetHistory();
      stub.dropWatches();
    }, 150);
    stub.failNext(2, 429, 1);
    const { code, said } = await project.deploy("web:slow").finally(() => clearInterval(ending));
    assert.equal(code, 0, said);
    assert.ok(stub.requests.filter((one) => one.includes("watch=true")).length > 2);
    assert.equal(stub.find("Deployment", "web").status.updatedReplicas, 2);
  });

  it("killed halfway is finished by whoever resumes it", async () => {
    const stub = await startKubernetesStub(join(folder, "kill"));
    const project = await makeProject(stub);
    assert.equal((await project.deploy("web:1")).code, 0);
    for (const moment of [
      /PATCH .*configmaps\/web.*force=false$/,
      /PATCH .*deployments\/web.*force=false$/,
      /watch=true/,
    ]) {
      const image = `web:slow-${String(moment).length}`;
      await project.write("image.txt", image);
      stub.requests.length = 0;
      const { child, ended } = startEsteira(project.folder, ["run", "web"], project.environment);
      while (!stub.requests.some((one) => moment.test(one))) await delay(5);
      signalGroup(child, "SIGKILL");
      await ended;
      assert.ok(["web:1", image].includes(imageOf(stub)) || imageOf(stub).startsWith("web:slow"));
      const after = await project.run("run", "web");
      assert.equal(after.code, 0, after.said);
      assert.equal(imageOf(stub), image);
      assert.equal(stub.find("Deployment", "web").status.updatedReplicas, 2);
    }
  });

  it("leaves its namespace for nothing, and values are no structure", async () => {
    const stub = await startKubernetesStub(join(folder, "hostile"));
    const project = await makeProject(stub, { values: 'replicas: 2, text: "x\\nkind: Secret\\n---\\nkind: Pod"' });
    await project.write("image.txt", "web:1");
    const map = (more: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more${more} }\n`;
    for (const [manifest, problem] of [
      [map(", namespace: kube-system"), /names the namespace "kube-system"/],
      [
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: { name: all }\nrules: []\n",
        /clusterrole\/all belongs to the whole cluster/,
      ],
      [map(', labels: { "esteira/owner": x }'), /has esteira\/owner, which only esteira writes/],
      [map("") + 'data: { a: "${{ values.missing }}" }', /values\.missing \}\} is not known/],
      [map("") + "---\n" + map(""), /stands there twice/],
      ["apiVersion: v1\nkind: ../../Secret\nmetadata: { name: x }\n", /the cluster knows no \.\.\/\.\.\/Secret/],
      ["apiVersion: v1\nkind: Secret\nmetadata: { name: ../x }\n", /a name that Kubernetes does not allow/],
    ] as const) {
      await project.write("k8s/more.yaml", manifest);
      const { code, said } = await project.run("run", "web");
      assert.equal(code, 1, said);
      assert.match(said, problem);
      assert.equal(stub.find("Deployment", "web"), undefined);
    }
    await project.write("k8s/more.yaml", map("") + 'data: { text: "${{ values.text }}" }');
    assert.equal((await project.run("run", "web")).code, 0);
    assert.match(stub.find("ConfigMap", "more").data.text, /kind: Secret\n---/);
    const text = await readFile(join(project.folder, "pipelines/web.yaml"), "utf8");
    await project.write(
      "pipelines/web.yaml",
      text.replace("k8s/*.yaml", "../../*.yaml").replace("to: staging", "to: staging, restart: x"),
    );
    assert.match((await project.run("lint")).said, /expected a path below[^]*|"restart" is for hosts/);
  });

  it("deletes what a release has no more, if asked, and never what was there before", async () => {
    const stub = await startKubernetesStub(join(folder, "prune"));
    stub.create("ConfigMap", { metadata: { name: "old" }, data: { kept: "yes" } });
    const project = await makeProject(stub, { step: `${STEP}, prune: true` });
    await project.write(
      "k8s/more.yaml",
      ["old", "new"].map((name) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`).join("---\n"),
    );
    assert.equal((await project.deploy("web:1")).code, 0);
    assert.deepEqual(namesOf(stub), ["new", "old", "web"]);
    await project.write("k8s/more.yaml", "apiVersion: v1\nkind: Secret\nmetadata: { name: new }\n");
    const { code, said } = await project.run("run", "web");
    assert.equal(code, 0, said);
    assert.deepEqual(namesOf(stub), ["old", "web"]);
    assert.equal(stub.find("ConfigMap", "old").data.kept, "yes");
    assert.ok(stub.find("Secret", "new"));
  });

  it("says that a token has expired, without it, and goes on with a new one", async () => {
    const stub = await startKubernetesStub(join(folder, "token"));
    const project = await makeProject(stub);
    const before = stub.token;
    stub.setToken("another-token-0123456789");
    const { code, said } = await project.deploy("web:1");
    assert.equal(code, 1, said);
    assert.match(said, /\(401: Unauthorized\)[^]*no longer, valid/);
    assert.ok(!said.includes(before));
    project.environment["ESTEIRA_SECRET_CLUSTER"] = stub.kubeconfig();
    assert.equal((await project.run("run", "web")).code, 0);
  });
});

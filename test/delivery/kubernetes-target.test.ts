// Code in a cluster. The cluster is a stub (test/setup/kubernetes-stub.ts): no Kubernetes runs here.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type CommandEnd, runEsteira } from "../setup/command-line.ts";
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
  const imageOf = (stub: KubernetesStub): string =>
    stub.find("Deployment", "web")?.spec.template.spec.containers[0].image;

  it("is applied with its values, kept while it runs, goes back by rollback, and is applied again when it was changed", async () => {
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
    const again = await project.run("run", "web");
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
});

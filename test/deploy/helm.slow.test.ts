// What Helm and Kubernetes make of deploy/helm/esteira: Helm's own SDK renders it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { readServerRoles } from "#server";
import { testPython } from "../setup/python-environment.ts";

const CHART = resolve(import.meta.dirname, "../../deploy/helm/esteira");
const PACKAGES = ["helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0", "pyyaml"];
/** The oldest that the chart says it runs on, and the newest that there are schemas of. */
const KUBERNETES = ["1.27", "1.37"] as const;

const containerSchema = z.looseObject({
  command: z.array(z.string()),
  args: z.array(z.string()),
  readinessProbe: z.looseObject({}).optional(),
  livenessProbe: z.looseObject({}).optional(),
  resources: z.looseObject({ limits: z.looseObject({ memory: z.string() }) }).optional(),
  securityContext: z.looseObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.looseObject({ drop: z.tuple([z.literal("ALL")]) }),
  }),
  volumeMounts: z.array(z.looseObject({ name: z.string() })),
});
const podSchema = z.looseObject({
  automountServiceAccountToken: z.literal(false),
  securityContext: z.looseObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.number().min(1),
    seccompProfile: z.looseObject({ type: z.literal("RuntimeDefault") }),
  }),
  containers: z.array(containerSchema).length(1),
  volumes: z.array(z.looseObject({ name: z.string() })),
});
const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()) }),
  spec: z.looseObject({}).optional(),
});
type KubernetesObject = z.infer<typeof objectSchema>;
const answerSchema = z.strictObject({
  lint: z.array(z.unknown()),
  rendered: z.array(
    z.union([
      z.strictObject({ refused: z.string() }),
      z.strictObject({ objects: z.array(objectSchema), problems: z.array(z.string()) }),
    ]),
  ),
});

const CASES = {
  defaults: {},
  everything: {
    image: { repository: "registry.example.com:5000/ml/esteira", tag: `sha256:${"a".repeat(64)}` },
    imagePullSecrets: ["registry"],
    ingress: {
      enabled: true,
      className: "nginx",
      host: "ml.example.com",
      tlsSecretName: "tls",
      annotations: { "nginx.ingress.kubernetes.io/proxy-body-size": "64m" },
    },
    hostNames: ["ml.internal"],
    firstUser: "ana",
    secret: {
      name: "keys",
      create: true,
      values: { PGPASSWORD: 'a "quoted" one: # no comment', ESTEIRA_SECRETS_KEY: "0" },
    },
    project: { volume: { persistentVolumeClaim: { claimName: "code" } }, subPath: "harbour" },
    serving: { autoscaling: { enabled: true } },
    engine: { volume: { size: "5Gi", storageClassName: "fast" }, extraArguments: ["--sql-port=5433"] },
    networkPolicy: { enabled: true },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "gpu", operator: "Exists" }],
    podAnnotations: { "prometheus.io/scrape": "true" },
    serviceAccount: { annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/esteira" } },
  },
  withoutServing: { serving: { replicas: 0 }, ingress: { enabled: true } },
} as const;
const REFUSED = {
  unknown: { ingres: { enabled: true } },
  noEngine: { engine: { replicas: 0 } },
  tagInRepository: { image: { repository: "registry.example.com/esteira:1" } },
  twoVolumes: { project: { volume: { configMap: { name: "a" }, emptyDir: {} } } },
  lowerCaseVariable: { secret: { name: "s", create: true, values: { pgpassword: "x" } } },
} as const;

async function check(version: string, cases: readonly object[]): Promise<z.infer<typeof answerSchema>> {
  const found = await testPython(PACKAGES);
  if ("problem" in found) throw new Error(found.problem);
  const { stdout } = await promisify(execFile)(
    found.python,
    [join(import.meta.dirname, "check-chart.py"), CHART, version, JSON.stringify(cases)],
    { maxBuffer: 2 ** 26 },
  );
  return answerSchema.parse(JSON.parse(stdout));
}

describe("the chart", () => {
  let problem: string | undefined;
  let made: { readonly [Name in keyof typeof CASES]: readonly KubernetesObject[] };

  before(async () => {
    const found = await testPython(PACKAGES);
    if ("problem" in found) {
      problem = found.problem;
      return;
    }
    const { rendered } = await check(KUBERNETES[1], Object.values(CASES));
    const [defaults = [], everything = [], withoutServing = []] = rendered.map((each) =>
      "objects" in each ? each.objects : assert.fail(each.refused),
    );
    made = { defaults, everything, withoutServing };
  });

  it("is linted without a complaint, and every object is one that Kubernetes takes, from the oldest version on", async (t) => {
    if (problem !== undefined) return t.skip(problem);
    for (const version of KUBERNETES) {
      const { lint, rendered } = await check(version, Object.values(CASES));
      assert.deepEqual(lint, []);
      for (const each of rendered) assert.deepEqual("problems" in each ? each.problems : each, [], version);
    }
  });

  it("refuses values that are wrong, and says which", async (t) => {
    if (problem !== undefined) return t.skip(problem);
    const { rendered } = await check(KUBERNETES[1], Object.values(REFUSED));
    assert.deepEqual(
      Object.keys(REFUSED).filter((_, index) => !("refused" in (rendered[index] ?? {}))),
      [],
    );
    assert.match(JSON.stringify(rendered[0]), /ingres/);
  });

  it("lets no pod be root, write its image, gain rights, or speak to Kubernetes", (t) => {
    if (problem !== undefined) return t.skip(problem);
    for (const objects of Object.values(made)) {
      const pods = podsOf(objects);
      assert.ok(pods.length >= 2);
      for (const { pod, object } of pods) {
        const [container] = pod.containers;
        const volumes = [...pod.volumes.map(({ name }) => name), ...(object.kind === "StatefulSet" ? ["state"] : [])];
        assert.deepEqual(container?.volumeMounts.map(({ name }) => name).toSorted(), volumes.toSorted());
        if (object.kind === "Job") continue;
        assert.ok(container?.readinessProbe !== undefined && container.livenessProbe !== undefined);
        assert.ok(container.resources !== undefined);
      }
    }
  });

  it("gives every role to some pods, and predictions to those who answer them", (t) => {
    if (problem !== undefined) return t.skip(problem);
    for (const name of ["defaults", "withoutServing"] as const) {
      const roles = podsOf(made[name]).map(({ pod }) => {
        const words = pod.containers[0]?.args ?? [];
        return readServerRoles(words.find((word) => word.startsWith("--roles="))?.slice("--roles=".length));
      });
      assert.deepEqual(roles.flat().toSorted(), ["api", "engine", "page", "serving"], name);
    }
    assert.deepEqual(backendsOf(made.everything), {
      "/": "demo-esteira-web",
      "/endpoints": "demo-esteira-web",
      "/endpoints/": "demo-esteira-serving",
      "/get-online-features": "demo-esteira-serving",
    });
    assert.equal(backendsOf(made.withoutServing)["/endpoints/"], "demo-esteira-engine");
  });

  it("lets a service find the pods of its part, and a budget keep all but one", (t) => {
    if (problem !== undefined) return t.skip(problem);
    const labelsOf = new Map(podsOf(made.defaults).map(({ object, labels }) => [object.metadata.name, labels]));
    const selecting = made.defaults.filter(({ kind }) => kind === "Service" || kind === "PodDisruptionBudget");
    assert.equal(selecting.length, 6);
    for (const { kind, metadata, spec } of selecting) {
      const selector = z
        .union([
          z.looseObject({ matchLabels: z.record(z.string(), z.string()) }).transform(({ matchLabels }) => matchLabels),
          z.record(z.string(), z.string()),
        ])
        .parse(spec?.["selector"]);
      const labels = labelsOf.get(metadata.name);
      for (const [name, value] of Object.entries(selector)) assert.equal(labels?.[name], value, `${kind} ${name}`);
    }
  });
});

const ingressSchema = z.looseObject({
  rules: z.tuple([
    z.looseObject({
      http: z.looseObject({
        paths: z.array(
          z.looseObject({
            path: z.string(),
            backend: z.looseObject({ service: z.looseObject({ name: z.string() }) }),
          }),
        ),
      }),
    }),
  ]),
});

/** Names of services by path. */
function backendsOf(objects: readonly KubernetesObject[]): Readonly<Record<string, string>> {
  const { rules } = ingressSchema.parse(objects.find(({ kind }) => kind === "Ingress")?.spec);
  return Object.fromEntries(rules[0].http.paths.map(({ path, backend }) => [path, backend.service.name]));
}

function podsOf(objects: readonly KubernetesObject[]): readonly {
  readonly object: KubernetesObject;
  readonly pod: z.infer<typeof podSchema>;
  readonly labels: Readonly<Record<string, string>>;
}[] {
  return objects
    .filter(({ kind }) => ["Deployment", "StatefulSet", "Job"].includes(kind))
    .map((object) => {
      const { spec, metadata } = z
        .looseObject({ spec: podSchema, metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) })
        .parse(object.spec?.["template"]);
      return { object, pod: spec, labels: metadata.labels };
    });
}

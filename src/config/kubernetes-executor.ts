import { z } from "zod";
import { ISOLATION_SETTINGS } from "./project-choices.ts";
import { clusterAccessKeys, namespaceSchema, oneAccess } from "./cluster-access.ts";
import { sizeSchema, waitSchema } from "./values.ts";

const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;
const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

const objectName = z.string().regex(OBJECT_NAME, "expected the name of an object: a–z, 0–9, - and .");
const labelKey = z
  .string()
  .regex(LABEL_KEY, 'expected a key such as "team" or "example.com/team"')
  .refine((key) => !/^(esteira|batch\.kubernetes\.io)\//.test(key) && key !== "job-name", "this key is esteira's own");
const labels = z.record(labelKey, z.string().regex(LABEL_VALUE, 'expected a label\'s value such as "gpu"'));

const tolerationSchema = z
  .strictObject({
    key: z.string().max(320).optional(),
    operator: z.enum(["Exists", "Equal"]).optional(),
    value: z.string().max(63).optional(),
    effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional(),
    tolerationSeconds: z.int().min(0).optional(),
  })
  .refine(({ key, operator }) => key !== undefined || operator === "Exists", {
    error: "without a key, a toleration says operator: Exists",
    path: ["operator"],
  });

/** A namespace of a Kubernetes cluster. */
export const kubernetesExecutorSchema = z.strictObject({
  kubernetes: z
    .strictObject({
      namespace: namespaceSchema.describe("The namespace of its jobs, the only one that is looked at."),
      image: z
        .string()
        .regex(/^[\w.:/@-]{1,500}$/, 'expected an image such as "registry.example.com/esteira:1.0"')
        .describe("Image of its pods, with esteira of the server's version, and Python where steps need it."),
      command: z
        .string()
        .regex(/^(\/[\w./-]+|[\w.-]+)$/, "expected a plain name or an absolute path")
        .default("esteira")
        .describe("Program in the image: a name on its PATH, or an absolute path. Default esteira."),
      ...clusterAccessKeys,
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe(
          "Where pods reach this server. Default: the server's own address, which is only right on one machine.",
        ),
      service_account: objectName
        .optional()
        .describe(
          "Service account of the pods, whose token they then see. Default: the namespace's, without its token.",
        ),
      node_selector: labels.default({}).describe("Labels that a pod's node must have. Default none."),
      tolerations: z.array(tolerationSchema).max(50).default([]).describe("Taints that pods bear. Default none."),
      labels: labels.default({}).describe("Further labels of jobs and pods. Default none."),
      annotations: z
        .record(labelKey, z.string().max(10_000))
        .default({})
        .describe("Further annotations of jobs and pods. Default none."),
      image_pull_secrets: z
        .array(objectName)
        .max(20)
        .default([])
        .describe("Secrets of the namespace that open the image's registry. Default none."),
      priority_class: objectName.optional().describe("Priority class of the pods. Default: the cluster's."),
      user: z
        .int()
        .min(1)
        .max(2 ** 31 - 1)
        .optional()
        .describe("User id that pods run as, for namespaces that want no root. Default: the image's."),
      isolation: z
        .enum(ISOLATION_SETTINGS)
        .default("auto")
        .describe(
          "How far steps are kept from the worker in their pod: auto, the strongest that the node can do; sandbox, user, none. Default auto.",
        ),
      gpu: z
        .string()
        .regex(LABEL_KEY, 'expected a resource such as "nvidia.com/gpu"')
        .default("nvidia.com/gpu")
        .describe("Resource that stands for `gpus` of a step. Default nvidia.com/gpu."),
      cpus: z
        .int()
        .min(1)
        .max(100_000)
        .optional()
        .describe("The most that one step can have, when it is known. Default: what no node has room for waits."),
      gpus: z.int().min(0).max(10_000).optional().describe("As cpus."),
      memory: sizeSchema.optional().describe("As cpus."),
      start: waitSchema
        .default(600_000)
        .describe(
          "How long a pod that has its node may take until its step runs: pull the image, reach the server. Default 10m.",
        ),
      keep: waitSchema
        .default(3_600_000)
        .describe(
          "How long the cluster keeps jobs that have ended, when this server does not delete them. Default 1h.",
        ),
      lease: waitSchema
        .refine((ms) => ms >= 10_000, "at least 10s")
        .optional()
        .describe("How long a pod may be silent until what it runs counts as lost and is started again. Default 90s."),
    })
    .refine(...oneAccess)
    .describe(
      "Jobs of a namespace of a Kubernetes cluster, one for each process of a step, whose pods share no files with this machine.",
    ),
});

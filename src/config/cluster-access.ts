import { z } from "zod";

/** A namespace of a Kubernetes cluster. */
export const namespaceSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "expected the name of a namespace");

/** How a Kubernetes cluster is reached. */
export const clusterAccessKeys = {
  kubeconfig: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "expected the name of a secret")
    .optional()
    .describe("Name of the secret that holds a kubeconfig, or the absolute path of one."),
  in_cluster: z
    .literal(true)
    .optional()
    .describe("In place of kubeconfig: the cluster in which esteira runs, as the service account of its pod."),
  context: z.string().min(1).max(500).optional().describe("Context of the kubeconfig. Default: its current one."),
};

/** What `refine` takes: one of both. */
export const oneAccess: readonly [
  (keys: { readonly kubeconfig?: string | undefined; readonly in_cluster?: true | undefined }) => boolean,
  { readonly message: string },
] = [
  ({ kubeconfig, in_cluster: isInside }) => (kubeconfig === undefined) === (isInside === true),
  { message: "expected either kubeconfig: SECRET or in_cluster: true" },
];

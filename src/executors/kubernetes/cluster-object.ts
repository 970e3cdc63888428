import { z } from "zod";

const texts = z.record(z.string(), z.string());

/** Any object of a cluster: what is known of all, and the rest as it is. */
export const clusterObjectSchema: z.ZodType<ClusterObject> = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string().optional(),
    resourceVersion: z.string().optional(),
    generation: z.number().optional(),
    creationTimestamp: z.string().nullish(),
    deletionTimestamp: z.string().optional(),
    labels: texts.optional(),
    annotations: texts.optional(),
    ownerReferences: z.array(z.looseObject({ uid: z.string(), kind: z.string() })).optional(),
  }),
});

export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
    readonly generation?: number | undefined;
    readonly creationTimestamp?: string | null | undefined;
    readonly deletionTimestamp?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly ownerReferences?:
      | readonly { readonly uid: string; readonly kind: string; readonly [key: string]: unknown }[]
      | undefined;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** How a kind is reached, as the cluster's own discovery says. */
export interface ResourceKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** Plural, as in paths. */
  readonly resource: string;
  readonly isNamespaced: boolean;
}

/** As people name an object: `deployment/web`. */
export function nameOfObject({
  kind,
  metadata,
}: {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}): string {
  return `${kind.toLowerCase()}/${metadata.name}`;
}

/** Of every cluster: nothing has to be looked up. */
const known = (apiVersion: string, kind: string): ResourceKind => ({
  apiVersion,
  kind,
  resource: `${kind.toLowerCase()}s`,
  isNamespaced: true,
});
export const JOBS: ResourceKind = known("batch/v1", "Job");
export const PODS: ResourceKind = known("v1", "Pod");
export const SECRETS: ResourceKind = known("v1", "Secret");
export const EVENTS: ResourceKind = known("v1", "Event");

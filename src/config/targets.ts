import { z } from "zod";
import { clusterAccessKeys, namespaceSchema, oneAccess } from "./cluster-access.ts";

const ADDRESS = /^([a-z_][a-z0-9_-]{0,31})@([A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9a-f:]{2,39})(?::(\d{1,5}))?$/;

/** A host that is reached by SSH. */
export const sshHostSchema = z
  .strictObject({
    address: z.string().regex(ADDRESS, "expected USER@HOST or USER@HOST:PORT").describe("USER@HOST or USER@HOST:PORT."),
    host_key: z
      .string()
      .regex(/^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]+=*$/, 'expected "ssh-ed25519 AAAA…"')
      .describe("Its public key, as `ssh-keyscan HOST` prints it; no other is accepted."),
  })
  .transform(({ address, host_key: hostKey }) => {
    const [, user = "", name = "", port = "22"] = ADDRESS.exec(address) ?? [];
    return { user, address: name, port: Number(port), hostKey };
  });

export const sshKeySchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "expected the name of a secret")
  .describe("Name of the secret that holds the private key.");

const sshTargetSchema = z.strictObject({
  ssh: z.strictObject({
    hosts: z.array(sshHostSchema).min(1).max(100).describe("One after the other, in this order."),
    folder: z
      .string()
      .regex(/^\/(?!.*(^|\/)\.\.?(\/|$))[\w./-]+[\w-]$/, "expected an absolute folder of plain names")
      .describe("Folder on each host: `releases/`, and `current`, which leads to one of them."),
    key: sshKeySchema,
    keep: z.int().min(2).max(100).default(5).describe("Releases that stay on a host. Default 5."),
  }),
});

const kubernetesTargetSchema = z.strictObject({
  kubernetes: z
    .strictObject({
      namespace: namespaceSchema.describe("The only namespace that releases change."),
      ...clusterAccessKeys,
      cluster_kinds: z
        .array(z.string().regex(/^[A-Z][A-Za-z0-9]{0,99}$/, "expected a kind such as ClusterRole"))
        .max(50)
        .default([])
        .describe("Kinds outside namespaces that manifests may hold. Default: none."),
    })
    .refine(...oneAccess),
});

/** Where code is deployed to beside processes of this machine. */
export const targetsSchema = z
  .record(
    z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "a target's name holds a–z, 0–9 and -"),
    z.union([sshTargetSchema, kubernetesTargetSchema]),
  )
  .default({})
  .describe("Hosts and clusters that `target` of a deploy step names.");

import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { z } from "zod";
import { formatProblems, readYaml } from "#base";
import { kubeconfigInvalid } from "./kubernetes-errors.ts";

/** How a cluster is reached, and as whom. */
export interface ClusterAccess {
  /** HTTPS, without a slash at its end. */
  readonly server: string;
  /** PEM; undefined: the authorities that the system trusts. */
  readonly authority: string | undefined;
  /** True only where the kubeconfig says so: the server's certificate is not looked at. */
  readonly isInsecure: boolean;
  /** Name that the server's certificate has, where it is another than the address. */
  readonly serverName: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** Read for each request: tokens of service accounts are renewed in their file. */
  readonly token: () => Promise<string | undefined>;
}

export interface KubeconfigSource {
  /** As a project names the cluster; for messages. */
  readonly target: string;
  /** Text of a kubeconfig, or the absolute path of one: whoever starts esteira gave it. */
  readonly given: string;
  /** Default: the current one. */
  readonly context: string | undefined;
}

const clusterSchema = z.looseObject({
  server: z.string(),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.string().optional(),
  "insecure-skip-tls-verify": z.boolean().optional(),
  "tls-server-name": z.string().optional(),
  "proxy-url": z.string().optional(),
});
const userSchema = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  "client-certificate": z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key": z.string().optional(),
  "client-key-data": z.string().optional(),
});
const contextSchema = z.looseObject({ cluster: z.string(), user: z.string() });
const kubeconfigSchema = z.looseObject({
  "current-context": z.string().optional(),
  clusters: z.array(z.looseObject({ name: z.string(), cluster: clusterSchema })),
  contexts: z.array(z.looseObject({ name: z.string(), context: contextSchema })),
  users: z.array(z.looseObject({ name: z.string(), user: userSchema.nullish() })),
});

/** What would start programs, send passwords, or act as somebody else: none of it is done. */
const REFUSED: Readonly<Record<string, string>> = {
  exec: "its user starts a program (exec) for a token, and esteira starts none",
  "auth-provider": "its user has an auth-provider, which Kubernetes itself no longer knows",
  username: "its user has a name and password, which Kubernetes no longer takes",
  password: "its user has a name and password, which Kubernetes no longer takes",
  as: "its user acts as somebody else (as)",
};

/**
 * Reads how to reach a cluster.
 *
 * @throws EXECUTORS_KUBECONFIG_INVALID with what is wrong; never with a value of the file
 */
export async function readKubeconfig({ target, given, context }: KubeconfigSource): Promise<ClusterAccess> {
  const refuse = (problem: string, cure?: string): Error => kubeconfigInvalid({ target, problem, cure });
  const path = /^\/[^\n]*$/.test(given.trim()) ? given.trim() : undefined;
  // A secret that begins with a slash may be no path: it is not repeated.
  const text = path === undefined ? given : await readText(path, refuse, "the file that its secret names");
  const { value: config, problems } = readYaml(text, "kubeconfig", kubeconfigSchema);
  if (config === undefined) throw refuse(withoutValues(formatProblems(problems.slice(0, 3)), text));
  const { cluster, user } = choose(config, context, refuse);
  const readPart = async (key: string, file: unknown, data: unknown): Promise<string | undefined> => {
    if (typeof data === "string") return decode(data, key, refuse);
    return typeof file === "string" ? readText(below(file, path, key, refuse), refuse) : undefined;
  };
  const certificate = await readPart("client-certificate", user["client-certificate"], user["client-certificate-data"]);
  const key = await readPart("client-key", user["client-key"], user["client-key-data"]);
  if ((certificate === undefined) !== (key === undefined))
    throw refuse("its user has only one of client certificate and client key");
  const { token, tokenFile } = user;
  if (token === undefined && tokenFile === undefined && key === undefined)
    throw refuse("its user has no token, tokenFile or client certificate");
  const tokenPath = tokenFile === undefined ? undefined : below(tokenFile, path, "tokenFile", refuse);
  return {
    server: checkServer(cluster.server, refuse),
    authority: await readPart(
      "certificate-authority",
      cluster["certificate-authority"],
      cluster["certificate-authority-data"],
    ),
    isInsecure: cluster["insecure-skip-tls-verify"] === true,
    serverName: cluster["tls-server-name"],
    certificate,
    key,
    token: async () => (tokenPath === undefined ? token : (await readText(tokenPath, refuse)).trim()),
  };
}

/** The cluster and the user of a context, if nothing of them is refused. */
function choose(
  config: z.infer<typeof kubeconfigSchema>,
  context: string | undefined,
  refuse: Refuse,
): { readonly cluster: z.infer<typeof clusterSchema>; readonly user: z.infer<typeof userSchema> } {
  const wanted = context ?? config["current-context"] ?? "";
  const found = config.contexts.find(({ name }) => name === wanted)?.context;
  if (found === undefined) {
    const known = config.contexts.map(({ name }) => name).join(", ") || "none";
    throw refuse(
      wanted === "" ? "it has no current-context" : `it has no context "${wanted}"`,
      `Name one of its contexts (context: NAME): ${known}.`,
    );
  }
  const cluster = config.clusters.find(({ name }) => name === found.cluster)?.cluster;
  if (cluster === undefined)
    throw refuse(`its context "${wanted}" names the cluster "${found.cluster}", which is missing`);
  const named = config.users.find(({ name }) => name === found.user);
  if (named === undefined) throw refuse(`its context "${wanted}" names the user "${found.user}", which is missing`);
  const user = named.user ?? {};
  for (const [key, reason] of Object.entries(REFUSED)) if (key in user) throw refuse(reason);
  if (cluster["proxy-url"] !== undefined) throw refuse("its cluster is behind a proxy-url, which is not used");
  return { cluster, user };
}

/** Where a pod finds its cluster. */
export const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The cluster in which esteira itself runs, as its service account.
 *
 * @throws EXECUTORS_KUBECONFIG_INVALID outside a cluster
 */
export async function readServiceAccount(of: {
  readonly target: string;
  /** `KUBERNETES_SERVICE_HOST` and `_PORT`. */
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly folder?: string;
}): Promise<ClusterAccess> {
  const { target, host, port, folder = SERVICE_ACCOUNT_FOLDER } = of;
  const refuse = (problem: string): Error =>
    kubeconfigInvalid({
      target,
      problem,
      cure: "Outside a cluster, name a secret that holds a kubeconfig: kubeconfig: NAME.",
    });
  if (host === undefined) throw refuse("esteira does not run in a cluster (KUBERNETES_SERVICE_HOST is not set)");
  return {
    server: checkServer(`https://${host.includes(":") ? `[${host}]` : host}:${port ?? "443"}`, refuse),
    authority: await readText(join(folder, "ca.crt"), refuse),
    isInsecure: false,
    serverName: undefined,
    certificate: undefined,
    key: undefined,
    token: async () => (await readText(join(folder, "token"), refuse)).trim(),
  };
}

type Refuse = (problem: string, cure?: string) => Error;

function checkServer(server: string, refuse: Refuse): string {
  const url = URL.parse(server);
  if (url?.protocol !== "https:" || url.username !== "" || url.search !== "")
    throw refuse("its server is not an address that begins with https://");
  return url.href.replace(/\/+$/, "");
}

async function readText(path: string, refuse: Refuse, name: string = path): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no file";
    throw refuse(`${name} cannot be read (${code})`);
  }
}

/** Beside the kubeconfig, as kubectl does it; a text has no folder. */
function below(file: string, kubeconfig: string | undefined, key: string, refuse: Refuse): string {
  if (isAbsolute(file)) return file;
  if (kubeconfig === undefined) throw refuse(`its ${key} is a relative path, and the kubeconfig is no file`);
  return join(dirname(kubeconfig), file);
}

function decode(data: string, key: string, refuse: Refuse): string {
  const text = Buffer.from(data, "base64").toString("utf8");
  if (!text.includes("-----BEGIN ")) throw refuse(`its ${key}-data is not PEM in base64`);
  return text;
}

/** A message about a file's shape repeats no value of it. */
function withoutValues(problem: string, text: string): string {
  const values = text.match(/[A-Za-z0-9+/=_.-]{16,}/g) ?? [];
  return values.reduce((said, value) => said.replaceAll(value, "***"), problem);
}

import type { Settings } from "#config";
import { type ClusterAccess, readKubeconfig, readServiceAccount } from "#executors";

/**
 * How a cluster is reached: as the kubeconfig of a secret says, or as the service account of this pod.
 *
 * @param name of the target or executor, for messages
 * @throws EXECUTORS_KUBECONFIG_INVALID, and `missing` where the secret is not set
 */
export async function readAccess(
  name: string,
  { kubeconfig, context }: { readonly kubeconfig?: string | undefined; readonly context?: string | undefined },
  { settings, missing }: { readonly settings: Settings; readonly missing: (secret: string) => Error },
): Promise<ClusterAccess> {
  if (kubeconfig === undefined) {
    const host = settings.variable("KUBERNETES_SERVICE_HOST");
    const port = settings.variable("KUBERNETES_SERVICE_PORT");
    return readServiceAccount({ target: name, host, port });
  }
  const given = settings.secret(kubeconfig) ?? "";
  if (given.trim() === "") throw missing(kubeconfig);
  return readKubeconfig({ target: name, given, context });
}

import { defineError, type ErrorFactory } from "#base";

export const kubeconfigInvalid: ErrorFactory<{ target: string; problem: string; cure?: string | undefined }> =
  defineError("EXECUTORS_KUBECONFIG_INVALID", {
    status: 400,
    message: ({ target, problem }) => `The kubeconfig of "${target}" cannot be used: ${problem}`,
    hint: ({ cure }) =>
      cure ?? "Make one for a service account: server, certificate-authority-data and a token or client certificate.",
    solve:
      "Give a kubeconfig with a server over HTTPS, its certificate authority, and a token, `tokenFile` or client certificate. Programs (`exec`, `auth-provider`), passwords, proxies and impersonation are not used.",
  });

export const clusterUnreachable: ErrorFactory<{ server: string; what: string; reason: string }> = defineError(
  "EXECUTORS_CLUSTER_UNREACHABLE",
  {
    status: 502,
    kind: "transient",
    message: ({ server, what, reason }) => `The cluster at ${server} could not ${what}: ${reason}`,
    hint: () => "Look at the server, its certificate authority and the network: kubectl --kubeconfig FILE version.",
    solve: "Check `server` and `certificate-authority-data` of the kubeconfig, and that the cluster can be reached.",
  },
);

export const clusterRefused: ErrorFactory<{ server: string; what: string; status: number; reason: string }> =
  defineError("EXECUTORS_CLUSTER_REFUSED", {
    status: 502,
    message: ({ server, what, status, reason }) =>
      `The cluster at ${server} refused to ${what} (${status}${reason === "" ? "" : `: ${reason}`})`,
    hint: ({ status }) =>
      status === 401
        ? "The token or client certificate is not, or no longer, valid: give the kubeconfig a new one."
        : status === 403
          ? "Give the account a Role with this verb in the namespace: kubectl auth can-i --list."
          : "Mend what the cluster says of the object.",
    solve:
      "401: renew the token or certificate of the kubeconfig. 403: give its account the right in the namespace. 422 and 400: mend the manifest.",
  });

export const clusterConflict: ErrorFactory<{
  object: string;
  conflicts: readonly { readonly field: string; readonly manager: string }[];
}> = defineError("EXECUTORS_CLUSTER_CONFLICT", {
  status: 409,
  message: ({ object, conflicts }) =>
    `${object} has fields that others manage: ${conflicts.map(({ field, manager }) => `${field} (${manager})`).join(", ")}`,
  hint: () => "Leave the field out of the manifest where the other shall keep it, or set force_conflicts: true.",
  solve:
    "Leave the field out of the manifest (an autoscaler keeps `replicas`), or take it over with `force_conflicts: true` in the deploy step.",
});

export const podUnstartable: ErrorFactory<{ executor: string; job: string; reason: string }> = defineError(
  "EXECUTORS_POD_UNSTARTABLE",
  {
    status: 422,
    message: ({ executor, job, reason }) =>
      `The pod of job ${job} of executor "${executor}" cannot run the step: ${reason}`,
    hint: ({ reason }) =>
      /image/i.test(reason)
        ? "Look at image and image_pull_secrets of the executor in esteira.yaml."
        : "Look at image, command, url and service_account of the executor in esteira.yaml; kubectl describe job says more.",
    solve:
      "Give the executor an image that the cluster can pull and that holds esteira of the server's version (`command`), and a `url` at which pods reach the server.",
  },
);

export const jobForeign: ErrorFactory<{ executor: string; job: string; namespace: string }> = defineError(
  "EXECUTORS_JOB_FOREIGN",
  {
    status: 409,
    message: ({ executor, job, namespace }) =>
      `Executor "${executor}" finds a job ${job} in namespace ${namespace} that is not its own`,
    hint: () => "Look who made it: kubectl describe job. Give each installation a namespace of its own.",
    solve: "Give each installation of esteira a namespace of its own, or delete the job.",
  },
);

import { defineError, type ErrorFactory } from "#base";

export const sshFailed: ErrorFactory<{ host: string; what: string; reason: string }> = defineError(
  "EXECUTORS_SSH_FAILED",
  {
    status: 502,
    kind: "transient",
    message: ({ host, what, reason }) => `${host} could not ${what}: ${reason}`,
    hint: () => "Look at the address, the host key and the login key in esteira.yaml, by hand: ssh -v.",
    solve:
      "Check `hosts` of the target or executor in `esteira.yaml`: address, port, `host_key` (ssh-keyscan HOST), and that the host knows the login key. An executor's host also needs `esteira` (its `command`), and must allow the forwarding of ports, or name its `url`.",
  },
);

export const sshKeyMissing: ErrorFactory<{ executor: string; secret: string }> = defineError(
  "EXECUTORS_SSH_KEY_MISSING",
  {
    status: 424,
    message: ({ executor, secret }) => `Executor "${executor}" needs the secret ${secret}, and it is not set`,
    hint: ({ secret }) => `Set ESTEIRA_SECRET_${secret} to the private key, and start the server again.`,
    solve: "Set the secret that `key` of the executor names to the private key, where esteira is started.",
  },
);

export const sshUnhealthy: ErrorFactory<{ host: string; reason: string; log: string }> = defineError(
  "EXECUTORS_SSH_UNHEALTHY",
  {
    status: 502,
    message: ({ host, reason, log }) => `The release is not well on ${host}: ${reason}${log === "" ? "" : `\n${log}`}`,
    hint: () => "What ran before runs again there. Look at the restart and check commands of the deploy step.",
    solve: "Mend the release, or the `restart` and `check` commands of the deploy step; what ran before runs again.",
  },
);

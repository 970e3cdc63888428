import { defineError, type ErrorFactory } from "#base";

export const sshFailed: ErrorFactory<{ host: string; what: string; reason: string }> = defineError(
  "EXECUTORS_SSH_FAILED",
  {
    status: 502,
    kind: "transient",
    message: ({ host, what, reason }) => `${host} could not ${what}: ${reason}`,
    hint: () => "Look at the address, the host key and the login key of the target in esteira.yaml, by hand: ssh -v.",
    solve:
      "Check the target's `hosts` in `esteira.yaml`: address, port, `host_key` (ssh-keyscan HOST), and that the host knows the login key.",
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

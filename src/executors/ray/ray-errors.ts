import { defineError, type ErrorFactory } from "#base";

export const rayUnreachable: ErrorFactory<{ executor: string; address: string; reason: string }> = defineError(
  "EXECUTORS_RAY_UNREACHABLE",
  {
    status: 503,
    kind: "transient",
    message: ({ executor, address, reason }) => `Ray at ${address}, executor "${executor}", does not answer: ${reason}`,
    hint: () => "Look whether the head runs, and whether its dashboard's port is the one that esteira.yaml names.",
    solve: "Start the cluster's head with its dashboard, and name the dashboard's address (port 8265) under `ray`.",
  },
);

export const rayRefused: ErrorFactory<{ executor: string; address: string; status: number; reason: string }> =
  defineError("EXECUTORS_RAY_REFUSED", {
    status: 502,
    message: ({ executor, address, status, reason }) =>
      `Ray at ${address}, executor "${executor}", refuses the driver (${status}): ${reason}`,
    hint: () => "Look at the token of the executor, and at the version of Ray.",
    solve: "Give the executor the cluster's token by `token`, or look at what Ray says.",
  });

export const rayDriverEnded: ErrorFactory<{ executor: string; status: string; reason: string }> = defineError(
  "EXECUTORS_RAY_DRIVER_ENDED",
  {
    status: 502,
    kind: "transient",
    message: ({ executor, status, reason }) => `The driver of executor "${executor}" ended (${status}): ${reason}`,
    hint: () =>
      "Its log in Ray's dashboard says more. The head needs Python with ray, each node esteira, and both must reach the executor's url.",
    solve:
      "Read the driver's log in Ray's dashboard. Check `url`, `python` and `command` of the executor: they are of the cluster's machines.",
  },
);

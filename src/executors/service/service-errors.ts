import { defineError, type ErrorFactory } from "#base";

export const serviceUnhealthy: ErrorFactory<{
  service: string;
  reason: string;
  log: readonly string[];
  logFile: string;
}> = defineError("EXECUTORS_SERVICE_UNHEALTHY", {
  status: 502,
  message: ({ service, reason, log }) =>
    `The new release of ${service} was not taken into service: ${reason}${log.length === 0 ? "; it wrote nothing" : `; its last lines:\n${log.join("\n")}`}`,
  hint: ({ logFile }) => `What ran before still answers. The whole log: ${logFile}`,
  solve:
    "Read the log that the message names; the command must listen on $HOST:$PORT and answer the health path with 2xx.",
});

export const supervisorUnavailable: ErrorFactory<{ service: string; reason: string; log: readonly string[] }> =
  defineError("EXECUTORS_SUPERVISOR_UNAVAILABLE", {
    status: 503,
    kind: "transient",
    message: ({ service, reason, log }) =>
      `The supervisor of ${service} does not answer: ${reason}${log.length === 0 ? "" : `; its last lines:\n${log.join("\n")}`}`,
    hint: ({ log }) =>
      log.some((line) => line.includes("EADDRINUSE"))
        ? "The service's port is taken by another program: choose another one (port in the deploy step) or end that program."
        : "Try again; it is started when it is needed.",
    solve: "Try again. When the port is in use, choose another one in the deploy step.",
  });

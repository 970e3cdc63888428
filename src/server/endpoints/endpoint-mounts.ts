import { Readable } from "node:stream";
import type { MonitoringCall } from "#monitoring";
import type { ServingCall } from "#serving";
import type { Mounted } from "../routing/mount-routes.ts";

/** Predictions in three protocols. */
export function servingMounts(calls: readonly ServingCall[]): readonly Mounted[] {
  return calls.map(({ route, handler }) => ({
    route,
    answer: async ({ params, query, headers, body, caller, signal }, reply) => {
      const answer = await handler({ params, query, headers, body, caller: caller.name, signal });
      const { status, headers: answered, body: given } = answer;
      const isWhole = typeof given === "string" || given instanceof Uint8Array;
      return reply
        .code(status)
        .headers(answered)
        .send(isWhole ? given : Readable.from(given, { objectMode: false }));
    },
  }));
}

/** Labels and evaluation. */
export function monitoringMounts(calls: readonly MonitoringCall[]): readonly Mounted[] {
  return calls.map(({ route, handler }) => ({
    route,
    answer: async ({ params, body, caller }, reply) => {
      const answer = await handler({ params, body, caller: caller.name });
      return reply.code(answer.status).headers(answer.headers).send(answer.body);
    },
  }));
}

import { z } from "zod";
import { workerRoutes } from "#api";
import type { Platform } from "#app";
import { requestInvalid } from "../errors.ts";
import type { Mounted } from "../routing/mount-routes.ts";
import { parseJsonBody } from "../routing/request-body.ts";
import type { RoutedCall } from "../routing/routed-call.ts";

const logSchema = z.strictObject({ text: z.string() });

/** `/workers`: the queue of workers on other machines. */
export function workerMounts({ tasks }: Platform): readonly Mounted[] {
  return [
    {
      route: workerRoutes.registerWorker,
      answer: async (call, reply) => unstored(reply).send(await tasks.register(jsonOf(call), call.caller.name)),
    },
    {
      route: workerRoutes.syncWorker,
      answer: async (call, reply) => unstored(reply).send(await tasks.sync(workerOf(call), jsonOf(call), call.signal)),
    },
    {
      route: workerRoutes.leaveWorker,
      answer: async (call, reply) => {
        await tasks.leave(workerOf(call));
        return reply.code(204).send();
      },
    },
    {
      route: workerRoutes.readTaskFile,
      answer: async (call, reply) =>
        unstored(reply)
          .type("application/octet-stream")
          .send(await tasks.readBlob(holderOf(call), call.params["digest"] ?? "")),
    },
    {
      route: workerRoutes.writeTaskFile,
      answer: async (call, reply) => {
        await tasks.writeBlob(holderOf(call), call.params["digest"] ?? "", call.stream);
        return reply.code(204).send();
      },
    },
    {
      route: workerRoutes.appendTaskLog,
      answer: async (call, reply) => {
        const checked = logSchema.safeParse(jsonOf(call));
        if (!checked.success) throw requestInvalid({ where: "body", problems: ["expected { text }"] });
        await tasks.log(holderOf(call), { number: countOf(call, "number", 0), text: checked.data.text });
        return reply.code(204).send();
      },
    },
    {
      route: workerRoutes.endTask,
      answer: async (call, reply) => {
        await tasks.end(holderOf(call), jsonOf(call));
        return reply.code(204).send();
      },
    },
  ];
}

function jsonOf({ body }: RoutedCall): unknown {
  return parseJsonBody(body.toString("utf8"));
}

function workerOf({ params, caller }: RoutedCall): { readonly id: string; readonly actor: string } {
  return { id: params["worker"] ?? "", actor: caller.name };
}

function holderOf(call: RoutedCall): Parameters<Platform["tasks"]["readBlob"]>[0] {
  const { id: workerId, actor } = workerOf(call);
  return { workerId, actor, taskId: call.params["task"] ?? "", token: countOf(call, "token", 1) };
}

function countOf({ query }: RoutedCall, name: string, least: number): number {
  const text = query.get(name) ?? "";
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= least) return value;
  throw requestInvalid({ where: "query", problems: [`${name}: expected a whole number from ${least} on`] });
}

function unstored<Reply extends { header(name: string, value: string): Reply }>(reply: Reply): Reply {
  return reply.header("cache-control", "no-store");
}

import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { hookRoutes } from "#api";
import type { Platform } from "#app";
import { projectNotOpen, tokenWanted } from "../errors.ts";
import type { Mounted } from "../routing/mount-routes.ts";
import type { RoutedCall } from "../routing/routed-call.ts";

/**
 * `/git/PROJECT.git`: the smart HTTP protocol of git. A token is the only way in, on this machine too: whoever has none
 * is asked for one, as git's clients expect it.
 */
export function gitMounts(platform: Platform): readonly Mounted[] {
  const admit = async (headers: IncomingHttpHeaders): Promise<void> => {
    if ((headers.authorization ?? "") === "") throw tokenWanted({});
  };
  return [
    {
      route: hookRoutes.advertiseRepository,
      admit,
      answer: async (call, reply) => {
        const service = call.query.get("service") ?? "";
        if (service === "git-receive-pack") call.assertMay("run");
        const { name, protocol } = factsOf(call);
        const advertised = await repositoryOf(platform).advertise({ name, service, protocol });
        return unstored(reply).type(`application/x-${advertised.service}-advertisement`).send(advertised.body);
      },
    },
    {
      route: hookRoutes.fetchFromRepository,
      admit,
      answer: async (call, reply) => {
        const answer = await repositoryOf(platform).fetch(exchangeOf(call));
        return unstored(reply).type("application/x-git-upload-pack-result").send(Readable.from(answer));
      },
    },
    {
      route: hookRoutes.pushToRepository,
      admit,
      answer: async (call, reply) => {
        const answer = await repositoryOf(platform).receive(exchangeOf(call), call.caller.name);
        return unstored(reply).type("application/x-git-receive-pack-result").send(Readable.from(answer));
      },
    },
  ];
}

function repositoryOf({ repository }: Platform): NonNullable<Platform["repository"]> {
  if (repository === undefined) throw projectNotOpen({ what: "A repository" });
  return repository;
}

function factsOf({ params, headers }: RoutedCall): { readonly name: string; readonly protocol: string | undefined } {
  const protocol = headers["git-protocol"];
  return { name: params["repository"] ?? "", protocol: typeof protocol === "string" ? protocol : undefined };
}

function exchangeOf(call: RoutedCall): Parameters<NonNullable<Platform["repository"]>["fetch"]>[0] {
  return { ...factsOf(call), input: call.stream, signal: call.signal };
}

function unstored(reply: FastifyReply): FastifyReply {
  return reply.header("cache-control", "no-cache, max-age=0, must-revalidate").header("pragma", "no-cache");
}

import type { IncomingHttpHeaders } from "node:http";
import { hookRoutes } from "#api";
import type { Platform } from "#app";
import { PROOFS } from "#delivery";
import { projectNotOpen } from "../errors.ts";
import type { Mounted } from "../routing/mount-routes.ts";

/** Headers that a signed call of a webhook has. */
const SIGNING = ["x-esteira-delivery", "x-esteira-timestamp", "x-esteira-signature"];

/**
 * `POST /hooks/push`: signed push events of GitHub, GitLab, Gitea and Forgejo; `POST /hooks/NAME`: signed calls of
 * webhooks. The signature stands for the caller.
 */
export function hookMounts(platform: Platform): readonly Mounted[] {
  return [
    {
      route: hookRoutes.receivePush,
      // The body of an unsigned call is not read: what nobody signed cannot be right, and it may be large.
      admit: async (headers) => {
        if (PROOFS.some((name) => headers[name] !== undefined)) return;
        await receivePush(platform, {}, Buffer.alloc(0));
      },
      answer: async ({ headers, body }, reply) => {
        const answer = await receivePush(platform, headers, body);
        return reply.code(answer.status).send(answer.json);
      },
    },
    {
      route: hookRoutes.receiveWebhook,
      admit: async (headers, { name = "" }) => {
        if (SIGNING.every((each) => headers[each] !== undefined)) return;
        await receiveWebhook(platform, name, { headers: {}, body: Buffer.alloc(0) });
      },
      answer: async ({ params, headers, body }, reply) => {
        const answer = await receiveWebhook(platform, params["name"] ?? "", { headers: textsOf(headers), body });
        return reply.code(answer.status).send(answer.json);
      },
    },
  ];
}

async function receiveWebhook(
  { webhookHandler }: Platform,
  name: string,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
): Promise<{ readonly status: number; readonly json: object }> {
  if (webhookHandler === undefined) throw projectNotOpen({ what: "Receiving webhooks" });
  return webhookHandler(name, request);
}

async function receivePush(
  platform: Platform,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<{ readonly status: number; readonly json: object }> {
  const handler = await platform.pushHandler();
  if (handler === undefined) throw projectNotOpen({ what: "Receiving pushes" });
  return handler({ headers: textsOf(headers), body });
}

/** Headers that are sent once; none of those that sign is a list. */
function textsOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
}

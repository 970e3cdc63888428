import { lookup } from "node:dns/promises";
import type { IncomingMessage, RequestOptions } from "node:http";
import { isIP } from "node:net";
import { signMessage } from "#base";
import { webhookTargetRefused } from "./errors.ts";
import type { AddressCheck } from "./public-address.ts";
import type { Dress, Message } from "./ports.ts";

const TIME_LIMIT_MS = 30_000;
const LONGEST_ANSWER = 10_000;

/** What a receiver answered. */
export interface WebhookAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Sends one message, signed, to an address that the check lets through. Redirects are not followed.
 *
 * @throws MODELS_WEBHOOK_TARGET_REFUSED, and what the network says
 */
export async function send(
  message: Pick<Message, "id" | "url" | "body">,
  { secret, headers, signatureForm, authorization }: Dress,
  facts: { readonly atMs: number; readonly isAllowed: AddressCheck },
): Promise<WebhookAnswer> {
  const url = new URL(message.url);
  const { isAllowed } = facts;
  const host = hostOf(message.url);
  if (isIP(host) !== 0 && !isAllowed(host))
    throw webhookTargetRefused({ url: message.url, reason: `${host} is not a public address.` });
  const { id, body } = message;
  const timestamp = String(Math.floor(facts.atMs / 1000));
  // Most commands load this module and send nothing; the module of HTTP is half of what they would wait for.
  const { request: open } = await import(url.protocol === "https:" ? "node:https" : "node:http");
  return new Promise((resolve, reject) => {
    const request = open(
      url,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": "esteira-webhook",
          ...(authorization === undefined ? {} : { authorization }),
          ...(headers === undefined ? {} : { [headers.id]: id, [headers.timestamp]: timestamp }),
          ...(secret === undefined || headers === undefined
            ? {}
            : { [headers.signature]: signMessage({ id, timestamp, body }, secret, signatureForm) }),
        },
        signal: AbortSignal.timeout(TIME_LIMIT_MS),
        // The address that was checked is the one that is connected to: a name cannot change in between.
        lookup: checkedLookup(message.url, isAllowed),
      },
      (response: IncomingMessage) => {
        let answer = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          if (answer.length < LONGEST_ANSWER) answer += piece;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: answer.slice(0, LONGEST_ANSWER) }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/**
 * @throws MODELS_WEBHOOK_TARGET_REFUSED for an address that is not, or does not resolve to, an allowed one. A host that
 *   does not resolve now is looked at again when something is sent.
 */
export async function assertTarget(url: string, isAllowed: AddressCheck): Promise<void> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolveHost(host) : [host];
  const refused = addresses.find((address) => !isAllowed(address));
  if (refused !== undefined)
    throw webhookTargetRefused({
      url,
      reason: `${host} is ${refused === host ? "" : `${refused}, `}not a public address.`,
    });
}

type Lookup = NonNullable<RequestOptions["lookup"]>;

function checkedLookup(url: string, isAllowed: AddressCheck): Lookup {
  return (hostname, lookupOptions, done) => {
    lookup(hostname, { all: true }).then(
      (addresses) => {
        const refused = addresses.find(({ address }) => !isAllowed(address));
        const [first] = addresses;
        if (refused !== undefined || first === undefined) {
          done(
            webhookTargetRefused({
              url,
              reason: `${hostname} is ${refused?.address ?? "unknown"}, not a public address.`,
            }),
            "",
            0,
          );
        } else if (lookupOptions.all === true) done(null, addresses);
        else done(null, first.address, first.family);
      },
      (error: unknown) => done(error as Error, "", 0),
    );
  };
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

async function resolveHost(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // No name service now, or no such name yet: the check at delivery decides.
    return [];
  }
}

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { webhookTargetRefused } from "./errors.ts";
import type { Dress, Mail } from "./ports.ts";
import type { AddressCheck } from "./public-address.ts";
import type { WebhookAnswer } from "./send.ts";

const TIME_LIMIT_MS = 30_000;

/**
 * Sends one mail by SMTP, to a server whose address the check lets through; the address that was checked is the one
 * that is connected to, and the certificate is that of the name.
 *
 * @throws MODELS_WEBHOOK_TARGET_REFUSED, and what the network or the server says
 */
export async function sendMail(
  message: { readonly url: string; readonly body: string; readonly mail: Mail },
  { login }: Dress,
  isAllowed: AddressCheck,
): Promise<WebhookAnswer> {
  const { hostname, port } = new URL(message.url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const { security, from, to, subject, messageId, inReplyTo } = message.mail;
  const address = await checkedAddress(host, message.url, isAllowed);
  // Few processes send mail; the others need not load it.
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    host: address,
    port: Number(port),
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    ...(isIP(host) === 0 ? { tls: { servername: host } } : {}),
    ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: TIME_LIMIT_MS,
    greetingTimeout: TIME_LIMIT_MS,
    socketTimeout: TIME_LIMIT_MS,
    // Nothing of the message is read from files or the network.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const sent = await transport.sendMail({
      from,
      to: [...to],
      subject,
      text: message.body,
      messageId: `<${messageId}>`,
      ...(inReplyTo === undefined ? {} : { inReplyTo: `<${inReplyTo}>`, references: `<${inReplyTo}>` }),
    });
    // Some receivers may have been refused while others were taken: who was left out is told again.
    const refused = sent.rejected.map(String);
    return refused.length === 0
      ? { status: 250, body: sent.response }
      : { status: 550, body: `the server refused ${refused.join(", ")}` };
  } finally {
    transport.close();
  }
}

async function checkedAddress(host: string, url: string, isAllowed: AddressCheck): Promise<string> {
  const addresses = isIP(host) === 0 ? (await lookup(host, { all: true })).map((found) => found.address) : [host];
  const refused = addresses.find((address) => !isAllowed(address));
  const [first] = addresses;
  if (refused !== undefined || first === undefined)
    throw webhookTargetRefused({ url, reason: `${host} is ${refused ?? "unknown"}, not a public address.` });
  return first;
}

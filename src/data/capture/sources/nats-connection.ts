import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { messageOf } from "#base";
import { sourceQueryFailed, sourceSecretUnfit, sourceSignInRefused, sourceUnreachable } from "../../source-errors.ts";
import type { NatsDeclaration } from "./nats-declaration.ts";
import type { FindHost, ReachableHost } from "./reachable-host.ts";

const PORT = 4222;
const CONNECT_LIMIT_MS = 10_000;

export interface NatsDependencies {
  readonly findHost: FindHost;
  readonly secret: (name: string) => string | undefined;
}

/**
 * The first server that answers; nothing but the servers that are named is ever connected to.
 *
 * @throws DATA_SOURCE_SECRET_UNFIT, DATA_SOURCE_HOST_REFUSED, DATA_SOURCE_SIGN_IN_REFUSED, DATA_SOURCE_UNREACHABLE
 */
export async function connectNats(
  declaration: NatsDeclaration,
  of: NatsDependencies & { readonly source: string },
): Promise<NatsConnection> {
  const { connect } = await import("@nats-io/transport-node");
  const signIn = await signInOf(declaration, of);
  let last: unknown;
  for (const server of [declaration.servers].flat()) {
    const { hostname, port, isTls } = addressOf(server);
    try {
      const reachable = await of.findHost(hostname, of.source);
      return await connect({
        ...signIn,
        ...tlsOf(declaration, { reachable, isTls }),
        servers: `${reachable.family === 6 ? `[${reachable.address}]` : reachable.address}:${port}`,
        name: "esteira",
        timeout: CONNECT_LIMIT_MS,
        // What a cluster says of its other servers was not looked at.
        ignoreClusterUpdates: true,
        reconnect: false,
        resolve: false,
      });
    } catch (error) {
      last = natsError(of.source, error);
      if (last instanceof Error && codeOf(last).endsWith("REFUSED")) throw last;
    }
  }
  throw last;
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

function addressOf(server: string): { readonly hostname: string; readonly port: number; readonly isTls: boolean } {
  const [, scheme, hostname = "", port] = /^(?:(\w+):\/\/)?(\[.*\]|[^:]+)(?::(\d+))?$/.exec(server) ?? [];
  return { hostname, port: port === undefined ? PORT : Number(port), isTls: scheme === "tls" };
}

function tlsOf(
  { tls }: NatsDeclaration,
  { reachable, isTls }: { readonly reachable: ReachableHost; readonly isTls: boolean },
): Pick<ConnectionOptions, "tls"> {
  const mode = tls ?? (reachable.isPublic || isTls ? "verify" : "off");
  if (mode === "off") return { tls: null };
  // Handed on to node:tls: it is the name that a certificate is for, and not the address.
  const options = { handshakeFirst: false, servername: reachable.host, rejectUnauthorized: mode === "verify" };
  return { tls: options };
}

/** @throws DATA_SOURCE_SECRET_UNFIT */
async function signInOf(
  { auth }: NatsDeclaration,
  of: NatsDependencies & { readonly source: string },
): Promise<Pick<ConnectionOptions, "token" | "user" | "pass" | "authenticator">> {
  if (auth === undefined) return {};
  const read = (secret: string): string => {
    const value = of.secret(secret);
    if (value === undefined || value === "")
      throw sourceSecretUnfit({ source: of.source, secret, problem: "is not set" });
    return value;
  };
  const { credsAuthenticator, nkeyAuthenticator, nkeys } = await import("@nats-io/transport-node");
  const { token, user, nkey, creds } = auth;
  if (token !== undefined) return { token: read(token) };
  if (user !== undefined) return { user: user.name, pass: read(user.password) };
  const bytes = new TextEncoder().encode(read(nkey ?? creds ?? "").trim());
  try {
    if (nkey === undefined) return { authenticator: credsAuthenticator(bytes) };
    // It is wiped where it is held.
    nkeys.fromSeed(bytes.slice()).clear();
    return { authenticator: nkeyAuthenticator(bytes) };
  } catch {
    // What the library says would hold a part of it.
    throw sourceSecretUnfit({
      source: of.source,
      secret: nkey ?? creds ?? "",
      problem: nkey === undefined ? "is not the content of a .creds file" : "is not the seed of a key (SU…)",
    });
  }
}

/** What the library throws, as what it means here. */
export function natsError(source: string, error: unknown): unknown {
  if (!(error instanceof Error) || codeOf(error).startsWith("DATA_")) return error;
  const reason = [messageOf(error), ...(error.cause instanceof Error ? [error.cause.message] : [])].join(": ");
  if (/auth|nkey|credentials|jwt/i.test(`${error.name} ${reason}`) && !/permission/i.test(error.name))
    return sourceSignInRefused({ source, reason });
  if (/JetStream|Permission|InvalidArgument|InvalidName|StreamNotFound/i.test(error.name) && !/timeout/i.test(reason))
    return sourceQueryFailed({ source, reason });
  return sourceUnreachable({ source, reason });
}

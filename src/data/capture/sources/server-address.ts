import type { Problem } from "#pipeline";
import { sourceSecretUnfit } from "../../source-errors.ts";
import type { ServerDeclaration } from "./database-declaration.ts";
import type { FindHost, ReachableHost } from "./reachable-host.ts";

/** A database server, and how to sign in. Never shown: `source` is what may be said of it. */
export interface ServerAddress {
  readonly reachable: ReachableHost;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: "verify" | "unverified" | "off";
}

export interface ServerKind {
  readonly name: string;
  /** Schemes that its addresses may have, the usual one first. */
  readonly schemes: readonly string[];
  readonly port: number;
}

/** Text of a source for people: where it is, or the name of the secret that says so. */
export function describeServer({ name }: ServerKind, { url, secret }: ServerDeclaration): string {
  const parsed = url === undefined ? undefined : parseUrl(url);
  return `${name} ${parsed === undefined ? (secret ?? "") : `${parsed.host}${parsed.pathname}`}`.trim();
}

/** What is wrong with the address, without repeating what may be a secret. */
export function serverProblems(kind: ServerKind, declaration: ServerDeclaration): Problem[] {
  const { url, secret, password } = declaration;
  const at = (key: string): readonly string[] => ["capture", kind.name, key];
  const form = `${kind.schemes[0]}://USER@HOST:${kind.port}/DATABASE`;
  if ((url === undefined) === (secret === undefined))
    return [
      {
        path: ["capture", kind.name],
        message: `${kind.name} is given ${url === undefined ? "neither" : "both"} url and secret; one of them says where the database is`,
        hint: `url: ${form} with password: NAME_OF_A_SECRET, or secret: NAME of a secret that is the whole address`,
      },
    ];
  if (url === undefined)
    return password === undefined
      ? []
      : [{ path: at("password"), message: "the secret is the whole address already, with its password" }];
  const parsed = parseUrl(url);
  if (parsed === undefined || !kind.schemes.includes(parsed.protocol.slice(0, -1)) || parsed.hostname === "")
    return [{ path: at("url"), message: `the address does not have the form ${form}` }];
  if (parsed.password !== "" || [...parsed.searchParams.keys()].some((key) => /pass|secret|token|key/i.test(key)))
    return [
      {
        path: at("url"),
        message: "the address holds a password, which whoever reads the project can see",
        hint: "Take it out, change it at the database, and name a secret: password: NAME, with ESTEIRA_SECRET_NAME in the environment of esteira.",
      },
    ];
  if (parsed.search !== "")
    return [{ path: at("url"), message: "an address has no question mark; encryption is said with tls" }];
  return databaseOf(parsed) === "" ? [{ path: at("url"), message: `the address names no database: ${form}` }] : [];
}

/**
 * @param valueOf values of secrets
 * @throws DATA_SOURCE_SECRET_UNFIT, DATA_SOURCE_HOST_REFUSED, DATA_SOURCE_UNREACHABLE
 */
export async function findServer(
  kind: ServerKind,
  declaration: ServerDeclaration,
  of: { readonly source: string; readonly findHost: FindHost; readonly valueOf: (name: string) => string | undefined },
): Promise<ServerAddress> {
  const read = (secret: string): string => {
    const value = of.valueOf(secret);
    if (value === undefined || value === "")
      throw sourceSecretUnfit({ source: of.source, secret, problem: "is not set" });
    return value;
  };
  const { url, secret, password, tls } = declaration;
  const parsed = parseUrl(url ?? read(secret ?? ""));
  if (
    parsed === undefined ||
    !kind.schemes.includes(parsed.protocol.slice(0, -1)) ||
    parsed.hostname === "" ||
    databaseOf(parsed) === ""
  )
    throw sourceSecretUnfit({
      source: of.source,
      secret: secret ?? "",
      problem: `does not have the form ${kind.schemes[0]}://USER:PASSWORD@HOST:${kind.port}/DATABASE`,
    });
  const reachable = await of.findHost(parsed.hostname, of.source);
  return {
    reachable,
    port: parsed.port === "" ? kind.port : Number(parsed.port),
    user: decode(parsed.username),
    password: password === undefined ? decode(parsed.password) : read(password),
    database: databaseOf(parsed),
    tls: tls ?? (reachable.isPublic ? "verify" : "off"),
  };
}

function databaseOf({ pathname }: URL): string {
  return decode(pathname.replace(/^\//, ""));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Errors of the parser would hold the text. */
function parseUrl(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

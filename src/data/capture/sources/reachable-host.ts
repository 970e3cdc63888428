import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { createAddressCheck, isPublicAddress } from "#outbox";
import { messageOf } from "#base";
import { sourceHostRefused, sourceUnreachable } from "../../source-errors.ts";

/** A host that may be read, and the address to connect to: the name cannot change in between. */
export interface ReachableHost {
  readonly host: string;
  readonly address: string;
  readonly family: number;
  readonly isPublic: boolean;
}

/** Answers where a host is. @throws DATA_SOURCE_HOST_REFUSED, DATA_SOURCE_UNREACHABLE */
export type FindHost = (host: string, source: string) => Promise<ReachableHost>;

/**
 * Hosts of the public internet, and those that the project names.
 *
 * @param allowed names, addresses and networks (`10.1.0.0/16`)
 */
export function createFindHost(allowed: readonly string[]): FindHost {
  const isNetwork = (text: string): boolean => isIP(text.split("/")[0] ?? "") !== 0;
  const names = new Set(allowed.filter((text) => !isNetwork(text)).map((text) => text.toLowerCase()));
  const isAllowed = createAddressCheck(allowed.filter(isNetwork));
  return async (written, source) => {
    const host = written.replace(/^\[|\]$/g, "").toLowerCase();
    const found = await resolve(host, source);
    const refused = names.has(host) ? undefined : found.find(({ address }) => !isAllowed(address));
    if (refused !== undefined) throw sourceHostRefused({ source, host, address: refused.address });
    const [first] = found;
    if (first === undefined) throw sourceUnreachable({ source, reason: `${host} has no address` });
    return { host, ...first, isPublic: isPublicAddress(first.address) };
  };
}

async function resolve(
  host: string,
  source: string,
): Promise<readonly { readonly address: string; readonly family: number }[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  try {
    return await lookup(host, { all: true });
  } catch (error) {
    throw sourceUnreachable({ source, reason: messageOf(error) }, error);
  }
}

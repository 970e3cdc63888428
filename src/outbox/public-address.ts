import { BlockList, isIP, isIPv4 } from "node:net";
import { networkInvalid } from "./errors.ts";

const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  PRIVATE.addSubnet(network, prefix, "ipv4");
}
/**
 * Only 2000::/3 is global; of it, these are not: documentation, Teredo and its neighbours, 6to4 (which wraps any IPv4
 * address).
 */
const PRIVATE_6 = new BlockList();
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  PRIVATE_6.addSubnet(network, prefix, "ipv6");
}
const GLOBAL_6 = new BlockList();
GLOBAL_6.addSubnet("2000::", 3, "ipv6");

/**
 * True for addresses of the public internet: not loopback, private, link-local, shared, multicast, reserved, nor an
 * IPv6 form that wraps such an IPv4 address. Source: IANA special-purpose address registries (RFC 6890).
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  if (isIPv4(address)) return !PRIVATE.check(address, "ipv4");
  return GLOBAL_6.check(address, "ipv6") && !PRIVATE_6.check(address, "ipv6");
}

/** Whether something may be sent to an address. */
export type AddressCheck = (address: string) => boolean;

/**
 * Lets through addresses of the public internet, and those of the given networks.
 *
 * @param networks `10.1.0.0/16`, `fd00::/8`, or one address
 * @throws OUTBOX_NETWORK_INVALID
 */
export function createAddressCheck(networks: readonly string[]): AddressCheck {
  const allowed = new BlockList();
  for (const network of networks) {
    const [address = "", prefix, ...rest] = network.split("/");
    const version = isIP(address);
    const longest = version === 4 ? 32 : 128;
    const length = prefix === undefined ? longest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    if (version === 0 || rest.length > 0 || !(length <= longest)) throw networkInvalid({ network });
    allowed.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
  }
  return (address) => isPublicAddress(address) || allowed.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

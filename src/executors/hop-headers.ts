/** Headers of one connection, which a proxy does not pass on (RFC 9110 §7.6.1); in small letters. */
export const HOP_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
]);

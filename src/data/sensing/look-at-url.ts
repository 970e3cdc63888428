import type { Observation, Seen } from "#pipeline";
import { createAuthorization } from "../capture/sources/http-auth.ts";
import { createHttpClient } from "../capture/sources/http-client.ts";
import type { HttpAuth } from "../capture/sources/http-declaration.ts";
import type { FindHost } from "../capture/sources/reachable-host.ts";

const NOT_MODIFIED = 304;

/**
 * What an address answers. It is asked whether it has changed (RFC 9110, 13.1); whether it has is said by the digest of
 * what it answers: a new ETag on the same content is no change.
 *
 * @throws DATA_SOURCE_UNREACHABLE, DATA_SOURCE_SIGN_IN_REFUSED, DATA_SOURCE_QUERY_FAILED, DATA_SOURCE_HOST_REFUSED,
 *   DATA_SOURCE_SECRET_UNFIT
 */
export async function lookAtUrl(
  at: {
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly auth?: HttpAuth | undefined;
  },
  { etag, lastModified }: Seen,
  of: {
    readonly findHost: FindHost;
    readonly secret: (name: string) => string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Observation> {
  const url = new URL(at.url);
  const source = `${url.origin}${url.pathname}`;
  const { findHost, secret, signal } = of;
  const asks = etag !== undefined || lastModified !== undefined;
  const client = await createHttpClient({
    source,
    findHost,
    signal,
    origin: url.origin,
    headers: {
      accept: "*/*",
      ...at.headers,
      ...(etag === undefined ? {} : { "if-none-match": etag }),
      ...(lastModified === undefined ? {} : { "if-modified-since": lastModified }),
    },
    authorization: at.auth === undefined ? undefined : createAuthorization(at.auth, { source, valueOf: secret }),
    rate: undefined,
    log: () => undefined,
    ...(asks ? { alsoAccept: NOT_MODIFIED } : {}),
  });
  try {
    const { status, headers, bodyDigest, sizeBytes } = await client.get(url);
    if (status === NOT_MODIFIED) return { kind: "unchanged" };
    const { etag: newEtag, "last-modified": newModified } = headers;
    return {
      kind: "url",
      digest: bodyDigest,
      sizeBytes,
      ...(typeof newEtag === "string" ? { etag: newEtag } : {}),
      ...(typeof newModified === "string" ? { lastModified: newModified } : {}),
    };
  } finally {
    client.close();
  }
}

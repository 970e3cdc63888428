import { z } from "zod";
import { sourceSecretUnfit, sourceSignInRefused } from "../../source-errors.ts";
import type { HttpAuth } from "./http-declaration.ts";
import type { HttpAnswer, HttpQuestion } from "./http-client.ts";

/** What is put on a request so that the service knows who asks. */
export interface Authorization {
  dress(
    url: URL,
    ask: (url: URL, question: HttpQuestion) => Promise<HttpAnswer>,
  ): Promise<{ readonly url?: URL; readonly headers?: Readonly<Record<string, string>> }>;
  /** Forgets what can be fetched anew; false when there is nothing such. */
  renew?(): boolean;
  /** The text without the secrets. */
  mask(text: string): string;
}

/**
 * @param valueOf values of secrets
 * @throws DATA_SOURCE_SECRET_UNFIT
 */
export function createAuthorization(
  auth: HttpAuth,
  { source, valueOf }: { readonly source: string; readonly valueOf: (name: string) => string | undefined },
): Authorization {
  const known = new Set<string>();
  const read = (secret: string): string => {
    const value = valueOf(secret);
    if (value === undefined || value === "") throw sourceSecretUnfit({ source, secret, problem: "is not set" });
    if (/[\r\n]/.test(value)) throw sourceSecretUnfit({ source, secret, problem: "holds a line break" });
    known.add(value);
    return value;
  };
  const mask = (text: string): string =>
    [...known].reduce(
      (masked, secret) => masked.replaceAll(secret, "***").replaceAll(encodeURIComponent(secret), "***"),
      text,
    );
  const { bearer, basic, header, param, oauth2 } = auth;
  if (oauth2 !== undefined)
    return { ...createClientCredentials(oauth2, { source, secret: read(oauth2.client_secret), known, mask }), mask };
  if (param !== undefined) {
    const value = read(param.secret);
    return {
      async dress(url) {
        const dressed = new URL(url);
        dressed.searchParams.set(param.name, value);
        return { url: dressed };
      },
      mask,
    };
  }
  const headers =
    bearer !== undefined
      ? { authorization: `Bearer ${read(bearer)}` }
      : basic !== undefined
        ? { authorization: `Basic ${Buffer.from(`${basic.user}:${read(basic.password)}`).toString("base64")}` }
        : header === undefined
          ? {}
          : { [header.name]: read(header.secret) };
  for (const value of Object.values(headers)) known.add(value.replace(/^(Basic|Bearer) /, ""));
  return { dress: () => Promise.resolve({ headers }), mask };
}

/** A token is kept until it is refused or nearly over. */
function createClientCredentials(
  oauth2: NonNullable<HttpAuth["oauth2"]>,
  of: {
    readonly source: string;
    readonly secret: string;
    readonly known: Set<string>;
    readonly mask: (text: string) => string;
  },
): Pick<Authorization, "dress" | "renew"> {
  let token: { readonly value: string; readonly untilMs: number } | undefined;
  return {
    async dress(_, ask) {
      if (token === undefined || token.untilMs < Date.now()) {
        const form = new URLSearchParams({
          grant_type: "client_credentials",
          ...(oauth2.scope === undefined ? {} : { scope: oauth2.scope }),
        });
        // RFC 6749, 2.3.1: both are encoded as in a form first.
        const pair = [oauth2.client_id, of.secret].map((part) => encodeURIComponent(part)).join(":");
        const answer = await ask(new URL(oauth2.token_url), {
          method: "POST",
          headers: {
            "content-type": "application/x-www-form-urlencoded",
            authorization: `Basic ${Buffer.from(pair).toString("base64")}`,
          },
          body: form.toString(),
        });
        token = readToken(answer, of);
        of.known.add(token.value);
      }
      return { headers: { authorization: `Bearer ${token.value}` } };
    },
    renew() {
      token = undefined;
      return true;
    },
  };
}

/** A token is not used in its last seconds. */
const MARGIN_MS = 10_000;

const tokenSchema = z.object({
  access_token: z.string().min(1).optional(),
  expires_in: z.number().optional(),
  error: z.string().optional(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readToken(
  { status, body }: HttpAnswer,
  { source, mask }: { readonly source: string; readonly mask: (text: string) => string },
): { readonly value: string; readonly untilMs: number } {
  const parsed = tokenSchema.safeParse(parseJson(body)).data ?? {};
  if (status !== 200 || parsed.access_token === undefined)
    throw sourceSignInRefused({
      source,
      reason: mask(
        `the token address answers ${status}${parsed.error === undefined ? " without an access_token" : `: ${parsed.error}`}`,
      ),
    });
  return {
    value: parsed.access_token,
    untilMs: Date.now() + Math.max(0, (parsed.expires_in ?? Infinity) * 1000 - MARGIN_MS),
  };
}

import { createHmac, randomUUID } from "node:crypto";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { treatmentSecretUnfit } from "../errors.ts";
import type { CompiledContract } from "./rules.ts";
import { createTokens } from "./token.ts";
import type { Treatment } from "./treatment.ts";

/** SQL function of a connection by what it makes of a text: see {@link keyOf}. */
export type KeyedHashes = ReadonlyMap<string, string>;

type Keyed = Extract<Treatment["protection"], { readonly secret: string }>;

/** Nine digits are found by trying them all, unless the key is long. */
const SHORTEST_KEY = 16;

/**
 * Makes HMAC-SHA256 and tokens with each secret that the contract names a function on the connection. The key stays
 * outside of SQL: no text of a query and no error has it.
 *
 * @throws DATA_TREATMENT_SECRET_UNFIT
 */
export async function registerKeyedHashes(
  connection: AnalyticsConnection,
  contract: CompiledContract | undefined,
  secret: (name: string) => string | undefined,
): Promise<KeyedHashes> {
  const functions = new Map<string, string>();
  for (const { protection } of contract?.treatments.values() ?? []) {
    if (protection === undefined || protection.kind === "mask" || functions.has(keyOf(protection))) continue;
    const key = secret(protection.secret);
    if (key === undefined) throw treatmentSecretUnfit({ secret: protection.secret, problem: "is not set" });
    if (key.length < SHORTEST_KEY)
      throw treatmentSecretUnfit({
        secret: protection.secret,
        problem: `has ${key.length} characters, at least ${SHORTEST_KEY} are needed`,
      });
    const name = `esteira_keyed_${randomUUID().replaceAll("-", "")}`;
    await connection.registerText(
      name,
      protection.kind === "hash"
        ? (text) => createHmac("sha256", key).update(text).digest("hex")
        : createTokens(key, protection.format),
    );
    functions.set(keyOf(protection), name);
  }
  return functions;
}

/** SQL of what is stored instead of a value; undefined where its secret was not asked for. */
export function keyedValue(protection: Keyed, hashes: KeyedHashes, value: string): string | undefined {
  const name = hashes.get(keyOf(protection));
  if (name === undefined) return undefined;
  return protection.kind === "tokenise" && protection.format === "number"
    ? `try_cast(${name}(cast(${value} as VARCHAR)) as BIGINT)`
    : `${name}(${value})`;
}

function keyOf(protection: Keyed): string {
  return `${protection.kind} ${protection.kind === "tokenise" ? protection.format : ""} ${protection.secret}`;
}

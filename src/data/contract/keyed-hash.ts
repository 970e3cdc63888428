import { createHmac, randomUUID } from "node:crypto";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { treatmentSecretUnfit } from "../errors.ts";
import type { CompiledContract } from "./rules.ts";

/** SQL function of a connection by the name of the secret that it hashes with. */
export type KeyedHashes = ReadonlyMap<string, string>;

/** Nine digits are found by trying them all, unless the key is long. */
const SHORTEST_KEY = 16;

/**
 * Makes HMAC-SHA256 with each secret that the contract names a function on the connection. The key stays outside of
 * SQL: no text of a query and no error has it.
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
    if (protection?.kind !== "hash" || functions.has(protection.secret)) continue;
    const key = secret(protection.secret);
    if (key === undefined) throw treatmentSecretUnfit({ secret: protection.secret, problem: "is not set" });
    if (key.length < SHORTEST_KEY)
      throw treatmentSecretUnfit({
        secret: protection.secret,
        problem: `has ${key.length} characters, at least ${SHORTEST_KEY} are needed`,
      });
    const name = `esteira_hash_${randomUUID().replaceAll("-", "")}`;
    await connection.registerText(name, (text) => createHmac("sha256", key).update(text).digest("hex"));
    functions.set(protection.secret, name);
  }
  return functions;
}

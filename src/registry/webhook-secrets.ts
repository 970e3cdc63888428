import { isEsteiraError } from "#base";
import type { MetadataStore } from "#metadata-store";
import { listWebhookSecrets, replaceWebhookSecret } from "#metadata-store/registry";
import { isSealed, type SecretBox, secretUnreadable } from "#outbox";

/** How the secrets of a store are kept. */
export interface KeptSecrets {
  readonly total: number;
  /** Sealed with a key that is not here. */
  readonly unreadable: number;
  /** Not sealed with the key that seals now. */
  readonly outdated: number;
}

/** Looks at every secret; nothing is changed, and no key is made when there is none. */
export async function examineWebhookSecrets(store: MetadataStore, secrets: SecretBox): Promise<KeptSecrets> {
  const rows = await store.read(listWebhookSecrets);
  const states = await Promise.all(rows.map(({ secret }) => stateOf(secret, secrets)));
  return {
    total: rows.length,
    unreadable: states.filter((state) => state === "unreadable").length,
    outdated: states.filter((state) => state === "outdated").length,
  };
}

async function stateOf(secret: string, secrets: SecretBox): Promise<"current" | "outdated" | "unreadable"> {
  try {
    await secrets.open(secret);
    return (await secrets.isCurrent(secret)) ? "current" : "outdated";
  } catch (error) {
    if (isEsteiraError(error, secretUnreadable.code)) return "unreadable";
    throw error;
  }
}

/**
 * Seals what stands in the clear, as an earlier version wrote it. Idempotent. What changed meanwhile stays as it is.
 *
 * @param options.renew seals also what is sealed with another key than the one that seals now. For a rotation alone:
 *   two hosts with other first keys would seal each other's secrets in turns.
 * @returns how many were sealed
 * @throws OUTBOX_SECRET_UNREADABLE; what was sealed before stays sealed
 */
export async function sealWebhookSecrets(
  store: MetadataStore,
  secrets: SecretBox,
  options: { readonly renew?: boolean } = {},
): Promise<number> {
  let sealed = 0;
  for (const { id, secret } of await store.read(listWebhookSecrets)) {
    if (options.renew === true ? await secrets.isCurrent(secret) : isSealed(secret)) continue;
    const next = await secrets.seal(await secrets.open(secret));
    if (await store.write((transaction) => replaceWebhookSecret(transaction, { id, from: secret, to: next }))) sealed++;
  }
  return sealed;
}

import type { ProjectConfig, Settings } from "#config";
import type { MetadataStore } from "#metadata-store";
import { sealWebhookSecrets } from "#registry";
import { renewPushSecret } from "./push-source.ts";
import { addSecretKey, openSecretBox } from "./secret-keys.ts";

/**
 * Seals every secret of a store with a new key. A kill in between leaves secrets of both keys, which both open.
 *
 * @returns how many were sealed
 * @throws OUTBOX_SECRET_UNREADABLE, OUTBOX_SECRET_KEY_MISSING, OUTBOX_SECRET_KEY_INVALID
 */
export async function rotateSecrets(
  { config, store }: { readonly config: ProjectConfig; readonly store: MetadataStore },
  settings: Settings,
): Promise<number> {
  await addSecretKey(config, settings);
  const sealed = await sealWebhookSecrets(store, openSecretBox(config, settings), { renew: true });
  const isPushSealed = await renewPushSecret(config.storeFolder, openSecretBox(config, settings, "push secret"));
  return sealed + (isPushSealed ? 1 : 0);
}

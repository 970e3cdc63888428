import { canonicalJson } from "#base";
import type { Release } from "#metadata-store/delivery";
import { settingsAsJson, settingsOf } from "./release-settings.ts";

/** One setting that differs between two releases of an asset; values as JSON, undefined where there is none. */
export interface SettingChange {
  readonly asset: string;
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** In what two releases of an asset are deployed differently. */
export function compareSettings(before: Release, after: Release): readonly SettingChange[] {
  const [left, right] = [flatten(before), flatten(after)];
  return [...new Set([...left.keys(), ...right.keys()])]
    .sort()
    .filter((key) => left.get(key) !== right.get(key))
    .map((key) => ({ asset: after.asset, key, before: left.get(key), after: right.get(key) }));
}

/** Variables stand for themselves. */
function flatten(release: Release): ReadonlyMap<string, string> {
  const settings = settingsAsJson(settingsOf(release));
  const found = new Map<string, string>();
  if (typeof settings !== "object" || settings === null) return found;
  for (const [key, value] of Object.entries(settings)) {
    if (key !== "environment" || typeof value !== "object" || value === null) found.set(key, canonicalJson(value));
    else for (const [name, text] of Object.entries(value)) found.set(`env.${name}`, canonicalJson(text));
  }
  return found;
}

import type { Json } from "#base";
import { type ForEachDefinition, interpolate, MOST_ITEMS, type ProjectFiles, type Scope, toText } from "#pipeline";
import { itemsTooMany, itemsWrong, itemTooLarge } from "./errors.ts";

/** An item is a variable of its processes, and a system takes no larger ones. */
const LARGEST_ITEM_BYTES = 100_000;

/**
 * The items of a step, as they are when the run gets there.
 *
 * @throws PIPELINE_ITEMS_WRONG, PIPELINE_ITEMS_TOO_MANY, PIPELINE_ITEM_TOO_LARGE
 */
export async function listItems(
  step: { readonly name: string; readonly forEach: ForEachDefinition },
  { scope, files }: { readonly scope: Scope; readonly files: ProjectFiles },
): Promise<readonly Json[]> {
  const items = await readItems(step, scope, files);
  if (items.length > MOST_ITEMS) throw itemsTooMany({ step: step.name, found: items.length, most: MOST_ITEMS });
  const large = items.findIndex((item) => Buffer.byteLength(toText(item)) > LARGEST_ITEM_BYTES);
  if (large >= 0) throw itemTooLarge({ step: step.name, index: large + 1, most: LARGEST_ITEM_BYTES });
  return items;
}

async function readItems(
  { name, forEach }: { readonly name: string; readonly forEach: ForEachDefinition },
  scope: Scope,
  files: ProjectFiles,
): Promise<readonly Json[]> {
  if (forEach.files !== undefined) {
    const found = new Set<string>();
    for (const pattern of forEach.files)
      for (const path of await files.glob(toText(interpolate(pattern, scope)))) found.add(path);
    return [...found].sort();
  }
  if (forEach.lines !== undefined)
    return toText(interpolate(forEach.lines, scope))
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  const value = interpolate(forEach.items ?? null, scope);
  const items = typeof value === "string" ? parse(value) : value;
  if (!Array.isArray(items)) throw itemsWrong({ step: name, found: describe(value) });
  return items;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describe(value: Json): string {
  if (value === null) return "nothing";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

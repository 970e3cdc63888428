// The event log is a closed catalogue: what is written is in it, and what earlier versions wrote too.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { glob } from "node:fs/promises";
import { join, resolve } from "node:path";
import { it } from "node:test";
import { EVENT_WRITERS } from "#metadata-store";

const ROOT = resolve(import.meta.dirname, "../..");
const CATALOGUE = "src/metadata-store/event/catalogue.ts";

async function catalogued(): Promise<ReadonlySet<string>> {
  const text = await readFile(join(ROOT, CATALOGUE), "utf8");
  return new Set([...text.matchAll(/^ {2}readonly "([a-z_]+\.[a-z_]+)":/gm)].map(([, type = ""]) => type));
}

it("holds every type that an earlier version wrote", async () => {
  const types = await catalogued();
  const upgrade = join(ROOT, "test/upgrade");
  const stores = (await readdir(upgrade)).filter((name) => name.startsWith("store-"));
  assert.ok(stores.length > 0);
  for (const store of stores) {
    const rows = JSON.parse(await readFile(join(upgrade, store, "rows.json"), "utf8")) as {
      readonly event: readonly { readonly type: string }[];
    };
    const unknown = rows.event.filter(({ type }) => !types.has(type));
    assert.deepEqual(unknown, [], store);
  }
});

it("names a module that is there as the writer of every type", async () => {
  const { modules } = JSON.parse(await readFile(join(ROOT, "modules.json"), "utf8")) as { readonly modules: object };
  const types = await catalogued();
  assert.ok(types.size > 70, String(types.size));
  for (const type of types) {
    const noun = type.slice(0, type.indexOf(".")) as keyof typeof EVENT_WRITERS;
    assert.ok(Object.hasOwn(modules, EVENT_WRITERS[noun]), type);
  }
});

it("is the only way to the table, and nobody looks for events by a piece of their text", async () => {
  for await (const file of glob("src/**/*.ts", { cwd: ROOT })) {
    const text = await readFile(join(ROOT, file), "utf8");
    if (!/migrations\/|import\/|event\/append-event/.test(file))
      assert.doesNotMatch(text, /insertInto\("event"\)/, file);
    assert.doesNotMatch(text, /where\("(event\.)?data", "like"/, file);
  }
});

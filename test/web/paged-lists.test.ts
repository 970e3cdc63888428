import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

const WEB = join(import.meta.dirname, "../../web");

test("whatever a page reads in parts can be read on from there", async () => {
  const cut: string[] = [];
  for await (const file of glob("{pages,ui}/**/*.tsx", { cwd: WEB })) {
    const text = await readFile(join(WEB, file), "utf8");
    for (const [whole, pattern = ""] of text.matchAll(/const (\{[^}]*\}|\w+) = useList\(/g)) {
      const rest = text.slice(text.indexOf(whole) + whole.length);
      // One chosen step run is asked for by its id.
      if (/^\{\s*\.\.\.queries\.stepRuns\(run\.id, \{ stepRun: selected \}\)/.test(rest)) continue;
      const more = pattern.startsWith("{") ? /\bmore\b/ : new RegExp(`\\b${pattern}\\.more\\b`);
      if (!more.test(pattern.startsWith("{") ? pattern : rest) || !/\bmore\b/.test(rest)) cut.push(`${file}: ${whole}`);
    }
  }
  assert.deepEqual(cut, []);
});

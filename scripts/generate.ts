// Writes the files that are made from the code: `npm run generate`. With --check it writes nothing and fails on a
// difference.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { generateApiSchemas } from "./generate-api-schemas.ts";
import { generateArchitecture } from "./generate/architecture.ts";
import { generateCliReference } from "./generate/cli-reference.ts";
import { generateConfigurationReference, generateEditorSchemas } from "./generate/editor-schemas.ts";
import { generateErrorCatalogue } from "./generate/error-catalogue.ts";
import { generateApiReference } from "./generate/api-reference.ts";
import { dumpSchemas } from "./generate/schema-dump.ts";

const root = resolve(import.meta.dirname, "..");
const checkOnly = process.argv.includes("--check");

const generators: readonly (() => Promise<ReadonlyMap<string, string>>)[] = [
  dumpSchemas,
  async () => new Map([["src/api/schemas.ts", await generateApiSchemas()]]),
  () => generateArchitecture(root),
  generateErrorCatalogue,
  generateEditorSchemas,
  generateConfigurationReference,
  generateCliReference,
  generateApiReference,
];

let different = 0;
for (const generate of generators) {
  for (const [file, content] of await generate()) {
    const path = join(root, file);
    const present = await readFile(path, "utf8").catch(() => undefined);
    if (present === content) continue;
    different++;
    if (checkOnly) {
      process.stdout.write(`${file} is not what the code makes of it; run: npm run generate\n`);
      continue;
    }
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    process.stdout.write(`wrote ${file}\n`);
  }
}
process.exitCode = checkOnly && different > 0 ? 1 : 0;

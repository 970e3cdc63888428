import { readFile } from "node:fs/promises";
import { join } from "node:path";

interface Modules {
  readonly modules: Readonly<
    Record<string, { readonly layer: number; readonly holds: string; readonly mayImport: readonly string[] }>
  >;
  readonly areas: Readonly<Record<string, { readonly owner: string; readonly debts: readonly string[] }>>;
  readonly packageOwners: Readonly<Record<string, string | readonly string[]>>;
}

const BEGIN = "<!-- layers: made by scripts/generate.ts -->";
const END = "<!-- end of layers -->";

/** ARCHITECTURE.md with its layer table made from modules.json. */
export async function generateArchitecture(root: string): Promise<ReadonlyMap<string, string>> {
  const { areas, modules, packageOwners } = JSON.parse(await readFile(join(root, "modules.json"), "utf8")) as Modules;
  const present = await readFile(join(root, "ARCHITECTURE.md"), "utf8");
  const [before, rest] = present.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`ARCHITECTURE.md lacks the lines ${BEGIN} and ${END}`);
  const rows = Object.entries(modules).map(
    ([name, { layer, holds, mayImport }]) =>
      `| ${layer} | \`${name}\` | ${holds} | ${mayImport.map((other) => (other === "*below" ? "everything below" : other)).join(", ") || "–"} |`,
  );
  const owners = Object.entries(packageOwners).map(
    ([dependency, owner]) =>
      `| \`${dependency}\` | ${[owner]
        .flat()
        .map((name) => `\`${name}\``)
        .join(", ")} |`,
  );
  const doors = Object.entries(areas).map(
    ([area, { owner, debts }]) => `| \`#metadata-store/${area}\` | \`${owner}\` | ${debts.join(", ") || "–"} |`,
  );
  const table = [
    "| layer | module | holds | may import |",
    "|---|---|---|---|",
    ...rows,
    "",
    "| area of the metadata store | owner | still open to, until they ask its owner |",
    "|---|---|---|",
    ...doors,
    "",
    "| package | used only by |",
    "|---|---|",
    ...owners,
  ].join("\n");
  return new Map([["ARCHITECTURE.md", `${before}${BEGIN}\n${table}\n${END}${after}`]]);
}

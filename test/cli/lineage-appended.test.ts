import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Graph {
  readonly nodes: readonly { readonly id: string; readonly label: string; readonly version?: number }[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly role: string }[];
}

describe("esteira lineage --downstream", () => {
  it("of a version that others were appended to shows them, and what was made of them", async () => {
    const folder = await temporaryFolder();
    for (const name of ["pipelines", "data", "sql"]) await mkdir(join(folder, name));
    await writeFile(join(folder, "esteira.yaml"), "name: p\n");
    await writeFile(join(folder, "data/a.csv"), "id,amount\n1,2\n");
    await writeFile(join(folder, "pipelines/a.yaml"), 'steps:\n  raw: { capture: { files: "data/*.csv" } }\n');
    assert.equal((await runEsteira(folder, ["run", "a"])).code, 0);
    await writeFile(join(folder, "data/b.csv"), "id,amount\n2,3\n");
    await writeFile(join(folder, "sql/twice.sql"), "SELECT id, amount * 2 AS twice FROM raw\n");
    await writeFile(
      join(folder, "pipelines/a.yaml"),
      'steps:\n  raw: { capture: { files: "data/*.csv" } }\n  twice: { sql: sql/twice.sql }\n',
    );
    const second = await runEsteira(folder, ["run", "a"]);
    assert.equal(second.code, 0, second.stderr);

    const shown = await runEsteira(folder, ["lineage", "raw@1", "--downstream", "--json"]);
    assert.equal(shown.code, 0, shown.stderr);
    const { nodes, edges } = JSON.parse(shown.stdout) as Graph;
    const name = (id: string): string =>
      nodes
        .filter((node) => node.id === id)
        .map(({ label, version }) => `${label}@${version}`)
        .join();
    assert.deepEqual(nodes.map(({ id }) => name(id)).sort(), ["raw@1", "raw@2", "twice@1"]);
    assert.ok(
      edges.some(({ from, to, role }) => name(from) === "raw@1" && name(to) === "raw@2" && role === "contained in"),
      JSON.stringify(edges),
    );
    assert.ok(edges.some(({ from, to }) => name(from) === "raw@2" && name(to) === "twice@1"));
    // Of what is newest nothing later holds anything.
    const last = JSON.parse((await runEsteira(folder, ["lineage", "raw@2", "--downstream", "--json"])).stdout) as Graph;
    assert.deepEqual(last.nodes.map(({ label, version }) => `${label}@${version}`).sort(), ["raw@2", "twice@1"]);
  });
});

// The captured files in a lineage, against counts of the rows themselves.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { digestOf, systemClock } from "#base";
import type { CaptureDeclaration } from "#data";
import { restoreDataset } from "#data";
import { traceVersion } from "#governance";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { lineageLayers } from "../../web/models/lineage.ts";
import { openDataProject } from "../data/data-project.ts";
import { describeStores } from "../setup/stores.ts";

const DECLARATION: CaptureDeclaration = { capture: { files: "*.csv" } };

describeStores("captured files in a lineage", (kind) => {
  it("are all named with the rows of each that are in the version, and gathered with their sum", async () => {
    const { folder, runCapture, rows, store, datasets } = await openDataProject(kind);
    const put = (name: string, count: number): Promise<void> =>
      writeFile(
        join(folder, `${name}.csv`),
        `file,n\n${Array.from({ length: count }, (_, n) => `${name}.csv,${n}\n`).join("")}`,
      );
    const capture = async (): Promise<AssetVersion> => {
      const [made] = (await runCapture(DECLARATION)).versions;
      assert.ok(made !== undefined);
      return made;
    };
    const check = async (version: AssetVersion): Promise<void> => {
      const counted = new Map(
        (await rows(version, "select file, count(*)::int as n from d group by file")).map(({ file, n }) => [file, n]),
      );
      const trace = await traceVersion(store, version.id);
      const shown = new Map(
        trace.nodes.filter((node) => node.kind === "source_file").map(({ label, rowCount }) => [label, rowCount]),
      );
      assert.deepEqual(
        new Map([...shown].sort((left, right) => (String(left) < String(right) ? -1 : 1))),
        new Map([...counted].sort((left, right) => (String(left) < String(right) ? -1 : 1))),
      );
      const total = [...counted.values()].reduce((sum: number, n) => sum + Number(n), 0);
      const { nodes } = lineageLayers(trace);
      const gathered = nodes.find(({ count }) => count > 1);
      if (counted.size > 3) assert.deepEqual([gathered?.count, gathered?.rowCount], [counted.size, total]);
      const last = trace.chain.at(-1);
      assert.deepEqual(
        [last?.kind, last?.label, last?.fileCount, last?.rowCount, last?.digest],
        ["source_file", `one of ${counted.size} files`, counted.size, total, undefined],
      );
    };
    for (const [index, name] of ["a", "b", "c"].entries()) await put(name, 3 + 4 * index);
    const first = await capture();
    await check(first);
    await put("d", 2);
    await put("e", 6);
    const second = await capture();
    await check(second);
    await check(first);
    await put("b", 1);
    await check(await capture());
    const { version } = await restoreDataset(
      { store, datasets, clock: systemClock, project: "p" },
      { dataset: "d", version: second.version, actor: "ana" },
    );
    await check(version);
  });

  it("count the rows that came later, from the quarantine, and only those of the dataset that the way back leads to", async () => {
    const { folder, runCapture, store } = await openDataProject(kind);
    for (const [name, count] of [
      ["a", 2],
      ["b", 5],
    ] as const)
      await writeFile(join(folder, `${name}.csv`), `n\n${"1\n".repeat(count)}`);
    const [captured] = (await runCapture(DECLARATION)).versions;
    assert.ok(captured !== undefined);
    const record = async (
      asset: string,
      content: object,
      inputs: readonly { readonly versionId: string; readonly role: string }[],
    ): Promise<AssetVersion> =>
      (
        await store.write((tx) =>
          recordAssetVersion(tx, {
            project: "p",
            asset,
            kind: asset === "model" ? "model" : "data",
            digest: digestOf(JSON.stringify(content)),
            madeAtMs: 1,
            actor: "ana",
            content,
            inputs,
          }),
        )
      ).version;
    const { captured: files = [] } = captured.content as {
      readonly captured?: readonly { readonly path: string; readonly digest: string; readonly rows: number }[];
    };
    const replayed = await record(
      "d",
      { ...captured.content, captured: undefined, replayed: [{ ...files[0], rows: 3 }] },
      [{ versionId: captured.id, role: "input" }],
    );
    const rowsOf = async (id: string): Promise<readonly (number | undefined)[]> =>
      (await traceVersion(store, id)).nodes
        .filter((node) => node.kind === "source_file")
        .map(({ rowCount }) => rowCount);
    assert.deepEqual(await rowsOf(captured.id), [2, 5]);
    assert.deepEqual(
      (await rowsOf(replayed.id)).toSorted((left, right) => Number(left) - Number(right)),
      [5, 5],
    );
    // Another dataset took other rows of the same file: neither number stands for both.
    const other = await record("other", { captured: [{ ...files[1], rows: 4 }] }, []);
    const model = await record("model", {}, [
      { versionId: replayed.id, role: "spine" },
      { versionId: other.id, role: "input" },
    ]);
    assert.deepEqual(
      (await rowsOf(model.id)).toSorted((left, right) => Number(left) - Number(right)),
      [5, undefined],
    );
    const { chain } = await traceVersion(store, model.id);
    assert.deepEqual(chain.map(({ label, fileCount, rowCount }) => [label, fileCount, rowCount]).at(-1), [
      "one of 2 files",
      2,
      10,
    ]);
  });
});

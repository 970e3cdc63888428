import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const CONTRACT =
  "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: sales\n    properties:\n      - { name: id, logicalType: integer, logicalTypeOptions: { maximum: MOST } }\n";

describe("changing datasets on the command line", () => {
  it("captures a file again, restores a version, drops what nothing needs, discards held rows; each is told and in the event log", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "data"));
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: shop\n");
    await writeFile(join(folder, "contract.yaml"), CONTRACT.replace("MOST", "10"));
    await writeFile(join(folder, "data/a.csv"), "id\n1\n2\n");
    await writeFile(join(folder, "data/b.csv"), "id\n3\n99\n");
    await writeFile(
      join(folder, "pipelines/a.yaml"),
      "steps:\n  sales: { capture: { files: data/*.csv }, contract: contract.yaml }\n  visits: { sql: visits.sql }\n",
    );
    await writeFile(join(folder, "visits.sql"), "select count(*) as n from sales\n");
    const esteira = async (...words: readonly string[]): Promise<{ code: number | null; text: string }> => {
      const { code, stdout, stderr } = await runEsteira(folder, words, { ESTEIRA_LANG: "en" });
      return { code, text: stdout + stderr };
    };
    const rows = async (...words: readonly string[]): Promise<unknown[]> => {
      const { text } = await esteira("dataset", "show", "sales", ...words, "--json");
      return (JSON.parse(text) as { rows: unknown[][] }).rows
        .flat()
        .sort((left, right) => Number(left) - Number(right));
    };
    assert.equal((await esteira("run", "a")).code, 0);
    assert.deepEqual(await rows(), [1, 2, 3]);
    await writeFile(join(folder, "data/a.csv"), "id\n5\n");
    assert.match((await esteira("plan", "a")).text, /files: 0 new, 1 changed, 1 unchanged; 2 rows will be superseded/);
    assert.match((await esteira("run", "a")).text, /succeeded/);

    // The contract is wider now: the file that is captured already is read again, and its held row comes in.
    await writeFile(join(folder, "contract.yaml"), CONTRACT.replace("MOST", "100"));
    assert.match(
      (await esteira("capture", "sales", "--again", "data/none.csv")).text,
      /data\/none\.csv cannot be captured again into sales: it was not captured\. Captured are data\/a\.csv, data\/b\.csv/,
    );
    assert.equal((await esteira("capture", "sales")).code, 2);
    const again = await esteira("capture", "sales", "--again", "data/b.csv");
    assert.equal(again.code, 0, again.text);
    assert.deepEqual(await rows(), [3, 5, 99]);
    assert.match((await esteira("quarantine", "list", "sales")).text, /data\/b\.csv:3 .*superseded/);
    await rm(join(folder, "data/a.csv"));
    assert.equal((await esteira("capture", "sales", "--again", "all")).code, 0);
    assert.deepEqual(await rows(), [3, 99]);

    assert.match(
      (await esteira("dataset", "restore", "sales", "--version", "1")).text,
      /Version 5 of sales has the content of version 1 again/,
    );
    assert.deepEqual(await rows(), [1, 2, 3]);
    assert.match(
      (await esteira("dataset", "restore", "sales", "--version", "1")).text,
      /\(5\) has the content of version 1 already/,
    );
    const lineage = await esteira("lineage", "sales@5", "--json");
    assert.match(lineage.text, /"role": ?"restored"/);

    await writeFile(join(folder, "data/c.csv"), "id\n200\n7\n");
    assert.equal((await esteira("run", "a")).code, 0);
    assert.deepEqual(await rows(), [1, 2, 3, 7]);
    assert.equal((await esteira("quarantine", "discard", "sales")).code, 2);
    assert.match(
      (await esteira("quarantine", "discard", "sales", "--reason", "test row", "--rule", "maximum:id")).text,
      /1 row discarded/,
    );
    assert.match(
      (await esteira("quarantine", "list", "sales", "--json")).text,
      /"state": ?"discarded",\s*"reason": ?"test row"/,
    );

    assert.match(
      (await esteira("dataset", "drop", "sales", "--yes")).text,
      /cannot be dropped: step a\/sales makes it; step a\/visits reads it/,
    );
    await writeFile(
      join(folder, "pipelines/a.yaml"),
      "steps:\n  sales: { capture: { files: data/*.csv }, contract: contract.yaml }\n",
    );
    const asked = await esteira("dataset", "drop", "visits");
    assert.deepEqual([asked.code, /would be dropped/.test(asked.text)], [1, true]);
    assert.match(
      (await esteira("dataset", "drop", "visits", "--yes")).text,
      /visits is dropped; its \d versions stay readable/,
    );
    assert.doesNotMatch((await esteira("dataset", "list")).text, /visits/);
    assert.match((await esteira("dataset", "show", "visits", "--version", "1")).text, /3/);
    // Made again under its name, with other columns, it starts anew.
    await writeFile(
      join(folder, "pipelines/a.yaml"),
      "steps:\n  sales: { capture: { files: data/*.csv }, contract: contract.yaml }\n  visits: { sql: visits.sql, write: append }\n",
    );
    await writeFile(join(folder, "visits.sql"), "select max(id) as most from sales\n");
    assert.equal((await esteira("run", "a")).code, 0);
    assert.match((await esteira("dataset", "show", "visits")).text, /^most\n7\n/);
    assert.match((await esteira("dataset", "list")).text, /visits/);
  });
});

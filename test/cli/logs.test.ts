// What `esteira logs` and the listings of the command line show of long ones: everything.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { appendLogChunks } from "#metadata-store/engine";
import { runEsteira } from "../setup/command-line.ts";
import { expectedLog, LOG_WRITER } from "../setup/long-log.ts";
import { temporaryFolder } from "../setup/stores.ts";

async function createProject(steps: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries({
    "esteira.yaml": "name: ships\n",
    "pipelines/p.yaml": `steps:\n${steps}`,
    ...files,
  })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

describe("the log of a step", () => {
  it("is shown whole when it came in more pieces than one answer holds", { timeout: 120_000 }, async () => {
    const folder = await createProject('  slow: { run: "true" }\n');
    const run = JSON.parse((await runEsteira(folder, ["run", "p", "--json"])).stdout) as {
      readonly id: string;
      readonly stepRuns: readonly { readonly id: string }[];
    };
    const stepRunId = run.stepRuns[0]?.id ?? "";
    const store = await openMetadataStore(join(folder, ".esteira/metadata.sqlite"));
    const pieces = Array.from({ length: 12_300 }, (_, index) => ({
      stepRunId,
      attemptNumber: 1,
      sequence: index,
      stream: "stdout" as const,
      text: `line ${index}\n`,
      atMs: index,
    }));
    await store.write((transaction) => appendLogChunks(transaction, pieces));
    await store.close();
    const all = pieces.map(({ text }) => text).join("");
    for (const words of [
      ["logs", run.id],
      ["logs", run.id, "slow"],
      ["logs", "latest", "slow", "--follow"],
    ]) {
      const { code, stdout, stderr } = await runEsteira(folder, words);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.length, all.length, words.join(" "));
      assert.equal(stdout, all);
    }
    const { stdout } = await runEsteira(folder, ["logs", run.id, "--json"]);
    assert.equal(stdout.trim().split("\n").length, pieces.length);
  });

  it("is byte for byte what the step wrote, 40 MB of it", { timeout: 180_000 }, async () => {
    const folder = await createProject('  loud: { run: "node writer.cjs 40", files: [writer.cjs] }\n', {
      "writer.cjs": LOG_WRITER,
    });
    const run = await runEsteira(folder, ["run", "p"]);
    assert.equal(run.code, 0, run.stderr);
    const { stdout } = await runEsteira(folder, ["logs", "latest"]);
    const found = Buffer.from(stdout);
    assert.deepEqual(
      { bytes: found.length, digest: createHash("sha256").update(found).digest("hex") },
      expectedLog(40),
    );
  });
});

describe("a listing of the command line", () => {
  it("shows everything, also where the API answers in pages", { timeout: 120_000 }, async () => {
    const folder = await createProject('  one: { run: "true" }\n');
    assert.equal((await runEsteira(folder, ["run", "p"])).code, 0);
    const store = await openMetadataStore(join(folder, ".esteira/metadata.sqlite"));
    await store.write(async (transaction) => {
      for (let index = 0; index < 1003; index++) {
        await recordAssetVersion(transaction, {
          project: "ships",
          asset: `d${String(index).padStart(4, "0")}`,
          kind: "data",
          digest: `sha256:${"0".repeat(64)}`,
          madeAtMs: index,
          actor: "ana",
          content: { columns: [] },
          inputs: [],
        });
      }
    });
    await store.close();
    const { stdout, stderr } = await runEsteira(folder, ["dataset", "list", "--json"]);
    assert.equal((JSON.parse(stdout) as readonly unknown[]).length, 1003, stderr);
  });
});

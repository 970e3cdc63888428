import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { temporaryFolder } from "../setup/stores.ts";

it("the model runtime reports nothing to its maker: it leaves no device id and no queue of events", async () => {
  const home = await temporaryFolder();
  const script = `
    import { createOnnxPool } from ${JSON.stringify(new URL("../../src/serving/runtime/onnx/onnx-pool.ts", import.meta.url).href)};
    const pool = createOnnxPool({ log: { error() {}, warn() {}, info() {} } });
    const inputs = [["distance", "float"], ["hour", "integer"], ["origin", "string"]].map(([name, type]) => ({ name, type, nullable: false }));
    await pool.load({ key: "m", title: "m", path: ${JSON.stringify(join(import.meta.dirname, "models/late-by-columns.onnx"))}, signature: { task: "binary_classification", inputs, label: "late" } });
    console.log("loaded");
    // What is reported is queued a moment later.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await pool.close();`;
  const file = join(await temporaryFolder(), "load.mjs");
  await writeFile(file, script);
  const { stdout } = await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
    env: { PATH: process.env["PATH"] ?? "", HOME: home },
  });
  assert.match(stdout, /loaded/);
  assert.deepEqual(await readdir(home, { recursive: true }), []);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";
import { openMetadataStore } from "#metadata-store";
import { getPrediction } from "#metadata-store/serving";
import { describeStores } from "../setup/stores.ts";
import { deploy, registerModel, startServing } from "./served.ts";
import { isId } from "#base";

describeStores("the prediction log", (kind) => {
  it("holds every prediction that was answered before the process was killed", async () => {
    const test = await startServing(kind);
    await deploy(test.serving, await registerModel(test, "late-by-columns"));
    const objects = await test.objects.localPath((await test.objects.put("x")).digest);
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, "predict-until-killed.ts"),
        test.address,
        objects.slice(0, objects.indexOf("/sha256/")),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let printed = "";
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        printed += chunk.toString();
        if (printed.length > 27 * 600) child.kill("SIGKILL");
      });
      child.on("close", () => resolve());
    });
    const ids = printed.split("\n").filter(isId);
    assert.ok(ids.length >= 500, `only ${ids.length} were answered`);
    const store = await openMetadataStore(test.address);
    const missing: string[] = [];
    for (const id of ids)
      if ((await store.read((transaction) => getPrediction(transaction, id))) === undefined) missing.push(id);
    await store.close();
    assert.deepEqual(missing, []);
  });
});

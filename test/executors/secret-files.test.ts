import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { placeSecretFiles, sweepSecretFiles } from "../../src/executors/drivers/secret-files.ts";

it("secrets of an engine that was killed are removed by the next one, and those of a living one are not", async () => {
  const root = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const own = placeSecretFiles({ KEY: "own-secret" });
  const module = join(import.meta.dirname, "../../src/executors/drivers/secret-files.ts");
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { placeSecretFiles } from ${JSON.stringify(module)}; console.log(placeSecretFiles({ KEY: "left-secret" }).folder); setInterval(() => {}, 1000);`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [said] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const left = said.trim();
  sweepSecretFiles();
  assert.ok(existsSync(join(left, "KEY")), "its process lives");
  child.kill("SIGKILL");
  await once(child, "exit");
  sweepSecretFiles();
  assert.ok(!existsSync(left));
  assert.ok(existsSync(join(own.folder, "KEY")));
  own.remove();
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith(`esteira-secrets-${process.pid}-`)),
    [],
  );
});

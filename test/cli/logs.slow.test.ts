// A log of 300 MB through the whole program.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { startEsteira, runEsteira } from "../setup/command-line.ts";
import { expectedLog, LOG_WRITER } from "../setup/long-log.ts";
import { temporaryFolder } from "../setup/stores.ts";

const MEGABYTES = 300;

it("a log of 300 MB is byte for byte what the step wrote", { timeout: 900_000 }, async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: ships\n");
  await writeFile(
    join(folder, "pipelines/p.yaml"),
    `steps:\n  loud: { run: "node writer.cjs ${MEGABYTES}", files: [writer.cjs] }\n`,
  );
  await writeFile(join(folder, "writer.cjs"), LOG_WRITER);
  const run = await runEsteira(folder, ["run", "p"]);
  assert.equal(run.code, 0, run.stderr);
  const { child, ended } = startEsteira(folder, ["logs", "latest", "loud"], {}, { keepOutput: false });
  const hash = createHash("sha256");
  let bytes = 0;
  child.stdout?.on("data", (piece: string) => {
    bytes += Buffer.byteLength(piece);
    hash.update(piece);
  });
  const { code, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.deepEqual({ bytes, digest: hash.digest("hex") }, expectedLog(MEGABYTES));
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { openMlflowServer } from "../../setup/mlflow-server.ts";
import { storeKinds } from "../../setup/stores.ts";

const MiB = 2 ** 20;

function run(command: string, ...words: readonly string[]): boolean {
  return spawnSync(command, words, { stdio: "ignore" }).status === 0;
}

describe("artifacts on a full disk", async () => {
  let mounted: string | undefined;
  // Before the server's folder is removed: hooks run in the order they are given.
  after(() => mounted === undefined || run("umount", mounted));
  const server = await openMlflowServer(storeKinds[0] ?? "sqlite", { listen: true });
  const { artifactFolder, url } = server;
  if (run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", artifactFolder)) mounted = artifactFolder;

  const send = async (
    method: string,
    path: string,
    body: Buffer | string,
    type = "application/octet-stream",
  ): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${url}${path}`, { method, body, headers: { "content-type": type } });
    return { status: answer.status, text: await answer.text() };
  };
  const assertFull = ({ status, text }: { status: number; text: string }): void => {
    assert.equal(status, 507, text);
    const { error_code: code, message } = JSON.parse(text) as { error_code: string; message: string };
    assert.equal(code, "RESOURCE_EXHAUSTED");
    assert.match(
      message,
      /no room for the artifact '.*' \(ENOSPC: no space left on device\).*nothing of it was kept\. Free some space/,
    );
    assert.ok(!message.includes(artifactFolder), message);
  };

  it("are answered with 507 and what to do, and leave no half file", async (context) => {
    if (mounted === undefined) return context.skip("no small disk can be mounted here (it needs Linux and root)");
    assertFull(
      await send("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts/big.bin", Buffer.alloc(8 * MiB, 1)),
    );
    const { run: made } = JSON.parse(
      (await send("POST", "/api/2.0/mlflow/runs/create", '{"experiment_id":"0"}', "application/json")).text,
    ) as { run: { info: { run_id: string } } };
    assertFull(
      await send(
        "POST",
        `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${made.info.run_id}&path=big.bin`,
        Buffer.alloc(4 * MiB, 1),
      ),
    );
    assert.deepEqual(
      (await readdir(artifactFolder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()),
      [],
    );
    assert.equal(
      (await send("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts/small.txt", "small")).status,
      200,
    );
  });

  it("keep what a multipart upload has, so that it is completed when there is room", async (context) => {
    if (mounted === undefined) return context.skip("no small disk can be mounted here (it needs Linux and root)");
    const made = await send(
      "POST",
      "/api/2.0/mlflow-artifacts/mpu/create/0/r/artifacts",
      '{"path":"parts.bin","num_parts":2}',
      "application/json",
    );
    const { upload_id: uploadId } = JSON.parse(made.text) as { upload_id: string };
    const part = (number: number, bytes: number): Promise<{ status: number; text: string }> =>
      send("PUT", `/api/2.0/mlflow-artifacts/mpu/part/${uploadId}/${number}`, Buffer.alloc(bytes, number));
    assertFull(await part(1, 4 * MiB));
    for (const number of [1, 2]) assert.equal((await part(number, 0.6 * MiB)).status, 200);
    const complete = (): Promise<{ status: number; text: string }> =>
      send(
        "POST",
        "/api/2.0/mlflow-artifacts/mpu/complete/0/r/artifacts",
        JSON.stringify({ path: "parts.bin", upload_id: uploadId, parts: [{ part_number: 1 }, { part_number: 2 }] }),
        "application/json",
      );
    assertFull(await complete());
    assert.ok(
      !(await readdir(artifactFolder, { recursive: true })).some(
        (name) => name.endsWith("whole") || name.endsWith("parts.bin"),
      ),
    );
    assert.ok(run("mount", "-o", "remount,size=8m", artifactFolder));
    assert.equal((await complete()).status, 200);
    assert.deepEqual(await readdir(`${artifactFolder}/0/r/artifacts`), ["parts.bin", "small.txt"]);
    await rm(`${artifactFolder}/0`, { recursive: true });
  });
});

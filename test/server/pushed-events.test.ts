import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const DEADLINE_MS = 60_000;

it("events that are pushed to a server become a version by themselves; a token for it does nothing else", async (t) => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(
    join(folder, "pipelines/clicks.yaml"),
    "steps:\n  clicks: { capture: { push: { every: 1s, backlog: 5 } } }\n  other: { run: 'true' }\n",
  );
  const json = async (...words: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runEsteira(folder, [...words, "--json"]);
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  await json("user", "create", "root", "--role", "admin");
  await json("user", "create", "ana", "--role", "contributor");
  await json("user", "create", "eva", "--role", "viewer");
  const { token } = await json("token", "create", "ana", "--only", "push");
  const { token: viewer } = await json("token", "create", "eva");
  const server = await startServer(folder);
  t.after(() => server.stop());
  const call = (path: string, body: string | Buffer | undefined, headers: Record<string, string>): Promise<Response> =>
    fetch(`${server.url}/api/v1/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers,
      ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
    });
  const push = (body: string | Buffer, more: Record<string, string> = {}, dataset = "clicks"): Promise<Response> =>
    call(`datasets/${dataset}/events`, body, { authorization: `Bearer ${String(token)}`, ...more });

  assert.equal((await push('{"id": 1}', { authorization: `Bearer ${String(viewer)}` })).status, 403);
  assert.equal((await push('{"id": 1}', { authorization: "" })).status, 401);
  assert.equal((await call("datasets", undefined, { authorization: `Bearer ${String(token)}` })).status, 403);
  assert.equal((await push('{"id": 1}', {}, "other")).status, 404);
  assert.equal((await push("no json")).status, 400);
  assert.equal((await push(Buffer.alloc(17 * 2 ** 20))).status, 413);
  const first = await push(gzipSync('{"id": 1}\n{"id": 2}\n'), { "content-encoding": "gzip", "idempotency-key": "a" });
  assert.deepEqual([first.status, await first.json()], [200, { accepted: 2, duplicates: 0, replayed: false }]);
  const again = await push('{"id": 1}\n{"id": 2}\n', { "idempotency-key": "a" });
  assert.deepEqual(await again.json(), { accepted: 2, duplicates: 0, replayed: true });
  assert.equal((await push('{"id": 3}', { "idempotency-key": "a" })).status, 422);
  const full = await push(JSON.stringify([{ id: 3 }, { id: 4 }, { id: 5 }]));
  assert.equal(full.status, 200);
  const refused = await push('{"id": 6}');
  // A run may have taken the others by now.
  if (refused.status !== 200) assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  const expected = refused.status === 200 ? 6 : 5;
  for (const endMs = Date.now() + DEADLINE_MS; ;) {
    const shown = await call("datasets/clicks", undefined, { authorization: `Bearer ${String(viewer)}` });
    const { rowCount } = (await shown.json()) as { rowCount?: number };
    if (rowCount === expected) break;
    assert.ok(Date.now() < endMs, `the dataset has ${rowCount} rows, expected ${expected}`);
    await delay(200);
  }
});

it("a file that is pushed again adds only what is missing", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(join(folder, "pipelines/clicks.yaml"), "steps:\n  clicks: { capture: { push: {} } }\n");
  await writeFile(
    join(folder, "clicks.ndjson"),
    Array.from({ length: 12_000 }, (_, id) => `${JSON.stringify({ id })}\n`).join(""),
  );
  const push = async (...more: string[]): Promise<unknown> =>
    JSON.parse((await runEsteira(folder, ["dataset", "push", "clicks", "clicks.ndjson", "--json", ...more])).stdout);
  assert.deepEqual(await push(), { dataset: "clicks", accepted: 12_000, duplicates: 0 });
  assert.deepEqual(await push(), { dataset: "clicks", accepted: 0, duplicates: 12_000 });
  assert.deepEqual(await push("--again"), { dataset: "clicks", accepted: 12_000, duplicates: 0 });
  const run = await runEsteira(folder, ["run", "clicks"]);
  assert.match(run.stdout + run.stderr, /read 24,?000, published 24,?000/);
  const recapture = await runEsteira(folder, ["capture", "clicks", "--again", "all"]);
  assert.match(recapture.stderr, /nowhere but in the dataset/);
});

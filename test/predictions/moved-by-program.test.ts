// Predictions of a real server, moved by the program while it runs: every door still sees them.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { silentLog } from "#base";
import { createServing } from "#serving";
import { deploy, registerModel } from "../serving/served.ts";
import { runEsteira } from "../setup/command-line.ts";
import { openTestServer } from "../setup/opened-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROWS = 30;

it("what an endpoint answered is listed, found, labelled, traced, verified, copied and forgotten after it moved", async () => {
  const server = await openTestServer({ start: true, yaml: "retention: { predictions: 365d }\n" });
  const { platform, url, folder } = server;
  const version = await registerModel(platform, "late-by-columns");
  const serving = createServing({ store: platform.store, objects: platform.objects, log: silentLog });
  await deploy(serving, version);
  await serving.close();
  const call = async (path: string, body?: object): Promise<Record<string, never>> => {
    const answer = await fetch(path.startsWith("/") ? `${url}${path}` : `${url}/api/v1/${path}`, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${path}: ${text}`);
    return JSON.parse(text) as Record<string, never>;
  };
  const endpoint = "/endpoints/production/delay";
  const { predictions: answered }: { predictions?: readonly { id: string }[] } = await call(`${endpoint}/predict`, {
    rows: Array.from({ length: ROWS }, (_, row) => ({
      id: `f-${row}`,
      at: new Date(Date.UTC(2024, 0, 1, row)).toISOString(),
      features: { distance: 100 + row, hour: row % 24, origin: "ATL" },
    })),
  });
  const ids = (answered ?? []).map(({ id }) => id);
  assert.equal(ids.length, ROWS);
  const list = async (query = ""): Promise<readonly { id: string; label?: number }[]> =>
    (await call(`endpoints/production/delay/predictions?limit=1000${query}`))["items"] ?? [];
  const before = await list();

  const compacted = await runEsteira(folder, ["endpoint", "compact", "--json"]);
  assert.equal(compacted.code, 0, compacted.stderr);
  const [moved] = JSON.parse(compacted.stdout) as readonly { moved: number; table: string; rows: number }[];
  assert.deepEqual([moved?.moved, moved?.rows], [ROWS, ROWS]);
  assert.ok((await readdir(moved?.table ?? "")).some((name) => name.endsWith(".parquet")));
  assert.match((await runEsteira(folder, ["endpoint", "compact"])).stdout, /production +delay +0 +30/);

  assert.deepEqual(await list(), before);
  assert.equal((await call("endpoints/production/delay"))["predictionCount"], ROWS);
  const report = await call(`${endpoint}/labels`, {
    labels: [
      { id: ids[3], label: 1 },
      { entityKey: "f-7", label: 0 },
      { entityKey: "nobody", label: 0 },
    ],
  });
  assert.deepEqual([report["matched"], report["unmatched"]], [2, 1]);
  assert.deepEqual(new Set((await list("&labelled=yes")).map(({ id }) => id)), new Set([ids[3], ids[7]]));
  assert.equal((await list("&labelled=no")).length, ROWS - 2);
  const detail: { features?: object; chain?: readonly { id: string }[] } = await call(`predictions/${ids[3]}`);
  assert.deepEqual(detail.features, { distance: 103, hour: 3, origin: "ATL" });
  assert.ok(detail.chain?.some(({ id }) => id === version.id));
  const lineage = await runEsteira(folder, ["lineage", ids[3] ?? ""]);
  assert.equal(lineage.code, 0, lineage.stderr);

  const verified = await runEsteira(folder, ["verify", "--deep", "--json"]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  const copy = await temporaryFolder();
  for (const words of [
    ["backup", join(copy, "backup")],
    ["gc", "--json"],
  ]) {
    const { code, stdout, stderr } = await runEsteira(folder, words);
    assert.equal(code, 0, stdout + stderr);
  }
  const copied = await readdir(join(copy, "backup"), { recursive: true });
  assert.ok(copied.some((name) => /_predictions\/p\/production\/delay\/.*\.parquet$/.test(name)));
  assert.equal((await list()).length, ROWS, "what was received today stays");
});

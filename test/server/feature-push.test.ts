import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const DEADLINE_MS = 60_000;

const PROJECT: Readonly<Record<string, string>> = {
  "esteira.yaml": "name: p\n",
  "pipelines/p.yaml": "steps:\n  rides: { capture: { push: { every: 1s } } }\n",
  "features/f.yaml":
    "entities: { driver: { keys: [driver_id] } }\nviews: { stats: { source: rides, entities: [driver], timestamp: at, features: [trips], push: live } }\n",
};

it("rows pushed online and offline are read at once, outlive a kill, and become a version; a reader pushes nothing", async (t) => {
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(PROJECT)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const token = async (name: string, role: string, ...words: string[]): Promise<string> => {
    await runEsteira(folder, ["user", "create", name, "--role", role, "--json"]);
    const { stdout } = await runEsteira(folder, ["token", "create", name, ...words, "--json"]);
    return (JSON.parse(stdout) as { token: string }).token;
  };
  await token("root", "admin");
  const viewer = await token("eva", "viewer");
  const pusher = await token("ana", "contributor", "--only", "push");
  let server = await startServer(folder);
  t.after(() => server.stop());
  const call = (path: string, body?: object, as = pusher): Promise<Response> =>
    fetch(`${server.url}/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${as}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const push = (driver: number, trips: number, to: string, at = "2026-01-02T00:00:00Z"): Promise<Response> =>
    call("push", { push_source_name: "live", df: { driver_id: [driver], at: [at], trips: [trips] }, to });
  const read = async (): Promise<unknown> => {
    const body = { features: ["stats:trips"], entities: { driver_id: [1, 2] } };
    const { results } = (await (await call("get-online-features", body, viewer)).json()) as {
      results: { values: unknown[] }[];
    };
    return results[1]?.values;
  };
  const rows = async (): Promise<number | undefined> =>
    ((await (await call("api/v1/datasets/rides", undefined, viewer)).json()) as { rowCount?: number }).rowCount;
  const until = async (count: number): Promise<void> => {
    for (const endMs = Date.now() + DEADLINE_MS; (await rows()) !== count; await delay(200))
      assert.ok(Date.now() < endMs, `the dataset has ${await rows()} rows, expected ${count}`);
  };

  const body = { push_source_name: "live", df: { driver_id: [1], at: ["2026-01-01"], trips: [1] }, to: "offline" };
  assert.equal((await call("push", body, viewer)).status, 403);
  assert.equal((await call("push", body, "x")).status, 401);
  assert.equal((await call("get-online-features", {}, pusher)).status, 403);
  const first = await call("push", body);
  assert.deepEqual([first.status, await first.text()], [200, ""]);
  await until(1);
  assert.equal((await push(1, 5, "online_and_offline")).status, 200);
  assert.equal((await push(2, 7, "online")).status, 200);
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
  server = await startServer(folder);
  assert.deepEqual(await read(), [5, 7]);
  await until(2);
  assert.equal((await push(1, 6, "online", "2026-01-01T12:00:00Z")).status, 200);
  assert.deepEqual(await read(), [5, 7]);
  const refused = await push(1, 1.5, "online_and_offline");
  assert.deepEqual([refused.status, /expected BIGINT/.test(await refused.text())], [422, true]);
  const listed = await call("api/v1/feature-views", undefined, viewer);
  const { items } = (await listed.json()) as { items: { push?: { name: string; held: number; lastAtMs?: number } }[] };
  assert.equal(items[0]?.push?.name, "live");
  assert.equal(typeof items[0]?.push?.lastAtMs, "number");
  const { stdout } = await runEsteira(folder, ["feature", "list"]);
  assert.match(stdout, /^stats +rides +1 +\d of 2 +live +\d +\d{4}-/m);
});

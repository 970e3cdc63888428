// A server that is killed while rows are pushed to a feature view: what was answered is online, and in a version once.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { runEsteira } from "../setup/command-line.ts";
import { startServer, type StartedServer } from "../setup/started-server.ts";
import { createPostgresSchema, storeKinds, temporaryFolder } from "../setup/stores.ts";

const ROUNDS = 5;
const DRIVERS = 8;
const FIRST_MS = Date.parse("2026-01-01T00:00:00Z");
const answered = z.object({ results: z.array(z.object({ values: z.array(z.unknown()) })) });

async function makeProject(kind: (typeof storeKinds)[number]): Promise<string> {
  const folder = await temporaryFolder();
  const metadata = kind === "postgres" ? `store: { metadata: ${JSON.stringify(await createPostgresSchema())} }\n` : "";
  const files = {
    "esteira.yaml": `name: p\naccess: { loopback: contributor }\n${metadata}`,
    "pipelines/p.yaml":
      "steps:\n  rides:\n    capture: { push: { every: 1s } }\n    contract: rides.yaml\n    retry: 3\n",
    "rides.yaml":
      "apiVersion: v3.1.0\nkind: DataContract\nid: rides\nversion: 1.0.0\nstatus: active\nschema:\n  - name: rides\n    properties:\n      - { name: driver_id, logicalType: integer, required: true }\n      - { name: at, logicalType: timestamp, required: true }\n      - { name: trips, logicalType: integer, required: true }\n",
    "features/f.yaml":
      "entities: { driver: { keys: [driver_id] } }\nviews: { stats: { source: rides, entities: [driver], timestamp: at, features: [trips], push: live } }\n",
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

for (const kind of storeKinds) {
  describe(`pushes to a feature view and kills (${kind})`, () => {
    it("loses nothing that was answered, and doubles nothing", async () => {
      const folder = await makeProject(kind);
      const first = await runEsteira(folder, ["run", "p"]);
      assert.equal(first.code, 0, first.stdout + first.stderr);
      let number = 0;
      const latest = new Map<number, number>();
      const kept = new Set<number>();
      const sent = new Set<number>();
      let server: StartedServer | undefined;
      for (let round = 0; round < ROUNDS; round++) {
        const started = await startServer(folder);
        server = started;
        let isOver = false;
        const push = async (driver: number): Promise<void> => {
          while (!isOver) {
            const trips = ++number;
            sent.add(trips);
            const df = { driver_id: [driver], at: [new Date(FIRST_MS + trips * 1000).toISOString()], trips: [trips] };
            const body = JSON.stringify({ push_source_name: "live", df, to: "online_and_offline" });
            const answer = await fetch(`${started.url}/push`, { method: "POST", body }).catch(() => undefined);
            if (answer === undefined) return;
            assert.equal(answer.status, 200, await answer.text());
            latest.set(driver, trips);
            kept.add(trips);
          }
        };
        const pushing = Promise.all(Array.from({ length: DRIVERS }, (_, driver) => push(driver)));
        await delay(1500 + round * 400);
        started.child.kill("SIGKILL");
        await once(started.child, "exit");
        isOver = true;
        await pushing;
      }
      server = await startServer(folder);
      try {
        const drivers = Array.from({ length: DRIVERS }, (_, driver) => driver);
        const body = JSON.stringify({ features: ["stats:trips"], entities: { driver_id: drivers } });
        const read = await fetch(`${server.url}/get-online-features`, { method: "POST", body });
        const online = answered.parse(await read.json()).results[1]?.values ?? [];
        for (const driver of drivers) {
          const trips = Number(online[driver]);
          assert.ok(trips >= (latest.get(driver) ?? 0), `driver ${driver}: ${trips} instead of ${latest.get(driver)}`);
          assert.ok(sent.has(trips));
        }
      } finally {
        await server.stop();
      }
      assert.equal((await runEsteira(folder, ["run", "p"])).code, 0);
      const query = "select count(*) as n, string_agg(trips, ',') as ids from rides";
      const { stdout } = await runEsteira(folder, ["query", query, "--json"]);
      const {
        rows: [[rows, ids]],
      } = z.object({ rows: z.tuple([z.tuple([z.coerce.number(), z.string()])]) }).parse(JSON.parse(stdout));
      const found = new Set(ids.split(",").map(Number));
      assert.equal(found.size, rows, "a row is there twice");
      assert.deepEqual(
        [...found].filter((id) => !sent.has(id)),
        [],
      );
      assert.deepEqual(
        [...kept].filter((id) => !found.has(id)),
        [],
      );
      assert.ok(kept.size > 50, `${kept.size} pushes were answered`);
    });
  });
}

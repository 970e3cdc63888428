// A backfill is killed in the middle, goes on, is paused and resumed: its tables equal those of an undisturbed one.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";

const DAYS = 40;
const rides = Array.from({ length: DAYS * 5 }, (_, index) => {
  const day = new Date(Date.UTC(2025, 11, 1 + Math.floor(index / 5))).toISOString().slice(0, 10);
  return `${index},${day} ${String(index % 24).padStart(2, "0")}:00:00,${(index * 7) % 13}`;
});
const FILES: Readonly<Record<string, string>> = {
  "rides.csv": `id,moment,amount\n${rides.join("\n")}\n`,
  "daily.sql": "select id, moment, amount from rides where moment >= $partition_start and moment < $partition_end\n",
  "pipelines/source.yaml": "steps: { rides: { capture: { files: rides.csv } } }\n",
  "pipelines/days.yaml":
    "partitions: { every: day, start: 2025-12-01, end: 2026-01-10 }\nsteps: { daily: { sql: daily.sql, partition_by: moment } }\n",
};

async function createProject(kind: string): Promise<string> {
  const folder = await temporaryFolder();
  const store = kind === "sqlite" ? "" : `store: { metadata: "${await createPostgresSchema()}" }\n`;
  for (const [path, text] of Object.entries({ ...FILES, "esteira.yaml": `name: p\n${store}` })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const { code, stderr } = await runEsteira(folder, ["run", "source"]);
  assert.equal(code, 0, stderr);
  return folder;
}

async function rowsOf(folder: string): Promise<unknown> {
  const { code, stdout, stderr } = await runEsteira(folder, [
    "query",
    "select count(*) as n, sum(id)::bigint as ids, sum(amount * id)::bigint as amount, count(distinct id) as d from daily",
    "--json",
  ]);
  assert.equal(code, 0, stderr);
  const { rows }: { readonly rows: unknown } = JSON.parse(stdout);
  return rows;
}

interface Listed {
  readonly id: string;
  readonly status: string;
  readonly succeeded: number;
}

async function listed(folder: string): Promise<Listed | undefined> {
  const { stdout } = await runEsteira(folder, ["backfill", "list", "--json"]);
  const [newest]: readonly Listed[] = JSON.parse(stdout);
  return newest;
}

describeStores("a backfill of many partitions", (kind) => {
  it("that is killed in the middle, paused and resumed ends as an undisturbed one", { timeout: 900_000 }, async () => {
    const folder = await createProject(kind);
    const first = startEsteira(folder, ["backfill", "days"]);
    let state = await listed(folder);
    while (state === undefined || state.succeeded < 3) {
      await delay(200);
      state = await listed(folder);
    }
    signalGroup(first.child, "SIGKILL");
    await first.ended;
    const { id } = state;
    const second = startEsteira(folder, ["backfill", "resume", id]);
    while ((state?.succeeded ?? 0) < 10) {
      await delay(200);
      state = await listed(folder);
    }
    assert.equal((await runEsteira(folder, ["backfill", "pause", id])).code, 0);
    const paused = await second.ended;
    assert.match(paused.stdout, /paused|succeeded/, paused.stderr);
    if (paused.stdout.includes("paused")) {
      const last = await runEsteira(folder, ["backfill", "resume", id]);
      assert.equal(last.code, 0, last.stderr + last.stdout);
    }
    const undisturbed = await createProject(kind);
    const whole = await runEsteira(undisturbed, ["backfill", "days"]);
    assert.equal(whole.code, 0, whole.stderr);
    assert.match(whole.stdout, new RegExp(`${DAYS} of ${DAYS} made`));
    assert.deepEqual(await rowsOf(folder), await rowsOf(undisturbed));
  });
});

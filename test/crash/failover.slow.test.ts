// Several servers on one PostgreSQL, each with roles of its own: what one loses another goes on with.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { createPostgresDatabase, storeKinds, temporaryFolder } from "../setup/stores.ts";

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const TAKEOVER_MS = 10_000;
const noPostgres = storeKinds.includes("postgres") ? false : "STORES leaves PostgreSQL out";

interface Server {
  readonly url: string;
  /** Of its process group, in which a process namespace of its own may lie. */
  readonly child: ChildProcess;
  kill(): void;
}

interface Cluster {
  readonly folder: string;
  readonly endConnections: (where: string) => Promise<number>;
  readonly start: (roles: string, options?: { readonly isElsewhere?: boolean }) => Promise<Server>;
  /** How often a step has ended, by what it wrote. */
  readonly count: (step: string) => Promise<number>;
}

/** Every step of `work` notes that it ended; the first attempt of `second` hangs. `ping` asks the API as steps do. */
async function openCluster(): Promise<Cluster> {
  const { address, endConnections } = await createPostgresDatabase();
  const folder = await temporaryFolder();
  const notes = join(folder, "notes");
  await mkdir(join(folder, "pipelines"), { recursive: true });
  await mkdir(notes);
  await writeFile(
    join(folder, "esteira.yaml"),
    `name: failover\nstore: { metadata: "${address}" }\nisolation: { level: none }\n`,
  );
  await writeFile(
    join(folder, "pipelines/work.yaml"),
    `steps:
  first: { run: 'echo one >> ${notes}/first' }
  second: { needs: [first], run: 'if mkdir ${notes}/hangs 2>/dev/null; then sleep 600; fi; echo one >> ${notes}/second' }
  third: { needs: [second], run: 'echo one >> ${notes}/third' }
`,
  );
  await writeFile(
    join(folder, "pipelines/ping.yaml"),
    `steps:
  ping:
    run: |
      curl -sf "$MLFLOW_TRACKING_URI/api/2.0/mlflow/experiments/get?experiment_id=0" -H "authorization: Bearer $MLFLOW_TRACKING_TOKEN"
      echo one >> ${notes}/ping
`,
  );
  return {
    folder,
    endConnections,
    start: (roles, options) => startServer(folder, roles, options),
    count: async (step) => (await readFile(join(notes, step), "utf8").catch(() => "")).split("\n").length - 1,
  };
}

async function startServer(
  folder: string,
  roles: string,
  { isElsewhere = false }: { readonly isElsewhere?: boolean } = {},
): Promise<Server> {
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", MAIN, "up", "--port", "0", "--json"];
  // Another process namespace is another host: nobody there sees that its process is gone.
  const apart = isElsewhere ? ["unshare", "--pid", "--fork", "--mount-proc"] : [];
  const child = spawn("env", [...apart, ...words, "--roles", roles], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const kill = (): void => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // It is gone.
    }
  };
  after(async () => {
    kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  let output = "";
  child.stderr.on("data", (piece: Buffer) => (output += piece.toString()));
  const url = await new Promise<string>((found, failed) => {
    child.once("exit", () => failed(new Error(`the server ended: ${output}`)));
    child.stdout.on("data", (piece: Buffer) => {
      output += piece.toString();
      const listening = /"url":"([^"]+)"/.exec(output)?.[1];
      if (listening !== undefined) found(listening);
    });
  });
  await until(async () => ((await fetch(`${url}/readyz`)).status === 200 ? true : undefined));
  return { url, child, kill };
}

async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (const end = Date.now() + 60_000; Date.now() < end; await delay(50)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("it did not happen within a minute");
}

const attemptSchema = z.looseObject({ status: z.string(), startedAtMs: z.number() });
const runSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  stepRuns: z.array(z.looseObject({ step: z.string(), attempts: z.array(attemptSchema) })),
});

async function submit({ url }: Server, pipeline: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/pipelines/${pipeline}/runs`, {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json" },
  });
  const text = await response.text();
  assert.ok(response.ok, text);
  return runSchema.pick({ id: true }).loose().parse(JSON.parse(text)).id;
}

async function readRun({ url }: Server, id: string): Promise<z.infer<typeof runSchema>> {
  return runSchema.parse(await (await fetch(`${url}/api/v1/pipeline-runs/${id}`)).json());
}

async function attemptsOf(server: Server, id: string, step: string): Promise<z.infer<typeof attemptSchema>[]> {
  return (await readRun(server, id)).stepRuns.find((each) => each.step === step)?.attempts ?? [];
}

const ended = (server: Server, id: string): Promise<string> =>
  until(async () => {
    const { status } = await readRun(server, id);
    return ["queued", "running"].includes(status) ? undefined : status;
  });

describe("servers on one PostgreSQL", { skip: noPostgres }, () => {
  it("take over within ten seconds what an engine of another host ran, and do no step twice that had ended", async () => {
    const { start, count } = await openCluster();
    const lost = await start("engine", { isElsewhere: true });
    const api = await start("page,api");
    const id = await submit(api, "work");
    await until(async () => ((await attemptsOf(api, id, "second"))[0]?.status === "running" ? true : undefined));
    await start("engine", { isElsewhere: true });
    lost.kill();
    const killedAtMs = Date.now();
    const second = await until(async () => (await attemptsOf(api, id, "second"))[1]);
    assert.ok(second.startedAtMs - killedAtMs < TAKEOVER_MS, `taken over after ${second.startedAtMs - killedAtMs} ms`);
    assert.equal(await ended(api, id), "succeeded");
    assert.deepEqual(
      (await attemptsOf(api, id, "second")).map(({ status }) => status),
      ["lost", "succeeded"],
    );
    for (const step of ["first", "third"]) {
      assert.equal((await attemptsOf(api, id, step)).length, 1);
      assert.equal(await count(step), 1);
    }
    assert.equal(await count("second"), 1);
  });

  it("go on after every connection to the database was ended, listening ones too", async () => {
    const { start, count, endConnections } = await openCluster();
    const [api, other] = [await start("page,api"), await start("api")];
    const engines = [await start("engine"), await start("engine")];
    for (let round = 1; round <= 3; round++) {
      assert.ok((await endConnections("query ilike 'listen %'")) >= 3);
      await endConnections("true");
      const id = await submit(round % 2 === 0 ? other : api, "ping");
      assert.equal(await ended(api, id), "succeeded");
      assert.equal(await ended(other, id), "succeeded");
      assert.equal(await count("ping"), round);
    }
    for (const { child } of [api, other, ...engines]) assert.equal(child.exitCode, null, "a server ended");
  });

  it("keep the API of one that is left when the other is killed", async () => {
    const { start } = await openCluster();
    const [lost, left] = [await start("page,api"), await start("page,api,engine")];
    const id = await submit(lost, "ping");
    lost.kill();
    assert.equal(await ended(left, id), "succeeded");
    assert.equal((await fetch(`${left.url}/`)).status, 200);
  });
});

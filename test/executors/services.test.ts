import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get, request } from "node:http";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError } from "#base";
import {
  createServices,
  identifyProcess,
  isRunning,
  type RunningService,
  type ServiceKey,
  type ServicePlan,
  type Services,
} from "#executors";
import { temporaryFolder } from "../setup/stores.ts";

const key: ServiceKey = { project: "p", environment: "staging", name: "web" };
const never = new AbortController().signal;

/**
 * A server that answers with its name, is healthy unless told otherwise, and finishes open requests when it is stopped.
 */
const SERVER = `
const { createServer } = require("node:http");
const server = createServer((request, response) => {
  if (request.url === "/healthz") return response.writeHead(process.env.HEALTH ?? 200).end();
  if (request.url === "/crash") process.exit(3);
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => setTimeout(() => response.end(process.env.NAME + " " + Buffer.concat(chunks).length), Number(process.env.SLOW ?? 0)));
});
server.listen(process.env.PORT, process.env.HOST, () => console.log(process.env.NAME, "listens"));
process.on("SIGTERM", () => { console.log("stopping"); server.close(() => process.exit(0)); });
`;

const opened: Services[] = [];

async function open(): Promise<{
  readonly services: Services;
  readonly folder: string;
  plan(name: string, environment?: Record<string, string>): ServicePlan;
}> {
  const folder = await temporaryFolder();
  const release = join(folder, "release");
  await mkdir(release);
  await writeFile(join(release, "server.cjs"), SERVER);
  const services = createServices({ folder: join(folder, "services") });
  opened.push(services);
  return {
    services,
    folder,
    plan: (name, environment = {}) => ({
      deploymentId: name,
      folder: release,
      command: `exec "${process.execPath}" server.cjs`,
      environment: { PATH: "/usr/bin:/bin", NAME: name, ...environment },
      health: "/healthz",
      healthTimeoutMs: 60_000,
    }),
  };
}

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`)),
      );
    }).on("error", reject);
  });
}

afterEach(async () => {
  for (const services of opened.splice(0)) await services.stop(key);
});

describe("services", () => {
  it("keep one address over releases and lose no request in a switch", { timeout: 180_000 }, async () => {
    const { services, plan } = await open();
    const first = await services.deploy(key, plan("one", { SLOW: "30" }), { signal: never });
    assert.equal(await fetchText(first.url), "one 0");
    const answers = new Map<string, number>();
    let sending = true;
    const clients = Array.from({ length: 8 }, async () => {
      while (sending) {
        const name = await fetchText(`${first.url}/work`).catch((error: unknown) => `failed: ${String(error)}`);
        answers.set(name, (answers.get(name) ?? 0) + 1);
      }
    });
    for (const name of ["two", "three", "four"]) {
      const next = await services.deploy(key, plan(name, { SLOW: "30" }), { signal: never });
      assert.equal(next.url, first.url);
      assert.match(await fetchText(next.url), new RegExp(`^${name} `));
    }
    sending = false;
    await Promise.all(clients);
    assert.deepEqual(
      [...answers.keys()].filter((name) => name.startsWith("failed")),
      [],
    );
    assert.ok([...answers.values()].reduce((sum, count) => sum + count, 0) > 50);
  });

  it(
    "keep the release before when the next one is not healthy, and show its last lines",
    { timeout: 180_000 },
    async () => {
      const { services, plan } = await open();
      const first = await services.deploy(key, plan("good"), { signal: never });
      await assert.rejects(
        services.deploy(key, { ...plan("bad", { HEALTH: "500" }), healthTimeoutMs: 600 }, { signal: never }),
        (error) =>
          isEsteiraError(error, "EXECUTORS_SERVICE_UNHEALTHY") &&
          /status 500/.test(error.message) &&
          /bad listens/.test(error.message),
      );
      await assert.rejects(
        services.deploy(key, { ...plan("broken"), command: "echo cannot start >&2; exit 7" }, { signal: never }),
        (error) =>
          isEsteiraError(error, "EXECUTORS_SERVICE_UNHEALTHY") &&
          /exit code 7/.test(error.message) &&
          /cannot start/.test(error.message),
      );
      assert.equal(await fetchText(first.url), "good 0");
      assert.equal((await services.status(key))?.current?.deploymentId, "good");
    },
  );

  it("answer a repeated deploy with what runs, also when two ask at once", { timeout: 180_000 }, async () => {
    const { services, plan, folder } = await open();
    const other = createServices({ folder: join(folder, "services") });
    const states = await Promise.all(
      [services, other, services].map((each) => each.deploy(key, plan("one"), { signal: never })),
    );
    const again = await other.deploy(key, plan("one"), { signal: never });
    assert.equal(new Set([...states, again].map((state) => state.current?.pid)).size, 1);
  });

  it("start a process that ended again while requests wait", { timeout: 180_000 }, async () => {
    const { services, plan } = await open();
    const { url, current } = await services.deploy(key, plan("one"), { signal: never });
    await assert.rejects(fetchText(`${url}/crash`), /502/);
    while ((await services.status(key))?.current?.up === true) await delay(5);
    assert.equal(await fetchText(url), "one 0");
    const after = (await services.status(key))?.current;
    assert.notEqual(after?.pid, current?.pid);
    assert.equal(after?.restarts, 1);
  });

  it(
    "bring the release back when the supervisor was killed, and leave no process of before",
    { timeout: 180_000 },
    async () => {
      const { services, plan, folder } = await open();
      const { url, current } = await services.deploy(key, plan("one"), { signal: never });
      const file = join(folder, "services", "p", "staging", "web", "supervisor.json");
      const supervisor = JSON.parse(await readFile(file, "utf8")) as { pid: number; startTime: string };
      process.kill(supervisor.pid, "SIGKILL");
      while (await isRunning(supervisor)) await delay(10);
      assert.equal(await services.status(key), undefined);
      assert.equal(await services.ensure(key), true);
      assert.equal(await fetchText(url), "one 0");
      const after = (await services.status(key))?.current;
      assert.notEqual(after?.pid, current?.pid);
      assert.equal(await identifyProcess(current?.pid ?? 0), undefined);
    },
  );

  it("stop waiting for health when the deploy is cancelled", { timeout: 180_000 }, async () => {
    const { services, plan } = await open();
    await services.deploy(key, plan("one"), { signal: never });
    const cancel = new AbortController();
    const waiting = services.deploy(key, plan("never", { HEALTH: "503" }), { signal: cancel.signal });
    setTimeout(() => cancel.abort(), 300);
    await assert.rejects(waiting, { name: "AbortError" });
    assert.equal((await services.status(key))?.current?.deploymentId, "one");
  });

  it("pass bodies and chunked requests through unchanged", { timeout: 180_000 }, async () => {
    const { services, plan } = await open();
    const { port }: RunningService = await services.deploy(key, plan("one"), { signal: never });
    const text = await new Promise<string>((resolve, reject) => {
      const sent = request({ port, host: "127.0.0.1", method: "POST", path: "/", agent: false }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve(body));
      });
      sent.on("error", reject);
      for (let chunk = 0; chunk < 64; chunk++) sent.write(Buffer.alloc(16_384, 1));
      sent.end();
    });
    assert.equal(text, `one ${64 * 16_384}`);
  });

  it("end with their process when they are stopped, twice without harm", { timeout: 180_000 }, async () => {
    const { services, plan } = await open();
    const { current } = await services.deploy(key, plan("one"), { signal: never });
    await services.stop(key);
    await services.stop(key);
    assert.equal(await services.status(key), undefined);
    assert.equal(await services.ensure(key), false);
    assert.equal(await identifyProcess(current?.pid ?? 0), undefined);
  });
});

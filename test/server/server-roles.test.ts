// What a server process does, and what it leaves to others on the same store.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { z } from "zod";
import { isEsteiraError } from "#base";
import { listPipelineRuns, listStepRuns } from "#metadata-store/engine";
import { readServerRoles } from "#server";
import { openTestServer } from "../setup/opened-server.ts";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const files = async (folder: string): Promise<void> => {
  await mkdir(join(folder, "pipelines"), { recursive: true });
  await writeFile(join(folder, "pipelines/a.yaml"), 'on: { schedule: "* * * * *" }\nsteps:\n  good: { run: "true" }\n');
};

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
}

const rows: RequestInit = {
  method: "POST",
  body: JSON.stringify({ rows: [{ features: { x: 1 } }] }),
  headers: { "content-type": "application/json" },
};

describe("roles of a server", () => {
  it("are read from names with commas between, in any order, each once", () => {
    assert.deepEqual(readServerRoles(undefined), ["page", "api", "engine", "serving"]);
    assert.deepEqual(readServerRoles(" serving, api ,api"), ["api", "serving"]);
    for (const [text, says] of [
      ["", /roles are ""; expected one or more of page, api, engine, serving/],
      [",", /expected one or more/],
      ["api;engine", /no role "api;engine"/],
      ["api,Engine,motor", /no role "Engine", "motor"/],
    ] as const)
      assert.throws(
        () => readServerRoles(text),
        (error) => isEsteiraError(error, "SERVER_ROLES_INVALID") && says.test(String(error)),
      );
  });

  it("are told by the probe, and only the parts of a role are waited for", async () => {
    const { url } = await openTestServer({ prepare: files, roles: ["api"], start: true });
    assert.deepEqual(JSON.parse((await ask(`${url}/readyz`)).text), {
      status: "ready",
      roles: ["api"],
      checks: { store: "ok" },
    });
    assert.match((await ask(`${url}/metrics`)).text, /^esteira_server_role\{role="api"\} 1$/m);
  });

  it("without the engine start no run and no schedule, and know the pipelines that another process registers", async () => {
    const { url, platform, folder } = await openTestServer({ prepare: files, roles: ["page", "api"], start: true });
    const list = async (): Promise<number> =>
      (JSON.parse((await ask(`${url}/api/v1/pipelines`)).text) as { items: unknown[] }).items.length;
    assert.equal(await list(), 0);
    const other = await runEsteira(folder, ["run", "a"], {});
    assert.equal(other.code, 0, other.stderr);
    assert.equal(await list(), 1);
    const queued = await ask(`${url}/api/v1/pipelines/a/runs`, { ...rows, body: "{}" });
    assert.ok(queued.status < 300, queued.text);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const runs = await platform.store.read((transaction) => listPipelineRuns(transaction, { project: "p", limit: 10 }));
    const { id } = z.looseObject({ id: z.string() }).parse(JSON.parse(queued.text));
    const waiting = await platform.store.read((transaction) => listStepRuns(transaction, { pipelineRunId: id }));
    assert.equal(runs.length, 2);
    assert.deepEqual(
      waiting.map(({ status }) => status),
      ["queued"],
    );
    assert.equal((await platform.whole()).engine.isWorking(), false);
    for (const end = Date.now() + 10_000; Date.now() < end && (await platform.whole()).pipelineNames().length === 0;)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual((await platform.whole()).pipelineNames(), ["a"]);
  });

  it("without the API answer probes, and say of everything else who answers it", async () => {
    const { url } = await openTestServer({ prepare: files, roles: ["engine"], start: true });
    assert.deepEqual(
      [(await ask(`${url}/livez`)).status, (await ask(`${url}/readyz`)).status, (await ask(`${url}/health`)).text],
      [200, 200, "OK"],
    );
    const api = await ask(`${url}/api/v1/pipelines`);
    assert.equal(api.status, 503);
    assert.match(api.text, /SERVER_ROLE_ELSEWHERE.*nothing of the API.*role engine.*--roles api/s);
    for (const [path, init] of [
      ["/api/2.0/mlflow/experiments/get?experiment_id=0", {}],
      ["/endpoints/production/delay/predict", rows],
      ["/endpoints/production/delay/labels", rows],
      ["/endpoints/production/delay/v2/health/ready", {}],
      ["/get-online-features", rows],
      ["/hooks/any", rows],
    ] as const) {
      const answer = await ask(url + path, init);
      assert.equal(answer.status, 503, `${path} ${answer.text}`);
      assert.match(answer.text, /role engine/);
    }
    assert.equal((await ask(`${url}/`)).status, 404);
    assert.equal((await ask(`${url}/api/v1/nothing`)).status, 404);
  });

  it("without serving load no model, also where the API is asked about an endpoint", async () => {
    const { url, platform } = await openTestServer({ prepare: files, roles: ["api", "engine"], start: true });
    assert.equal((await ask(`${url}/endpoints/production/delay/predict`, rows)).status, 503);
    const { serving } = await platform.whole();
    const key = { project: "p", environment: "production", endpoint: "delay" };
    await serving.endpoints.refresh(key);
    await assert.rejects(serving.endpoints.model(key), (error) => isEsteiraError(error, "SERVING_ENDPOINT_ELSEWHERE"));
  });

  it("with serving alone answer endpoints and nothing else", async () => {
    const { url } = await openTestServer({ prepare: files, roles: ["serving"], start: true });
    assert.deepEqual(JSON.parse((await ask(`${url}/readyz`)).text), {
      status: "ready",
      roles: ["serving"],
      checks: { store: "ok", endpoints: "ok" },
    });
    const answer = await ask(`${url}/endpoints/production/delay/predict`, rows);
    assert.match(answer.text, /SERVING_ENDPOINT_UNKNOWN/);
    assert.equal((await ask(`${url}/api/v1/pipelines`)).status, 503);
    assert.equal((await ask(`${url}/`)).status, 404);
  });

  it("are refused by the command line where a port belongs to another role, or there is no such role", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "esteira.yaml"), "name: p\n");
    for (const [words, environment, says] of [
      [["--roles", "page,motor"], {}, /there is no role "motor".*SERVER_ROLES_INVALID/s],
      [[], { ESTEIRA_ROLES: "motor" }, /there is no role "motor"/],
      [["--roles", "api", "--grpc-port", "0"], {}, /--grpc-port needs the role serving/],
      [["--roles", "serving", "--sql-port", "0"], {}, /--sql-port needs the role api/],
    ] as const) {
      const { code, stderr } = await runEsteira(folder, ["up", "--port", "0", ...words], {
        ESTEIRA_LANG: "en",
        ...environment,
      });
      assert.notEqual(code, 0);
      assert.match(stderr, says);
    }
  });
});

// What probes and Prometheus are told.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile, mkdir, chmod } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { saveEndpoint } from "#metadata-store/serving";
import { testPython } from "../setup/python-environment.ts";
import { openTestServer, signIn } from "../setup/opened-server.ts";

const ask = async (
  url: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly type: string; readonly text: string }> => {
  const response = await fetch(url, { headers });
  return { status: response.status, type: response.headers.get("content-type") ?? "", text: await response.text() };
};

async function wait(until: () => Promise<boolean>): Promise<void> {
  while (!(await until())) await new Promise(setImmediate);
}

const pipelineOf = (folder: string): Promise<void> =>
  mkdir(join(folder, "pipelines"), { recursive: true }).then(() =>
    writeFile(join(folder, "pipelines/a.yaml"), 'steps:\n  good: { run: "true" }\n'),
  );

describe("probes", () => {
  it("tell that the process lives, and that it is ready only once engine and endpoints are", async () => {
    const { url, platform } = await openTestServer({ prepare: pipelineOf });
    assert.deepEqual(
      [(await ask(`${url}/livez`)).status, (await ask(`${url}/readyz`)).status, (await ask(`${url}/health`)).text],
      [200, 503, "OK"],
    );
    assert.match((await ask(`${url}/readyz`)).text, /"engine":"the project is not started yet"/);
    await platform.start();
    for (const path of ["/readyz", "/healthz"])
      assert.deepEqual(JSON.parse((await ask(url + path)).text), {
        status: "ready",
        roles: ["page", "api", "engine", "serving"],
        checks: { store: "ok", engine: "ok", endpoints: "ok" },
      });
    await (await platform.whole()).engine.stop();
    assert.equal((await ask(`${url}/readyz`)).status, 503);
  });

  it("name the endpoint that is not loaded, and the reason to those alone who may read", async () => {
    const opened = await openTestServer({ prepare: pipelineOf });
    const { url, platform } = opened;
    const owner = await signIn(opened, "ana", "admin");
    await platform.store.write((transaction) =>
      saveEndpoint(transaction, {
        project: "p",
        environment: "production",
        endpoint: "delay",
        action: "deploy",
        modelVersionId: "gone",
        strategy: { kind: "direct" },
        actor: "ana",
        atMs: 1,
        operationId: "o",
      }),
    );
    await platform.start();
    const [anybody, reader] = [await ask(`${url}/readyz`), await ask(`${url}/readyz`, owner)];
    assert.deepEqual([anybody.status, reader.status], [503, 503]);
    assert.match(reader.text, /production\/delay: The model version gone/);
    assert.doesNotMatch(anybody.text, /delay/);
    assert.match(anybody.text, /"endpoints":"not ready"/);
  });

  it("are not ready while the store does not answer", async () => {
    const { url, folder } = await openTestServer();
    await ask(`${url}/api/v1/session`);
    const database = new DatabaseSync(join(folder, ".esteira/metadata.sqlite"));
    database.exec("alter table event rename to away");
    database.close();
    const answer = await ask(`${url}/readyz`);
    assert.equal(answer.status, 503);
    assert.match(answer.text, /the metadata store does not answer/);
    assert.equal((await ask(`${url}/livez`)).status, 200);
  });
});

describe("metrics", () => {
  it("are for those who may read the project", async () => {
    const opened = await openTestServer();
    const [viewer, nobody] = [await signIn(opened, "ana", "admin"), await signIn(opened, "rui")];
    assert.deepEqual(
      [
        (await ask(`${opened.url}/metrics`)).status,
        (await ask(`${opened.url}/metrics`, nobody)).status,
        (await ask(`${opened.url}/metrics`, viewer)).status,
      ],
      [401, 403, 200],
    );
  });

  it("are what Prometheus reads, and count requests, step runs and the loop's delay", async (context) => {
    const { url, folder } = await openTestServer({ prepare: pipelineOf, start: true });
    await fetch(`${url}/api/v1/session`);
    await fetch(`${url}/nothing"\\`);
    const started = await fetch(`${url}/api/v1/pipelines/a/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    assert.equal(started.status, 200, await started.text());
    await wait(async () => /esteira_step_runs_total\{status="succeeded"\} 1/.test((await ask(`${url}/metrics`)).text));
    const { text, type } = await ask(`${url}/metrics`);
    assert.match(type, /text\/plain; version=0\.0\.4/);
    assert.match(
      text,
      /http_server_request_duration_seconds_count\{http_request_method="GET",http_route="\/api\/v1\/session",http_response_status_code="200"\} 1/,
    );
    assert.match(text, /# TYPE nodejs_eventloop_delay_seconds summary\n/);
    assert.match(text, /nodejs_eventloop_delay_seconds\{quantile="0.99"\}/);
    const quantiles = text.split("\n").filter((line) => /\bquantile="/.test(line));
    for (const line of quantiles)
      assert.ok(text.includes(`# TYPE ${line.slice(0, line.indexOf("{"))} summary\n`), line);
    const file = join(folder, "metrics.txt");
    await writeFile(file, text);
    await chmod(file, 0o600);
    const script =
      "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as parse\nprint(len([sample for family in parse(open(sys.argv[1]).read()) for sample in family.samples]))";
    const found = await testPython(["prometheus-client==0.25.0"]);
    if ("problem" in found) return context.skip(found.problem);
    const { stdout } = await promisify(execFile)(found.python, ["-c", script, file]);
    assert.equal(Number(stdout), text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length);
  });
});

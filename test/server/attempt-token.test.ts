import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { startServer, type StartedServer } from "../setup/started-server.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

/** Logs as MLflow's clients do; then tries what a step must not do. What came out goes where the test finds it. */
const SCRIPT = `
import { readFileSync, writeFileSync } from "node:fs";
const { MLFLOW_TRACKING_URI: base, MLFLOW_TRACKING_TOKEN: token, RESULTS: results } = process.env;
const call = async (method, path, body) => {
  const answer = await fetch(base + "/api/2.0/" + path, { method, headers: { authorization: "Bearer " + token, "content-type": "application/json" }, body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json().catch(() => ({}))) };
};
console.log("the token is " + token);
const made = await call("POST", "mlflow/runs/create", { experiment_id: "0", user_id: "nobody", start_time: 1, tags: [{ key: "esteira.attempt", value: "forged" }, { key: "mlflow.user", value: "nobody" }] });
const runId = made.run?.info.run_id;
const artifacts = "mlflow-artifacts/artifacts/0/" + runId + "/artifacts/";
const model = await call("POST", "mlflow/logged-models", { experiment_id: "0", source_run_id: runId });
const modelId = model.model?.info.model_id;
const foreign = readFileSync("foreign.txt", "utf8");
const allowed = {
  create: made.status,
  child: (await call("POST", "mlflow/runs/create", { experiment_id: "0", start_time: 1, tags: [{ key: "mlflow.parentRunId", value: runId }] })).status,
  metric: (await call("POST", "mlflow/runs/log-metric", { run_id: runId, key: "auc", value: 0.9, timestamp: 1 })).status,
  batch: (await call("POST", "mlflow/runs/log-batch", { run_id: runId, metrics: [{ key: "loss", value: 0.1, timestamp: 1, step: 0, model_id: modelId }] })).status,
  artifact: (await call("PUT", artifacts + "a.txt", "text")).status,
  loggedModel: model.status,
  modelArtifact: (await call("PUT", "mlflow-artifacts/artifacts/0/models/" + modelId + "/artifacts/MLmodel", "text")).status,
  finished: (await call("PATCH", "mlflow/logged-models/" + modelId, { model_id: modelId, status: "LOGGED_MODEL_READY" })).status,
  register: (await call("POST", "mlflow/registered-models/create", { name: "m-" + runId })).status,
  readForeign: (await call("GET", "mlflow/runs/get?run_id=" + foreign)).status,
};
const refused = {
  param: (await call("POST", "mlflow/runs/log-parameter", { run_id: foreign, key: "a", value: "b" })).status,
  tag: (await call("POST", "mlflow/runs/set-tag", { run_id: foreign, key: "a", value: "b" })).status,
  delete: (await call("POST", "mlflow/runs/delete", { run_id: foreign })).status,
  artifact: (await call("PUT", "mlflow-artifacts/artifacts/0/" + foreign + "/artifacts/a.txt", "text")).status,
  smuggled: (await call("PUT", "mlflow-artifacts/artifacts/0/" + foreign + "/" + runId + "/artifacts/a.txt", "text")).status,
  experiment: (await call("POST", "mlflow/experiments/delete", { experiment_id: "0" })).status,
  webhook: (await call("GET", "mlflow/webhooks")).status,
  renamed: (await call("POST", "mlflow/registered-models/rename", { name: "m-" + runId, new_name: "x" })).status,
  run: (await fetch(base + "/api/v1/pipelines/work/runs", { method: "POST", headers: { authorization: "Bearer " + token, "content-type": "application/json" }, body: "{}" })).status,
  predict: (await fetch(base + "/endpoints/production/none/predict", { method: "POST", headers: { authorization: "Bearer " + token }, body: "{}" })).status,
  unsigned: (await fetch(base + "/api/2.0/mlflow/runs/get?run_id=" + foreign)).status,
};
writeFileSync(results, JSON.stringify({ runId, token, allowed, refused, attempt: process.env.ESTEIRA_ATTEMPT_ID, leaked: Object.entries(process.env).filter(([, value]) => value.startsWith("est_")) }));
`;

interface Results {
  readonly runId: string;
  readonly token: string;
  readonly attempt: string;
  readonly allowed: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly leaked: readonly unknown[];
}

describeStores("the token of an attempt", (kind) => {
  const servers: StartedServer[] = [];
  after(async () => {
    for (const server of servers) await server.stop();
  });

  async function createProject(
    loopback: string,
  ): Promise<{ folder: string; results: string; admin: string; foreign: string; server: StartedServer }> {
    const folder = await temporaryFolder();
    const results = join(folder, "results.json");
    const { address } = await openTestStore(kind);
    await mkdir(join(folder, "pipelines"));
    await writeFile(
      join(folder, "esteira.yaml"),
      `name: p\nstore: { metadata: ${JSON.stringify(address)} }\naccess: { loopback: ${loopback} }\n# The step leaves its token for the test, which no log would show.\nisolation: { exempt: [work.log] }\n`,
    );
    await writeFile(join(folder, "log.mjs"), SCRIPT);
    await writeFile(
      join(folder, "pipelines/work.yaml"),
      `steps:\n  log:\n    node: log.mjs\n    env: { RESULTS: ${JSON.stringify(results)} }\n`,
    );
    const { stdout } = await runEsteira(folder, ["user", "create", "ana", "--json"]);
    const { token: admin } = JSON.parse(stdout) as { token: string };
    const server = await startServer(folder, { ESTEIRA_TOKEN: admin });
    servers.push(server);
    const made = await post(server.url, "/api/2.0/mlflow/runs/create", admin, { experiment_id: "0", start_time: 1 });
    const { run } = (await made.json()) as { run: { info: { run_id: string } } };
    await writeFile(join(folder, "foreign.txt"), run.info.run_id);
    return { folder, results, admin, foreign: run.info.run_id, server };
  }

  const post = (url: string, path: string, token: string | undefined, body: object): Promise<Response> =>
    fetch(url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });

  function check(found: Results, loopback: string): void {
    assert.deepEqual(found.leaked, [], "a token of the server's environment reached the step");
    assert.ok(
      Object.values(found.allowed).every((status) => status === 200),
      JSON.stringify(found.allowed),
    );
    const { unsigned, ...refused } = found.refused;
    assert.ok(
      Object.values(refused).every((status) => status === 403),
      JSON.stringify(refused),
    );
    assert.equal(unsigned, loopback === "none" ? 401 : 200);
  }

  for (const loopback of ["none", "contributor"]) {
    it(`lets a step log to its own runs and to no other, in every way that a run is started, with access.loopback ${loopback}`, async () => {
      const { folder, results, admin, foreign, server } = await createProject(loopback);
      const read = async (): Promise<Results> => JSON.parse(await readFile(results, "utf8")) as Results;
      const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
        ["esteira run with a server up", () => runEsteira(folder, ["run", "work"])],
        ["the same with a user's token", () => runEsteira(folder, ["run", "work"], { ESTEIRA_TOKEN: admin })],
        [
          "a run that the server starts",
          async () => {
            const before = (await read()).runId;
            assert.equal((await post(server.url, "/api/v1/pipelines/work/runs", admin, {})).status, 200);
            while ((await read().catch(() => ({ runId: before }))).runId === before)
              await new Promise((done) => setTimeout(done, 50));
          },
        ],
      ];
      let ended: Results | undefined;
      for (const [way, start] of ways) {
        const answer = await start();
        const found = await read().catch(() => assert.fail(`${way}: ${JSON.stringify(answer)}`));
        check(found, loopback);
        ended ??= found;
        const got = await fetch(`${server.url}/api/2.0/mlflow/runs/get?run_id=${found.runId}`, {
          headers: { authorization: `Bearer ${admin}` },
        });
        const { run } = (await got.json()) as {
          run: { info: { user_id: string }; data: { tags: readonly { key: string; value: string }[] } };
        };
        const tags = Object.fromEntries(run.data.tags.map(({ key, value }) => [key, value]));
        assert.equal(run.info.user_id, way === "esteira run with a server up" ? tags["mlflow.user"] : "ana", way);
        assert.match(run.info.user_id, /^(ana|local:.+)$/);
        assert.equal(tags["esteira.attempt"], found.attempt.split(".")[0], way);
      }
      const stale = await post(server.url, "/api/2.0/mlflow/runs/log-parameter", ended?.token, {
        run_id: ended?.runId,
        key: "late",
        value: "1",
      });
      assert.equal(stale.status, 401, "a token outlived its attempt");
      const untouched = await fetch(`${server.url}/api/2.0/mlflow/runs/get?run_id=${foreign}`, {
        headers: { authorization: `Bearer ${admin}` },
      });
      assert.deepEqual(
        Object.keys(((await untouched.json()) as { run: { data: { params?: object } } }).run.data.params ?? {}),
        [],
      );
      server.child.kill("SIGTERM");
      await once(server.child, "exit");

      const { code, stdout, stderr } = await runEsteira(folder, ["run", "work"]);
      assert.equal(code, 0, stdout + stderr);
      check(await read(), loopback);
      const logged = await runEsteira(folder, ["logs", "latest"]);
      assert.match(logged.stdout, /the token is \*\*\*/);
      assert.ok(!logged.stdout.includes((await read()).token));
    });
  }
});

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { listEvents } from "#metadata-store";
import { openMlflowServer, type TestMlflowServer } from "../../setup/mlflow-server.ts";
import { storeKinds } from "../../setup/stores.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

async function call(
  server: TestMlflowServer,
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  url: string,
  body?: object,
): Promise<Answer> {
  const answer = await server.server.inject({
    method,
    url,
    ...(body === undefined ? {} : { payload: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  return { status: answer.statusCode, type: String(answer.headers["content-type"]), text: answer.body };
}

const post = (server: TestMlflowServer, path: string, body: object): Promise<Answer> =>
  call(server, "POST", `/api/2.0/mlflow/${path}`, body);

async function json<Shape>(answer: Promise<Answer>): Promise<Shape> {
  const { status, text } = await answer;
  assert.equal(status, 200, text);
  return JSON.parse(text) as Shape;
}

/** MLflow's routes that this server has not: method, path, what the reason names. */
const MISSING = `
POST /api/2.0/mlflow/traces Traces
GET /api/2.0/mlflow/traces?experiment_ids=0 Traces
PATCH /api/2.0/mlflow/traces/tr-1 Traces
GET /api/2.0/mlflow/traces/tr-1/info Traces
PATCH /api/2.0/mlflow/traces/tr-1/tags Traces
DELETE /api/2.0/mlflow/traces/tr-1/tags Traces
POST /api/2.0/mlflow/traces/delete-traces Traces
POST /api/2.0/mlflow/traces/link-prompts Traces
POST /api/2.0/mlflow/traces/link-to-run Traces
GET /ajax-api/2.0/mlflow/get-trace-artifact Traces
GET /ajax-api/3.0/mlflow/get-trace-artifact Traces
GET /api/2.0/mlflow/get-online-trace-details Traces
GET /api/2.0/mlflow/unified-traces Traces
POST /api/3.0/mlflow/traces Traces
GET /api/3.0/mlflow/traces/tr-1 Traces
GET /api/3.0/mlflow/traces/get?trace_id=tr-1 Traces
GET /api/3.0/mlflow/traces/batchGet Traces
POST /api/3.0/mlflow/traces/batchGetInfos Traces
POST /api/3.0/mlflow/traces/search Traces
POST /api/3.0/mlflow/traces/calculate-filter-correlation Traces
POST /api/3.0/mlflow/traces/metrics Traces
POST /api/3.0/mlflow/traces/tr-1/assessments Assessments
GET /api/3.0/mlflow/traces/tr-1/assessments/a-1 Assessments
PATCH /api/3.0/mlflow/traces/tr-1/assessments/a-1 Assessments
DELETE /api/3.0/mlflow/traces/tr-1/assessments/a-1 Assessments
POST /api/3.0/mlflow/datasets/create Evaluation
GET /api/3.0/mlflow/datasets/search Evaluation
POST /api/3.0/mlflow/datasets/search Evaluation
GET /api/3.0/mlflow/datasets/d-1 Evaluation
DELETE /api/3.0/mlflow/datasets/d-1 Evaluation
POST /api/3.0/mlflow/datasets/d-1/add-experiments Evaluation
POST /api/3.0/mlflow/datasets/d-1/remove-experiments Evaluation
GET /api/3.0/mlflow/datasets/d-1/experiment-ids Evaluation
GET /api/3.0/mlflow/datasets/d-1/records Evaluation
POST /api/3.0/mlflow/datasets/d-1/records Evaluation
DELETE /api/3.0/mlflow/datasets/d-1/records Evaluation
PATCH /api/3.0/mlflow/datasets/d-1/tags Evaluation
DELETE /api/3.0/mlflow/datasets/d-1/tags/k Evaluation
POST /ajax-api/3.0/mlflow/scorer/invoke Scorers
POST /api/3.0/mlflow/scorers/register Scorers
GET /api/3.0/mlflow/scorers/list Scorers
GET /api/3.0/mlflow/scorers/versions Scorers
GET /api/3.0/mlflow/scorers/get Scorers
DELETE /api/3.0/mlflow/scorers/delete Scorers
PUT /api/3.0/mlflow/scorers/online-config Scorers
GET /api/3.0/mlflow/scorers/online-configs Scorers
POST /api/3.0/mlflow/issues Issues
GET /api/3.0/mlflow/issues/i-1 Issues
PATCH /api/3.0/mlflow/issues/i-1 Issues
POST /api/3.0/mlflow/issues/search Issues
POST /ajax-api/3.0/mlflow/issues/invoke Issues
GET /ajax-api/2.0/mlflow/gateway-proxy gateway
POST /ajax-api/2.0/mlflow/gateway-proxy gateway
GET /ajax-api/3.0/mlflow/gateway/provider-config gateway
GET /ajax-api/3.0/mlflow/gateway/secrets/config gateway
POST /api/3.0/mlflow/gateway/budgets/create gateway
DELETE /api/3.0/mlflow/gateway/budgets/delete gateway
GET /api/3.0/mlflow/gateway/endpoints/bindings/list gateway
POST /api/3.0/mlflow/gateway/endpoints/models/attach gateway
DELETE /api/3.0/mlflow/gateway/endpoints/delete-tag gateway
POST /api/3.0/mlflow/gateway/secrets/update gateway
POST /api/3.0/mlflow/prompt-optimization/jobs optimization
GET /api/3.0/mlflow/prompt-optimization/jobs/j-1 optimization
DELETE /api/3.0/mlflow/prompt-optimization/jobs/j-1 optimization
POST /api/3.0/mlflow/prompt-optimization/jobs/j-1/cancel optimization
GET /api/3.0/mlflow/prompt-optimization/jobs/search optimization
POST /ajax-api/2.0/mlflow/runs/create-promptlab-run Prompt
GET /ajax-api/3.0/mlflow/jobs/j-1 jobs
PATCH /ajax-api/3.0/mlflow/jobs/cancel/j-1 jobs
POST /ajax-api/3.0/mlflow/demo/generate demonstration
POST /ajax-api/3.0/mlflow/demo/delete demonstration
GET /ajax-api/3.0/mlflow/ui-telemetry telemetry
POST /ajax-api/3.0/mlflow/ui-telemetry telemetry
GET /api/3.0/mlflow/workspaces workspaces
POST /api/3.0/mlflow/workspaces workspaces
GET /api/3.0/mlflow/workspaces/w workspaces
PATCH /api/3.0/mlflow/workspaces/w workspaces
DELETE /api/3.0/mlflow/workspaces/w workspaces
GET /graphql GraphQL
POST /graphql GraphQL
GET /api/2.0/mlflow/no-such-call no-such-call
POST /api/3.0/mlflow/no/such/call no/such/call
`
  .trim()
  .split("\n")
  .map((line) => line.split(" ") as ["GET" | "POST" | "PUT" | "PATCH" | "DELETE", string, string]);

for (const kind of storeKinds) {
  describe(`answers to what MLflow's clients send now and then (${kind})`, async () => {
    const server = await openMlflowServer(kind);
    const member = await openMlflowServer(kind, {
      caller: { name: "ana", kind: "user", roles: [{ project: "*", role: "contributor" }] },
    });

    it("is JSON with a reason for each of MLflow's calls that are not here, under every prefix", async () => {
      for (const [method, path, named] of MISSING) {
        for (const url of new Set([
          path,
          path.replace(/^\/(ajax-)?api\/\d/, "/api/2"),
          path.replace(/^\/(ajax-)?api\/\d/, "/ajax-api/3"),
        ])) {
          const { status, type, text } = await call(server, method, url, method === "GET" ? undefined : {});
          const { error_code: code, message } = JSON.parse(text) as { error_code: string; message: string };
          assert.match(type, /^application\/json/);
          assert.ok(
            (status === 501 && code === "NOT_IMPLEMENTED") || (status === 404 && code === "ENDPOINT_NOT_FOUND"),
            `${method} ${url}: ${status} ${code}`,
          );
          assert.ok(message.includes(named), `${method} ${url}: ${message}`);
        }
      }
    });

    it("is JSON that names the methods where a call is sent with another", async () => {
      const { status, text } = await call(server, "DELETE", "/api/2.0/mlflow/runs/create");
      assert.equal(status, 405);
      assert.deepEqual(JSON.parse(text), {
        error_code: "ENDPOINT_NOT_FOUND",
        message: "/api/2.0/mlflow/runs/create is not called with DELETE. Expected: POST",
      });
    });

    it("an empty list where no artifact was ever written", async () => {
      await rm(server.artifactFolder, { recursive: true });
      for (const path of ["", "?path=0/x", "?path=0"]) {
        const { status, text } = await call(server, "GET", `/api/2.0/mlflow-artifacts/artifacts${path}`);
        assert.equal(status, 200, text);
        assert.equal(text, "{}");
      }
    });

    it("model versions by number, then by name, then the newest", async () => {
      for (const name of ["RM1", "RM2", "RM3", "RM4"]) await post(server, "registered-models/create", { name });
      for (const name of ["RM1", "RM1", "RM2", "RM3", "RM4", "RM4"])
        await post(server, "model-versions/create", { name, source: "s3://b/m" });
      const found = await json<{ model_versions: { name: string; version: string }[] }>(
        post(server, "model-versions/search", { order_by: ["version_number DESC"] }),
      );
      assert.deepEqual(
        found.model_versions.map(({ name, version }) => `${name}/${version}`),
        ["RM1/2", "RM4/2", "RM1/1", "RM2/1", "RM3/1", "RM4/1"],
      );
      const plain = await json<{ model_versions: { name: string }[] }>(
        post(server, "model-versions/search", { order_by: ["creation_timestamp ASC", "name ASC"] }),
      );
      assert.equal(plain.model_versions.length, 6);
    });

    it("ordinary models where a filter says they are no prompts, prompts where it says they are", async () => {
      const PROMPT = { key: "mlflow.prompt.is_prompt", value: "true" };
      await post(server, "registered-models/create", { name: "greeting", tags: [PROMPT] });
      for (const source of ["dummy-source", "prompt-template"])
        assert.equal(
          (await post(server, "model-versions/create", { name: "greeting", source, tags: [PROMPT] })).status,
          200,
        );
      assert.equal(
        (await post(server, "model-versions/create", { name: "greeting", source: "prompt-template" })).status,
        200,
      );
      for (const source of ["/etc/passwd", "file:///etc/passwd", "../x", "a/b", "C:\\x"])
        assert.equal(
          (await post(server, "model-versions/create", { name: "greeting", source, tags: [PROMPT] })).status,
          400,
          source,
        );
      for (const [filter, expected] of [
        ["tags.`mlflow.prompt.is_prompt` = 'false'", ["RM1", "RM2", "RM3", "RM4"]],
        ["tags.`mlflow.prompt.is_prompt` != 'true'", ["RM1", "RM2", "RM3", "RM4"]],
        ["tags.`mlflow.prompt.is_prompt` = 'true'", ["greeting"]],
        ["tags.`mlflow.prompt.is_prompt` != 'false'", ["greeting"]],
        ["tags.`mlflow.prompt.is_prompt` = 'false' AND name LIKE '%2'", ["RM2"]],
        ["", ["RM1", "RM2", "RM3", "RM4"]],
      ] as const) {
        const models = await json<{ registered_models?: { name: string }[] }>(
          call(server, "GET", `/api/2.0/mlflow/registered-models/search?${new URLSearchParams({ filter }).toString()}`),
        );
        assert.deepEqual(
          models.registered_models?.map(({ name }) => name),
          expected,
          filter,
        );
        const versions = await json<{ model_versions?: { name: string }[] }>(
          post(server, "model-versions/search", { filter }),
        );
        assert.deepEqual([...new Set(versions.model_versions?.map(({ name }) => name))].sort(), expected, filter);
      }
    });

    it("a refusal for sources and locations with NUL, parent folders or a folder of the system", async () => {
      for (const source of [
        "mlflow-artifacts:/a/artifact%00",
        "mlflow-artifacts:/a/\u0000",
        "http://h/a%2500",
        "s3://b/%00",
      ]) {
        const { status, text } = await post(server, "model-versions/create", { name: "RM1", source });
        assert.equal(status, 400, source);
        assert.match(text, /INVALID_PARAMETER_VALUE.*Invalid model version source/);
      }
      for (const [index, location] of [
        "/etc",
        "/etc/x",
        "//etc",
        "file:///tmp/../etc",
        "file:///etc",
        "mlflow-artifacts:/../..",
        "mlflow-artifacts:/%2e%2e/x",
        "s3://b/a%00",
        "/",
        "file:///",
        "/proc/self",
        "../x",
        "/tmp/%2e%2e/etc",
      ].entries()) {
        const { status, text } = await post(server, "experiments/create", {
          name: `at ${index}`,
          artifact_location: location,
        });
        assert.equal(status, 400, location);
        assert.match(text, /INVALID_PARAMETER_VALUE.*[Aa]rtifact location/);
      }
    });

    it("an absolute location for a relative one, as MLflow makes it", async () => {
      const { experiment_id: id } = await json<{ experiment_id: string }>(
        post(server, "experiments/create", { name: "relative", artifact_location: "my_location" }),
      );
      const { experiment } = await json<{ experiment: { artifact_location: string } }>(
        call(server, "GET", `/api/2.0/mlflow/experiments/get?experiment_id=${id}`),
      );
      assert.equal(experiment.artifact_location, resolve("my_location"));
    });

    it("a refusal for an upload without data, which leaves nothing", async () => {
      const { run } = await json<{ run: { info: { run_id: string } } }>(
        post(server, "runs/create", { experiment_id: "0" }),
      );
      const { status, text } = await call(
        server,
        "POST",
        `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${run.info.run_id}&path=a.txt`,
      );
      assert.equal(status, 400);
      assert.deepEqual(JSON.parse(text), {
        error_code: "INVALID_PARAMETER_VALUE",
        message: "Request must specify data.",
      });
      assert.ok(
        !(await call(server, "GET", `/api/2.0/mlflow/artifacts/list?run_id=${run.info.run_id}`)).text.includes("a.txt"),
      );
    });

    it("the name of who signed in for a run whose client gave none", async () => {
      const made = async (on: TestMlflowServer, body: object): Promise<{ user: string; tag: string | undefined }> => {
        const { run } = await json<{
          run: { info: { user_id: string; run_id: string }; data: { tags?: { key: string; value: string }[] } };
        }>(post(on, "runs/create", { experiment_id: "0", ...body }));
        const { run: stored } = await json<{ run: typeof run }>(
          call(on, "GET", `/api/2.0/mlflow/runs/get?run_id=${run.info.run_id}`),
        );
        assert.deepEqual(stored.info.user_id, run.info.user_id);
        return { user: stored.info.user_id, tag: stored.data.tags?.find(({ key }) => key === "mlflow.user")?.value };
      };
      assert.deepEqual(await made(member, {}), { user: "ana", tag: "ana" });
      assert.deepEqual(await made(member, { user_id: "unknown" }), { user: "ana", tag: "ana" });
      assert.deepEqual(await made(member, { user_id: "bia" }), { user: "bia", tag: "bia" });
      assert.deepEqual(await made(member, { user_id: "unknown", tags: [{ key: "mlflow.user", value: "bia" }] }), {
        user: "bia",
        tag: "bia",
      });
      assert.equal((await made(server, { user_id: "unknown" })).tag, undefined);
      const events = await member.store.read((transaction) => listEvents(transaction, {}));
      assert.deepEqual(
        new Set(events.filter(({ type }) => type === "run.created").map(({ actor }) => actor)),
        new Set(["ana"]),
      );
    });
  });
}

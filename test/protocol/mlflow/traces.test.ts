import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { MLFLOW_CLIENTS, mlflowPython, runPython } from "../../setup/mlflow-client.ts";
import { startServer } from "../../setup/started-server.ts";

const home = await mkdtemp(join(tmpdir(), "esteira-traces-"));
after(() => rm(home, { recursive: true, force: true }));

/** What a user's program does with traces, and what it is told: nothing is lost without a word. */
const script = `
import json, logging, os, time
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
mlflow.set_tracking_uri(os.environ["URL"])
client = MlflowClient()
told = {}
traces = "trace_ids" if int(mlflow.__version__.split(".")[0]) > 2 else "request_ids"
def tell(name, call):
    try:
        told[name] = {"answer": repr(call())[:200]}
    except MlflowException as error:
        told[name] = {"code": error.error_code, "message": str(error)}
@mlflow.trace
def double(x):
    return 2 * x
assert double(21) == 42
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.5)
mlflow.flush_trace_async_logging() if hasattr(mlflow, "flush_trace_async_logging") else None
tell("get", lambda: client.get_trace("tr-0123456789abcdef0123456789abcdef"))
tell("search", lambda: client.search_traces(["0"]))
tell("delete", lambda: client.delete_traces("0", **{traces: ["tr-1"]}))
tell("tag", lambda: client.set_trace_tag("tr-1", "a", "b"))
told["metric"] = client.get_run(run.info.run_id).data.metrics["loss"]
print(json.dumps(told))
`;

describe("traces, which this server does not keep", () => {
  for (const version of MLFLOW_CLIENTS) {
    it(`MLflow ${version} is told so by each call, and what it logs beside them is kept`, async () => {
      const server = await startServer(home, {}, ["--store", join(home, version)]);
      try {
        const said = await runPython(await mlflowPython(version), script, { environment: { URL: server.url } });
        const told = JSON.parse(said.split("\n").at(-1) ?? "") as Record<
          string,
          { readonly code?: string; readonly message?: string; readonly answer?: string }
        >;
        assert.equal(told["metric"], 0.5);
        for (const call of ["get", "search", "delete", "tag"])
          assert.match(told[call]?.message ?? JSON.stringify(told[call]), /[Tt]races are not/, call);
      } finally {
        await server.stop();
      }
    });
  }
});

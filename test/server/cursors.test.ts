import assert from "node:assert/strict";
import { it } from "node:test";
import { openTestServer } from "../setup/opened-server.ts";

it("a cursor that no page gave is refused with 400 on every list, and never fails the server", async () => {
  const { url } = await openTestServer();
  const lists = [
    "endpoints",
    "endpoints/production/delay/predictions",
    "pipeline-runs",
    "releases",
    "alerts",
    "monitors",
    "pipelines",
    "datasets",
    "models",
    "dashboards",
    "assets/a/versions",
    "datasets/a/quarantine",
  ];
  for (const list of lists) {
    for (const after of ["x", "%00", "/", "~", "1~2", ".", "%F0%9F%92%A5", "'", "-1", "9".repeat(400)]) {
      const { status } = await fetch(`${url}/api/v1/${list}?after=${after}`, {
        signal: AbortSignal.timeout(20_000),
      }).then(async (response) => (await response.body?.cancel(), response));
      assert.ok(status < 500, `${list}?after=${after}: ${status}`);
    }
  }
  for (const [list, after] of [
    ["endpoints", "x"],
    ["endpoints/production/delay/predictions", "x"],
    ["pipeline-runs", "x"],
    ["releases", "x"],
    ["alerts", "x"],
    ["assets/a/versions", "x"],
    ["endpoints", "%00/a"],
  ]) {
    assert.equal((await fetch(`${url}/api/v1/${list}?after=${after}`)).status, 400, `${list}?after=${after}`);
  }
});

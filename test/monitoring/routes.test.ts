import assert from "node:assert/strict";
import { it } from "node:test";
import { silentLog } from "#base";
import { listWindows } from "#metadata-store/monitoring";
import { createMonitoringCalls } from "#monitoring";
import { sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, WEEK_MS } from "./watched.ts";

describeStores("labels and evaluation over HTTP", (kind) => {
  it("label predictions by the caller's key, and compute performance by a column that only the requests carry", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      new Map([
        [
          "monitors/delay.yaml",
          "endpoint: delay\nsegments: [airline]\nmin_rows: 100\nmonitors:\n  performance: { performance: { metric: roc_auc, drop: 0.2 } }\n",
        ],
      ]),
    );
    const post = async (path: string, body: object): Promise<{ status: number; json: Record<string, unknown> }> => {
      const call = createMonitoringCalls({ monitoring: test.monitoring, project: "p", log: silentLog }).find((one) =>
        one.route.path.endsWith(path),
      );
      const answer = await call?.handler({
        params: { environment: KEY.environment, endpoint: KEY.endpoint },
        body: Buffer.from(JSON.stringify(body)),
        caller: "ana",
      });
      return { status: answer?.status ?? 0, json: JSON.parse(answer?.body ?? "{}") as Record<string, unknown> };
    };
    const flights = makeFlights(400, { seed: 4 });
    await test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords(
        flights.map(({ late: _late, ...inputs }, row) => ({ ...inputs, airline: row % 2 === 0 ? "AA" : "UA" })),
      ),
      unknownColumns: "ignore",
      entityKeys: flights.map((_, row) => `flight-${row}`),
      atMs: flights.map(() => MONDAY_MS + 1000),
    });
    const labelled = await post("/labels", {
      labels: flights.map(({ late }, row) => ({
        entityKey: `flight-${row}`,
        label: late === 1,
        at: "2001-04-09T00:00:00",
      })),
      until: "2001-04-09",
    });
    assert.deepEqual([labelled.status, labelled.json["matched"], labelled.json["unmatched"]], [200, 400, 0]);
    const evaluated = await post("/evaluate", { until: MONDAY_MS + WEEK_MS });
    assert.deepEqual([evaluated.status, evaluated.json["alerts"]], [200, []]);
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    assert.deepEqual(
      window?.scores.filter((score) => score.metric === "roc_auc").map((score) => [score.segment, score.n]),
      [
        ["", 400],
        ["airline=AA", 200],
        ["airline=UA", 200],
      ],
    );
    assert.equal(window?.scores.find((score) => score.metric === "roc_auc")?.breached, false);
    assert.equal((await post("/labels", { labels: [{ id: 1, label: 1 }] })).status, 400);
    assert.equal((await post("/evaluate", { until: "soon" })).status, 400);
  });
});

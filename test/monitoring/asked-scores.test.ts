import assert from "node:assert/strict";
import { it } from "node:test";
import { silentLog } from "#base";
import { listAlerts, listWindows } from "#metadata-store/monitoring";
import { readMonitorDeclarations } from "#monitoring";
import { describeStores } from "../setup/stores.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, WEEK_MS } from "./watched.ts";

const MONITORS = `
endpoint: delay
min_rows: 100
segments: [origin]
monitors:
  slices: { slices: { effect: 0.3 } }
  parity: { fairness: { attributes: [origin], metric: demographic_parity_difference, at_most: 0.2, min_group: 50 } }
  worth: { value: { expression: "if(prediction > 0.5, if(label = 1, 20, -2), 0)", at_least: 100 } }
  together: { multivariate: { method: reconstruction } }
  apart: { multivariate: { method: domain_classifier } }
  by_origin: { drift: { segments: true } }
  rows: { quality: { rows_at_least: 5000, duplicates: 0.5, type_mismatch: 0.1, max_gap_hours: 5 } }
`;
const UNTIL_MS = MONDAY_MS + WEEK_MS;

describeStores("monitors of slices, groups, value, all columns and rows", (kind) => {
  it("name a column that slices cannot be made of, and take nothing tried for no verdict", async () => {
    const told: unknown[] = [];
    const log = { ...silentLog, warn: (_text: string, facts?: object) => void told.push(facts) };
    const test = await startMonitoring(kind, { log });
    const text = "endpoint: delay\nmin_rows: 100\nmonitors:\n  slices: { slices: { columns: [orgin] } }\n";
    await test.monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", text]]));
    await test.play(0, makeFlights(1600, { seed: 5 }));
    await test.monitoring.evaluate({ ...KEY, untilMs: UNTIL_MS });
    assert.deepEqual(told[0], { monitor: "delay.slices", column: "orgin", nearest: "origin" });
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    const score = window?.scores.find(({ metric }) => metric === "slice.squared_error");
    assert.deepEqual([score?.value, score?.breached], [undefined, undefined]);
    assert.match(JSON.stringify(score?.method), /no slice could be tried/);
  });

  it("say where it got worse, how groups differ, what it was worth, and open alerts", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", MONITORS]]));
    // Denver's truth is turned round, and its distances moved.
    const flights = makeFlights(1600, { seed: 5 }).map((flight) =>
      flight.origin === "DEN" ? { ...flight, late: 1 - flight.late, distance: flight.distance + 900 } : flight,
    );
    await test.play(0, flights);
    await test.monitoring.evaluate({ ...KEY, untilMs: UNTIL_MS });
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    const scores = window?.scores ?? [];
    const find = (metric: string, subject = "", segment = "") =>
      scores.find((score) => score.metric === metric && score.subject === subject && score.segment === segment);
    assert.equal(
      find("slice.squared_error.effect", "", "origin = DEN")?.n,
      flights.filter(({ origin }) => origin === "DEN").length,
    );
    assert.equal(find("row_count")?.value, 1600);
    assert.ok((find("fairness.demographic_parity_difference", "origin")?.value ?? 0) > 0.2);
    assert.ok((find("group.selection_rate", "origin", "origin=ORD")?.value ?? 0) > 0.2);
    assert.ok((find("value.row", "if(prediction > 0.5, if(label = 1, 20, -2), 0)")?.value ?? 100) < 20);
    assert.equal(
      find("drift.wasserstein", "distance", "origin=DEN")?.breached ??
        find("drift.ks", "distance", "origin=DEN")?.breached,
      true,
    );
    const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p", limit: 100 }));
    const names = new Set(alerts.map(({ monitor, segment }) => `${monitor}${segment === "" ? "" : ` ${segment}`}`));
    for (const name of ["delay.slices", "delay.parity", "delay.worth", "delay.rows", "delay.by_origin origin=DEN"])
      assert.ok(names.has(name), `${name} of ${[...names].join(", ")}`);
    assert.ok(!names.has("delay.by_origin origin=ATL"));
    assert.match(
      alerts.find(({ monitor }) => monitor === "delay.slices")?.message ?? "",
      /grew the errors where origin = DEN/,
    );
  });

  it("close when it is over", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", MONITORS]]));
    const turned = makeFlights(1200, { seed: 5 }).map((flight) =>
      flight.origin === "DEN" ? { ...flight, late: 1 - flight.late } : flight,
    );
    await test.play(0, turned);
    await test.monitoring.evaluate({ ...KEY, untilMs: UNTIL_MS });
    await test.play(1, makeFlights(1200, { seed: 6 }));
    await test.monitoring.evaluate({ ...KEY, untilMs: UNTIL_MS + WEEK_MS });
    const open = await test.store.read((transaction) => listAlerts(transaction, { project: "p", states: ["open"] }));
    assert.ok(!open.some(({ monitor }) => monitor === "delay.slices"));
  });
});

it("a monitor file refuses what cannot be", () => {
  for (const [rule, message] of [
    ["slices: { predicate: 2 }", /predicates/],
    ["slices: { predicates: 4 }", /predicates/],
    ["fairness: { attributes: [sex], metric: equalized_odds, at_most: 1 }", /metric/],
    [
      "fairness: { attributes: [sex], metric: demographic_parity_ratio, at_most: 1 }",
      /at_most for a difference, at_least for a ratio/,
    ],
    ['value: { expression: "amount +", at_least: 1 }', /expected a value/],
    ['value: { expression: "amount" }', /give at_least or at_most/],
    ["multivariate: { method: pca }", /method/],
    ["quality: { columns: [a] }", /rows_at_least/],
    ["drift: { deviations: 3 }", /a method that is a distance/],
    ["drift: { deviations: 3, method: ks }", /a method that is a distance/],
  ] as const) {
    const text = `endpoint: delay\nmonitors:\n  m: { ${rule} }\n`;
    const { problems } = readMonitorDeclarations(new Map([["monitors/delay.yaml", text]]));
    assert.match(
      problems.map((problem) => `${problem.line}: ${problem.message} ${problem.hint ?? ""}`).join("\n"),
      message,
      rule,
    );
    assert.equal(problems[0]?.line, 3, rule);
  }
});

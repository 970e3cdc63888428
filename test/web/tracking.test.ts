import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { trackingEn } from "../../web/messages/tracking-en.ts";
import { trackingPtBr } from "../../web/messages/tracking-pt-br.ts";
import { jsonTable, parseDelimited, previewKind } from "../../web/models/tracking/artifact-preview.ts";
import { quantile, toBoxes } from "../../web/models/tracking/box-plot.ts";
import {
  alignSeries,
  coverageOf,
  placeSeries,
  smooth,
  stepsWithin,
  toSeries,
} from "../../web/models/tracking/metric-series.ts";
import { loadSnippet, toModelFile } from "../../web/models/tracking/mlmodel.ts";
import { parallelCoordinates } from "../../web/models/tracking/parallel-coordinates.ts";
import {
  columnOf,
  firstColumns,
  knownColumns,
  orderEntry,
  quoteKey,
  runsCsv,
} from "../../web/models/tracking/run-columns.ts";
import { compareRuns, dimensionsOf } from "../../web/models/tracking/run-comparison.ts";
import { toTrackingRun, type TrackingRun, userTags } from "../../web/models/tracking/tracking-run.ts";
import { clientAddress } from "../../web/routes/client-address.ts";

function run(
  id: string,
  params: Readonly<Record<string, string>>,
  metrics: Readonly<Record<string, number | "NaN">>,
  tags: Readonly<Record<string, string>> = {},
): TrackingRun {
  const pairs = (record: Readonly<Record<string, string>>): { key: string; value: string }[] =>
    Object.entries(record).map(([key, value]) => ({ key, value }));
  return toTrackingRun({
    info: {
      run_id: id,
      experiment_id: "1",
      run_name: `run ${id}`,
      status: "FINISHED",
      start_time: 1_700_000_000_000,
      end_time: 1_700_000_061_000,
      lifecycle_stage: "active",
    },
    data: {
      params: pairs(params),
      tags: pairs(tags),
      metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: 1, step: 7 })),
    },
  });
}

const runs = [
  run("a", { lr: "0.1", model: "tree" }, { loss: 1, auc: 0.9 }, { team: "x", "mlflow.user": "ana" }),
  run("b", { lr: "0.2", model: "linear" }, { loss: "NaN", auc: 0.9 }, { team: "x" }),
  run("c", { lr: "0.4", model: "tree" }, { loss: 3 }),
];

describe("runs of an experiment", () => {
  test("what JSON cannot write is a number again", () => {
    assert.ok(Number.isNaN(runs[1]?.metrics.get("loss")));
    assert.equal(runs[0]?.lastSteps.get("loss"), 7);
    assert.deepEqual(userTags(runs[0]?.tags ?? new Map()), [["team", "x"]]);
  });

  test("columns are found in the runs, and a few of each are shown first", () => {
    const known = knownColumns(runs);
    assert.deepEqual(
      known.filter(({ group }) => group !== "attribute").map(({ id }) => id),
      ["metric.auc", "metric.loss", "param.lr", "param.model", "tag.team"],
    );
    assert.deepEqual(firstColumns(known), [
      "attribute.start_time",
      "attribute.duration",
      "metric.auc",
      "metric.loss",
      "param.lr",
      "param.model",
      "attribute.user_id",
      "attribute.source",
    ]);
    assert.deepEqual(columnOf("metric.val.loss"), { id: "metric.val.loss", group: "metric", key: "val.loss" });
    assert.equal(columnOf("metric."), undefined);
  });

  test("a column is sorted with the server's grammar, where the server can", () => {
    assert.equal(orderEntry("metric.val/loss", true), "metrics.`val/loss` DESC");
    assert.equal(orderEntry("attribute.start_time", false), "attributes.start_time ASC");
    assert.equal(orderEntry("attribute.duration", true), undefined);
    assert.equal(quoteKey("a`b"), '"a`b"');
  });

  test("CSV keeps quotes, unrounded numbers, and text that looks like a formula", () => {
    const odd = run("d", { note: "=1+1", text: 'a "b", c' }, { m: 0.1234567890123 });
    const columns = ["param.note", "param.text", "metric.m", "attribute.start_time"]
      .map((id) => columnOf(id))
      .filter((column) => column !== undefined);
    assert.equal(
      runsCsv([odd], columns),
      'run_id,run_name,param.note,param.text,metric.m,start_time\r\nd,run d,\'=1+1,"a ""b"", c",0.1234567890123,2023-11-14T22:13:20.000Z\r\n',
    );
  });
});

describe("comparing runs", () => {
  test("only what differs is marked; a missing value differs, NaN equals NaN", () => {
    const { params, metrics, tags } = compareRuns(runs);
    assert.deepEqual(
      params.map(({ key, isDifferent }) => [key, isDifferent]),
      [
        ["lr", true],
        ["model", true],
      ],
    );
    assert.deepEqual(
      metrics.map(({ key, isDifferent }) => [key, isDifferent]),
      [
        ["auc", true],
        ["loss", true],
      ],
    );
    assert.deepEqual(
      tags.map(({ key, values }) => [key, values]),
      [["team", ["x", "x", undefined]]],
    );
    assert.equal(compareRuns([run("x", {}, { m: "NaN" }), run("y", {}, { m: "NaN" })]).metrics[0]?.isDifferent, false);
  });

  test("parallel axes: numbers grow upwards, texts stand by name, a missing value breaks the line", () => {
    const dimensions = dimensionsOf(runs);
    assert.deepEqual(
      dimensions.map(({ id, isNumeric }) => [id, isNumeric]),
      [
        ["param.lr", true],
        ["param.model", false],
        ["metric.auc", true],
        ["metric.loss", true],
      ],
    );
    const { axes, lines } = parallelCoordinates(dimensions);
    assert.deepEqual(
      axes.map(({ x }) => x),
      [0, 1 / 3, 2 / 3, 1],
    );
    assert.deepEqual(axes[1]?.ticks, [
      { y: 0, text: "linear" },
      { y: 1, text: "tree" },
    ]);
    assert.deepEqual(lines[0]?.pieces, [
      [
        { x: 0, y: 1 },
        { x: 1 / 3, y: 1 },
        { x: 2 / 3, y: 0.5 },
        { x: 1, y: 1 },
      ],
    ]);
    assert.equal(lines[1]?.pieces.length, 1);
    assert.equal(lines[2]?.pieces.length, 2);
    assert.deepEqual(
      lines.map(({ shade }) => shade),
      [0, undefined, 1],
    );
  });

  test("quartiles are those of NumPy, and what is far out is an outlier", () => {
    // numpy.quantile([1, 2, 3, 4, 10], [0.25, 0.5, 0.75]) = [2, 3, 4]; numpy.quantile([1, 2, 3, 4], 0.25) = 1.75
    assert.equal(quantile([1, 2, 3, 4], 0.25), 1.75);
    const [box] = toBoxes([4, 1, 10, 3, 2, Number.NaN].map((value) => ({ group: "g", value })));
    assert.deepEqual(box, {
      label: "g",
      count: 5,
      low: 1,
      firstQuartile: 2,
      median: 3,
      thirdQuartile: 4,
      high: 4,
      outliers: [10],
    });
  });
});

describe("metric series", () => {
  const point = (step: number, timestamp: number, value: number | "NaN", run_id = "a") => ({
    key: "m",
    step,
    timestamp,
    value,
    run_id,
  });

  test("points become one series per run, in order of step", () => {
    const [a, b, c] = toSeries("m", ["a", "b", "c"], [point(2, 20, 2), point(1, 10, 1), point(1, 10, "NaN", "b")]);
    assert.deepEqual(a?.values, [1, 2]);
    assert.deepEqual(b?.values, [Number.NaN]);
    assert.deepEqual(c?.values, []);
  });

  test("smoothing starts at the first value and lets NaN pass", () => {
    assert.deepEqual(smooth([1, 2, 3], 0), [1, 2, 3]);
    // 0.5: (1·0.5)/0.5 = 1; (0.5·0.5 + 2·0.5)/0.75 = 5/3; (0.5·1.25 + 3·0.5)/0.875 = 17/7
    const smoothed = smooth([1, Number.NaN, 2, 3], 0.5);
    assert.ok(Math.abs((smoothed[2] ?? 0) - 5 / 3) < 1e-12 && Math.abs((smoothed[3] ?? 0) - 17 / 7) < 1e-12);
    assert.equal(smoothed[0], 1);
    assert.ok(Number.isNaN(smoothed[1]));
  });

  test("series of different steps share one axis; a logarithmic one leaves out what it cannot show", () => {
    const placed = [
      { x: [1, 2, 2], y: [1, 2, 5] },
      { x: [2, 3], y: [-1, 4] },
    ];
    assert.deepEqual(alignSeries(placed), {
      x: [1, 2, 3],
      columns: [
        [1, 5, null],
        [null, -1, 4],
      ],
    });
    assert.deepEqual(alignSeries(placed, true).columns[1], [null, null, 4]);
  });

  test("a sample does not pass for the whole, and what cannot be told is not claimed", () => {
    const of = (count: number, every: number) =>
      coverageOf(
        toSeries(
          "m",
          ["a"],
          Array.from({ length: count }, (_, index) => point(index * every, index, 1)),
        ),
        1000,
      );
    assert.deepEqual(of(1000, 1), { kind: "all", count: 1000, first: 0, last: 999 });
    assert.equal(of(499, 10).kind, "all");
    assert.equal(of(600, 1000).kind, "perhaps");
    assert.deepEqual(of(1001, 100), { kind: "sample", count: 1001, first: 0, last: 100_000 });
  });

  test("time counts from the start of the run, and a stretch of it is a stretch of steps", () => {
    const [series] = toSeries("m", ["a"], [point(0, 1000, 1), point(10, 3000, 2), point(20, 2000, 3)]);
    assert.ok(series !== undefined);
    assert.deepEqual(placeSeries(series, "relative", 500), { x: [0.5, 1.5, 2.5], y: [1, 3, 2] });
    assert.deepEqual(stepsWithin([series], "relative", [0, 1.5]), [0, 20]);
    assert.deepEqual(stepsWithin([series], "step", [0.5, 19.9]), [1, 19]);
    assert.equal(stepsWithin([series], "time", [0, 0.5]), undefined);
  });
});

describe("artifacts", () => {
  test("a file is shown by its name", () => {
    assert.deepEqual(
      ["a/b.PNG", "x.csv", "model/MLmodel", "y.html", "z.bin", "Dockerfile", "conf.geojson", "noending"].map(
        previewKind,
      ),
      ["image", "table", "text", "html", "none", "text", "json", "none"],
    );
  });

  test("delimited text keeps quotes and line breaks in fields", () => {
    assert.deepEqual(parseDelimited('a,b\r\n1,"x, ""y""\nz"\n\n2,\n3,"un', ","), {
      columns: ["a", "b"],
      rows: [
        ["1", 'x, "y"\nz'],
        ["2", ""],
        ["3", '"un'],
      ],
    });
    assert.deepEqual(parseDelimited("a\tb\n1\t2\n3\t", "\t"), {
      columns: ["a", "b"],
      rows: [
        ["1", "2"],
        ["3", ""],
      ],
    });
    assert.deepEqual(parseDelimited("a,b\n1,2\n3,4", ",", { isCut: true }).rows, [["1", "2"]]);
    assert.equal(parseDelimited("a\n".repeat(100), ",", { mostRows: 10 }).rows.length, 10);
    assert.deepEqual(parseDelimited("", ","), { columns: [], rows: [] });
  });

  test("JSON that is a table is one", () => {
    assert.deepEqual(jsonTable([{ a: 1 }, { b: 2 }]), {
      columns: ["a", "b"],
      rows: [
        [1, undefined],
        [undefined, 2],
      ],
    });
    assert.deepEqual(jsonTable({ columns: ["x"], data: [[1]] }), { columns: ["x"], rows: [[1]] });
    assert.equal(jsonTable({ a: 1 }), undefined);
  });

  test("an MLmodel file tells flavors and signature", () => {
    const file = toModelFile({
      flavors: { python_function: {}, sklearn: {} },
      signature: {
        inputs:
          '[{"type":"double","name":"x"},{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,3]},"required":false}]',
      },
    });
    assert.deepEqual(file.flavors, ["python_function", "sklearn"]);
    assert.deepEqual(file.inputs, [
      { name: "x", type: "double", isRequired: true },
      { name: "1", type: "float32 [-1,3]", isRequired: false },
    ]);
    assert.deepEqual(toModelFile("not a mapping").flavors, []);
    assert.match(
      loadSnippet("models:/m/1", ["python_function", "sklearn"]),
      /mlflow\.sklearn\.load_model\("models:\/m\/1"\)/,
    );
  });
});

test("addresses that MLflow's clients print lead to the pages", () => {
  assert.equal(clientAddress("#/experiments/1/runs/abc"), "/experiments/run/abc");
  assert.equal(clientAddress("#/experiments/1"), "/experiments/1");
  assert.equal(clientAddress("#/models/my%20model/versions/3"), "/registry/my%20model/3");
  assert.equal(clientAddress("#section"), undefined);
  assert.equal(clientAddress(""), undefined);
});

test("the pages of experiments have every message in both languages, with the same parameters, and use them all", async () => {
  assert.deepEqual(Object.keys(trackingPtBr).sort(), Object.keys(trackingEn).sort());
  const placeholders = (text: string): readonly string[] => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const [key, text] of Object.entries(trackingEn))
    assert.deepEqual(placeholders(trackingPtBr[key as keyof typeof trackingEn]), placeholders(text), key);
  const web = join(import.meta.dirname, "../../web");
  const files = (await readdir(web, { recursive: true })).filter((file) => /^(pages|ui)\/.*\.tsx?$/.test(file));
  const code = (await Promise.all(files.map((file) => readFile(join(web, file), "utf8")))).join("\n");
  const families = new Set([...code.matchAll(/name\("(\w+)", /g)].map((match) => match[1]));
  assert.deepEqual(
    Object.keys(trackingEn).filter((key) => !code.includes(`"${key}"`) && !families.has(key.split(".")[0])),
    [],
  );
});

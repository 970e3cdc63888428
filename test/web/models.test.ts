import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EndpointDetail, LineageGraph, Overview, StepRun } from "#api";
import { ansiSpans, lastOverwrite, withoutAnsi } from "../../web/models/ansi.ts";
import { beltPath, shownCounts, toBelt } from "../../web/models/belt.ts";
import { readableChain } from "../../web/models/chain.ts";
import { changeTargets } from "../../web/models/change-targets.ts";
import { createEventReader } from "../../web/models/event-text.ts";
import { createFormat, shortDigest } from "../../web/models/format.ts";
import { edgePath, placeGraph } from "../../web/models/graph.ts";
import { highlightPython } from "../../web/models/highlight.ts";
import { lineDiff } from "../../web/models/line-diff.ts";
import { lineageLayers, totalRows } from "../../web/models/lineage.ts";
import { firstError, toLogLines } from "../../web/models/log-lines.ts";
import { markdownHtml } from "../../web/models/markdown.ts";
import { compareMetric, metricNames } from "../../web/models/metrics.ts";
import { deployedItem, releaseChanges } from "../../web/models/release-changes.ts";
import { lastLine, runActions, stepProgress, toTimeline } from "../../web/models/run.ts";
import { triggerSentence } from "../../web/models/trigger-sentence.ts";
import {
  countDriftSeries,
  distinctRetrainings,
  driftedColumns,
  driftSeries,
  lastPerformance,
  versionBands,
} from "../../web/models/weeks.ts";
import { recordedAnswer } from "./fixture/recorded.ts";

const overview = recordedAnswer<Overview>("/overview");
const endpoint = recordedAnswer<EndpointDetail>("/endpoints/production/delay");

describe("the belt", () => {
  test("shows nine stations in two runs and moves while something runs", () => {
    const belt = toBelt(overview);
    assert.deepEqual(
      [...belt.upper, ...belt.lower].map(({ name }) => name),
      ["capture", "transform", "features", "train", "test", "registry", "approve", "deploy", "production"],
    );
    assert.equal(belt.isMoving, true);
    assert.equal(toBelt({ ...overview, parcels: [], parcelCount: 0 }).isMoving, false);
  });

  test("is a closed path within its box", () => {
    assert.equal(beltPath(400, 100, 10), "M 50 10 H 350 A 40 40 0 0 1 350 90 H 50 A 40 40 0 0 1 50 10 Z");
  });

  test("shows what needs a person before what is only large, and no zero", () => {
    const counts = [
      { name: "versions", value: 4 },
      { name: "rows", value: 100 },
      { name: "datasets", value: 1 },
      { name: "quarantined", value: 3 },
      { name: "alerts", value: 0 },
    ] as const;
    assert.deepEqual(
      shownCounts({ name: "capture", state: "succeeded", counts }).map(({ name }) => name),
      ["rows", "quarantined"],
    );
  });
});

describe("logs", () => {
  const chunk = (sequence: number, text: string, stream: "stdout" | "stderr" = "stdout") => ({
    sequence,
    attempt: 1,
    atMs: sequence,
    stream,
    text,
  });

  test("lines that arrive in pieces, out of order and twice are whole", () => {
    const lines = toLogLines([chunk(2, "lo\nwor"), chunk(1, "hel"), chunk(3, "ld\n"), chunk(2, "lo\nwor")]);
    assert.deepEqual(
      lines.map(({ text }) => text),
      ["hello", "world"],
    );
  });

  test("the two streams do not mix within a line, empty lines stay", () => {
    const lines = toLogLines([chunk(1, "a"), chunk(2, "error\n", "stderr"), chunk(3, "b\n\nlast")]);
    assert.deepEqual(
      lines.map(({ text, stream }) => [stream, text]),
      [
        ["stderr", "error"],
        ["stdout", "ab"],
        ["stdout", ""],
        ["stdout", "last"],
      ],
    );
  });

  test("a progress bar shows its last state", () => assert.equal(lastOverwrite("10%\r50%\r100%\r"), "100%"));

  test("colours become classes and other sequences vanish", () => {
    assert.deepEqual(ansiSpans("\u001b[1;31mbad\u001b[0m ok\u001b[2K"), [
      { text: "bad", classes: ["ansi-red", "ansi-bold"] },
      { text: " ok", classes: [] },
    ]);
    assert.deepEqual(ansiSpans("\u001b[38;5;208mx\u001b[38;2;1;2;3my"), [
      { text: "x", classes: [] },
      { text: "y", classes: [] },
    ]);
    assert.equal(withoutAnsi("\u001b]8;;http://a\u0007link\u001b]8;;\u0007"), "link");
  });
});

describe("pipeline runs", () => {
  const stepRun = (step: string, times: Partial<StepRun>): StepRun => ({
    id: step,
    step,
    kind: "sql",
    status: "succeeded",
    cached: false,
    attempts: [],
    facts: {},
    inputs: [],
    made: [],
    ...times,
  });

  test("progress counts reused steps once", () => {
    const progress = stepProgress({ steps: { succeeded: 3, cached: 2, running: 1, pending: 4 } });
    assert.deepEqual([progress.done, progress.total], [3, 8]);
    // What failed, was skipped or cancelled is over, but not done.
    const failed = stepProgress({ steps: { succeeded: 1, failed: 1, skipped: 1, cancelled: 2 } });
    assert.deepEqual([failed.done, failed.total], [1, 5]);
    assert.deepEqual(
      progress.parts.map(({ state, count }) => [state, count]),
      [
        ["cached", 2],
        ["succeeded", 1],
        ["running", 1],
        ["pending", 4],
      ],
    );
  });

  test("the timeline spans all steps and goes on while one runs", () => {
    const timeline = toTimeline(
      [
        stepRun("b", { queuedAtMs: 100, startedAtMs: 200, status: "running" }),
        stepRun("a", { queuedAtMs: 100, startedAtMs: 100, endedAtMs: 200 }),
        stepRun("c", { status: "pending" }),
      ],
      300,
    );
    assert.deepEqual(
      timeline.bars.map(({ stepRun: { step }, from, to }) => [step, from, to]),
      [
        ["a", 0, 0.5],
        ["b", 0.5, 1],
        ["c", 1, 1],
      ],
    );
  });

  test("a timeline ends no bar outside of itself, however late the clock of the page is", () => {
    const timeline = toTimeline(
      [
        stepRun("a", { queuedAtMs: 1000, startedAtMs: 1000, endedAtMs: 1400 }),
        stepRun("b", { queuedAtMs: 1100, startedAtMs: 1500, status: "running" }),
      ],
      200,
    );
    assert.ok(
      timeline.bars.every(
        ({ queuedFrom, from, to }) => [queuedFrom, from, to].every((share) => share >= 0 && share <= 1) && to >= from,
      ),
    );
    assert.equal(timeline.endMs, 1500);
  });

  test("the reason of a failure is the last line that says something", () => {
    assert.equal(lastLine("exit 3; it said last:\n  ValueError: no rows\n\n"), "ValueError: no rows");
    assert.equal(lastLine(""), "");
  });

  test("only what has not ended can be cancelled, only what ended badly resumed", () => {
    assert.deepEqual(runActions("running"), { canCancel: true, canResume: false });
    assert.deepEqual(runActions("failed"), { canCancel: false, canResume: true });
    assert.deepEqual(runActions("succeeded"), { canCancel: false, canResume: false });
  });
});

describe("what goes back with a rollback", () => {
  const item = (asset: string, kind: "data" | "model", version: number, role = "made_from") => ({
    id: `${asset}${version}`,
    asset,
    kind,
    version,
    digest: "",
    role,
  });

  test("only what differs is named, what is deployed first", () => {
    const live = [item("flights", "data", 12), item("delay", "model", 2, "deployed"), item("calendar", "data", 1)];
    const before = [item("flights", "data", 1), item("delay", "model", 1, "deployed"), item("calendar", "data", 1)];
    assert.deepEqual(
      releaseChanges(live, before).map(({ kind, asset, from, to }) => [kind, asset, from?.version, to?.version]),
      [
        ["model", "delay", 2, 1],
        ["data", "flights", 12, 1],
      ],
    );
    assert.deepEqual(releaseChanges(live, live), []);
  });

  test("what one side does not hold is missing there, and of several versions of an asset the newest counts", () => {
    const changes = releaseChanges(
      [item("a", "data", 1), item("a", "data", 3)],
      [item("b", "data", 2), item("a", "data", 2)],
    );
    assert.deepEqual(
      changes.map(({ asset, from, to }) => [asset, from?.version, to?.version]),
      [
        ["a", 3, 2],
        ["b", undefined, 2],
      ],
    );
  });

  test("a release is named by what it deploys, wherever that stands among its contents", () => {
    assert.equal(
      deployedItem({ asset: "delay", items: [item("airport_day", "data", 12), item("delay", "model", 2, "deployed")] })
        ?.version,
      2,
    );
  });
});

describe("times within data", () => {
  test("are written in the language and in no other time zone than their own", () => {
    const english = createFormat("en");
    assert.equal(
      english.dataTime("2001-01-01T23:59:00.000Z", "TIMESTAMP").replaceAll("\u202f", " "),
      "Jan 1, 2001, 11:59:00 PM",
    );
    assert.equal(
      english.dataTime("2001-01-01T23:59:00.125", "TIMESTAMP").replaceAll("\u202f", " "),
      "Jan 1, 2001, 11:59:00 PM .125",
    );
    assert.equal(english.dataTime("2001-12-31", "DATE"), "Dec 31, 2001");
    assert.equal(createFormat("pt-BR").dataTime("2001-12-31", "DATE"), "31 de dez. de 2001");
    assert.equal(english.dataTime("infinity", "TIMESTAMP"), "infinity");
  });
});

describe("graphs", () => {
  const box = (id: string) => ({ id, width: 190, height: 62 });
  const shapes: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
    skip: [
      ["flights", "training_set"],
      ["training_set", "delay"],
      ["delay", "verdict"],
      ["verdict", "serve"],
      ["delay", "serve"],
      ["flights", "serve"],
    ],
    fan: [
      ["a", "b"],
      ["a", "c"],
      ["a", "d"],
      ["b", "e"],
      ["c", "e"],
      ["d", "e"],
      ["e", "f"],
      ["a", "f"],
      ["b", "f"],
    ],
  };

  for (const [shape, pairs] of Object.entries(shapes)) {
    test(`no edge runs behind a node that it does not belong to (${shape})`, () => {
      const nodes = [...new Set(pairs.flat())].map(box);
      const graph = placeGraph(
        nodes,
        pairs.map(([from, to]) => ({ from, to })),
      );
      const places = new Map(graph.nodes.map((node) => [node.id, node]));
      for (const { from, to, passages } of graph.edges) {
        const [start, end] = [places.get(from), places.get(to)];
        assert.ok(start !== undefined && end !== undefined);
        // Bends lie between layers; within a layer the edge is level, and no node is there.
        for (const { fromX, toX, y } of passages) {
          for (const node of graph.nodes)
            assert.ok(
              toX < node.x || fromX > node.x + 190 || y < node.y - 4 || y > node.y + 66,
              `${from} > ${to} behind ${node.id}`,
            );
        }
        const corners = [start.x + 190, ...passages.flatMap(({ fromX, toX }) => [fromX, toX]), end.x];
        assert.deepEqual(
          corners,
          corners.toSorted((left, right) => left - right),
        );
        for (let index = 0; index < corners.length; index += 2) {
          for (const node of graph.nodes)
            assert.ok(
              (corners[index + 1] ?? 0) <= node.x + 0.5 || (corners[index] ?? 0) >= node.x + 189.5,
              `${from} > ${to} bends behind ${node.id}`,
            );
        }
        assert.match(
          edgePath({ x: start.x + 190, y: start.y + 31 }, { x: end.x, y: end.y + 31 }, passages),
          /^M [\d.-]+ [\d.-]+( [CL] [\d.\s-]+)+$/,
        );
      }
      assert.ok(graph.edges.some(({ passages }) => passages.length > 0));
    });
  }
});

describe("where the trouble of a log begins", () => {
  const lines = (...texts: readonly (readonly ["stdout" | "stderr", string])[]) =>
    texts.map(([stream, text], index) => ({ number: index + 1, attempt: 1, text, stream, atMs: 0 }));

  test("is the first line on stderr that speaks of an error, else the first anywhere, else nowhere", () => {
    assert.equal(
      firstError(
        lines(
          ["stdout", "error log opened"],
          ["stderr", "warning: slow"],
          ["stderr", "Traceback (most recent call last):"],
          ["stderr", "ValueError: no rows"],
        ),
      ),
      2,
    );
    assert.equal(firstError(lines(["stdout", "ok"], ["stdout", "npm ERR! failed"])), 1);
    assert.equal(firstError(lines(["stdout", "0 errors, no failures"], ["stderr", "fine"])), undefined);
  });
});

describe("triggers in words", () => {
  const schedule = (cron: string, language = "en") => triggerSentence({ on: "schedule", cron }, language);

  test("common schedules become sentences", () => {
    assert.deepEqual(schedule("0 4 * * *", "pt-BR"), { key: "trigger.daily", params: { time: "04:00" } });
    assert.deepEqual(schedule("30 6 * * 1"), { key: "trigger.weekly", params: { time: "6:30 AM", day: "Monday" } });
    assert.deepEqual(schedule("0 6 * * SUN", "pt-BR"), {
      key: "trigger.weekly",
      params: { time: "06:00", day: "domingo" },
    });
    assert.deepEqual(schedule("*/5 * * * *"), { key: "trigger.minutes", params: { count: 5 } });
    assert.deepEqual(schedule("15 * * * *"), { key: "trigger.hourly", params: { minute: 15 } });
    assert.deepEqual(schedule("0 0 0 1 * *", "pt-BR"), { key: "trigger.monthly", params: { time: "00:00", day: 1 } });
  });

  test("others stay as they are written", () => {
    for (const cron of ["0 4 * 6 *", "0 4 1 * 1", "0,30 * * * *", "0 9-17 * * *", "30 0 4 * * *", "nonsense"])
      assert.deepEqual(schedule(cron), { key: "trigger.cron", params: { cron } });
  });
});

describe("formats", () => {
  // Intl separates with no-break spaces in some languages.
  const plain = (text: string): string => text.replace(/\s/g, " ");

  test("numbers, sizes and durations follow the language", () => {
    const [en, pt] = [createFormat("en"), createFormat("pt-BR")];
    assert.equal(pt.number(1234567.891), "1.234.567,891");
    assert.equal(en.bytes(2_533_886), "2.53 MB");
    assert.equal(pt.bytes(999), "999 B");
    assert.equal(plain(pt.percent(0.123)), "12,3%");
    // 109,972 of 109,989 are not all, and one of a million is not none.
    assert.deepEqual(
      [109_972 / 109_989, 1, 1e-6, 0].map((share) => plain(pt.percent(share, 0))),
      ["> 99%", "100%", "< 1%", "0%"],
    );
    assert.deepEqual(
      [900, 5200, 61_000, 3_720_000, 90_000_000].map((ms) => en.duration(ms)),
      ["900 ms", "5.2 s", "1 min 1 s", "1 h 2 min", "1 d 1 h"],
    );
    assert.equal(pt.relative(0, 3 * 3_600_000), "há 3 horas");
    assert.equal(shortDigest(`sha256:${"ab".repeat(32)}`), "ababababab");
  });
});

describe("models and endpoints", () => {
  test("metrics are compared by what they mean", () => {
    assert.equal(compareMetric("roc_auc", 0.72, 0.7), "better");
    assert.equal(compareMetric("test_log_loss", 0.42, 0.4), "worse");
    assert.equal(compareMetric("cost", 1, 2), undefined);
    assert.deepEqual(metricNames([{ zeta: 1, brier: 1, roc_auc: 1, alpha: 1 }]), ["roc_auc", "brier", "alpha", "zeta"]);
  });

  test("bands of model versions lie within the windows that are shown", () => {
    const bands = versionBands(endpoint);
    const answered = new Set(endpoint.windows.flatMap(({ modelVersions }) => modelVersions));
    assert.ok(answered.size > 1, "more than one version answered");
    assert.deepEqual(
      bands.map(({ label }) => label),
      [...answered].sort((left, right) => left - right).map((version) => `v${version}`),
    );
    assert.ok(
      (bands[0]?.fromMs ?? 0) >= (endpoint.windows[0]?.startMs ?? Infinity),
      "the first band begins with the first answer",
    );
    assert.equal(bands.at(-1)?.toMs, endpoint.windows.at(-1)?.endMs);
  });

  test("a run that several alerts started is one retraining", () => {
    const [first] = endpoint.retrainings;
    assert.ok(first !== undefined);
    assert.equal(distinctRetrainings([first, { ...first, alertId: "other" }]).length, 1);
  });

  test("an endpoint is judged by its first metric in the last window that has it", () => {
    const measured = endpoint.windows.findLast(({ performance }) =>
      performance.some(({ metric, segment }) => metric === "roc_auc" && segment === undefined),
    );
    const expected = measured?.performance.find(
      ({ metric, segment }) => metric === "roc_auc" && segment === undefined,
    )?.value;
    assert.ok(expected !== undefined);
    assert.deepEqual(
      [lastPerformance(endpoint.windows)?.metric, lastPerformance(endpoint.windows)?.value],
      ["roc_auc", expected],
    );
    assert.equal(lastPerformance([]), undefined);
  });

  test("the drift chart counts the columns that the figure above it counts, and the answers apart", () => {
    const columns = driftedColumns(endpoint.windows.at(-1));
    const series = driftSeries(endpoint.windows);
    const counts = [...new Set(series.map(({ method }) => method))].map((method) => countDriftSeries(series, method));
    assert.equal(Math.max(...counts.map((each) => each.columns)), columns?.watched);
    assert.deepEqual(
      counts.map(({ withAnswers }) => withAnswers),
      [...new Set(series.map(({ method }) => method))].map((method) =>
        series.some((each) => each.method === method && each.feature === "prediction"),
      ),
    );
  });

  test("the most drifted feature comes first", () => {
    const drifted = (feature: string, method: string): number =>
      endpoint.windows.filter(({ drift }) =>
        drift.some((each) => each.feature === feature && each.method === method && each.isDrifted),
      ).length;
    const counts = driftSeries(endpoint.windows).map(({ feature, method }) => drifted(feature, method));
    assert.ok((counts[0] ?? 0) > 0, "a column of the demo drifted");
    assert.deepEqual(
      counts,
      counts.toSorted((left, right) => right - left),
    );
  });
});

describe("lineage", () => {
  test("many source files of one dataset are gathered into one node, few are not", () => {
    const graph = (files: number): LineageGraph => ({
      root: "m",
      truncated: false,
      nodes: [
        { id: "m", kind: "model", label: "m" },
        ...Array.from({ length: files }, (_, index) => ({
          id: `f${index}`,
          kind: "source_file" as const,
          label: `f${index}`,
        })),
      ],
      edges: Array.from({ length: files }, (_, index) => ({ from: `f${index}`, to: "m" })),
    });
    const many = lineageLayers(graph(20));
    assert.deepEqual([many.nodes.length, many.edges.length, many.nodes[1]?.count], [2, 1, 20]);
    assert.equal(lineageLayers(graph(3)).nodes.length, 4);
    assert.equal(totalRows([{ rowCount: 2 }, { rowCount: 40 }]), 42);
    // Some of the rows would pass for all.
    assert.equal(totalRows([{ rowCount: 2 }, {}]), undefined);
  });
});

describe("the way back from a prediction", () => {
  test("names the training data and puts the notebook beside the model", () => {
    const chain = [
      { kind: "prediction", id: "p", label: "p" },
      { kind: "model", id: "m", label: "m" },
      { kind: "data", id: "t", label: "t" },
      { kind: "data", id: "r", label: "r" },
      { kind: "commit", id: "c", label: "c" },
    ] as const;
    const lineage: LineageGraph = {
      root: "p",
      truncated: false,
      nodes: [
        { id: "n", kind: "notebook", label: "n" },
        { id: "x", kind: "notebook", label: "of another model" },
      ],
      edges: [{ from: "n", to: "m" }],
    };
    assert.deepEqual(
      readableChain({ chain, lineage }).map(({ kind, id }) => `${kind} ${id}`),
      ["prediction p", "model m", "notebook n", "training_data t", "data r", "commit c"],
    );
    assert.deepEqual(
      readableChain({ chain }).map(({ id }) => id),
      ["p", "m", "t", "r", "c"],
    );
  });
});

describe("notebooks", () => {
  test("a difference puts removals before additions and keeps what is equal", () => {
    assert.deepEqual(
      lineDiff("a\nb\nc", "a\nx\nc\nd").map(({ kind, text }) => `${kind[0]}${text}`),
      ["sa", "rb", "ax", "sc", "ad"],
    );
  });

  test("highlighted source is the source", () => {
    const source = 'def f(x):  # "not a string"\n    return f"""{x}\n# no comment""" + 1e-3\n';
    const spans = highlightPython(source);
    assert.equal(spans.map(({ text }) => text).join(""), source);
    assert.deepEqual(
      spans.filter(({ kind }) => kind !== "plain").map(({ kind }) => kind),
      ["keyword", "comment", "keyword", "string", "number"],
    );
  });

  test("markdown escapes what a user writes", () => {
    assert.equal(
      markdownHtml("# A <b>\n\n- **x**\n- `y<`"),
      "<h2>A &lt;b&gt;</h2>\n<ul><li><strong>x</strong></li><li><code>y&lt;</code></li></ul>",
    );
    assert.ok(!markdownHtml("[x](javascript:alert(1))").includes("<a"));
    assert.ok(!markdownHtml('[x](https://a" onclick="b)').includes('onclick="'));
  });
});

describe("live changes", () => {
  test("events are read however the pieces are cut", () => {
    const text = ': hello\r\n\r\nid: 7\r\nevent: change\r\ndata: {"a":\r\ndata: 1}\r\n\r\n';
    const read = createEventReader();
    assert.deepEqual(read(text), [{ name: "change", data: '{"a":\n1}', id: "7" }]);
    const byLetter = createEventReader();
    const cut = [...text.replaceAll("\r\n", "\n")].flatMap((letter) => byLetter(letter));
    assert.deepEqual(cut, [{ name: "change", data: '{"a":\n1}', id: "7" }]);
  });

  test("a change is read again where it shows", () => {
    assert.ok(changeTargets({ type: "step_run.succeeded" }).includes("pipeline-runs"));
    assert.ok(changeTargets({ type: "asset_version.made" }).includes("datasets"));
    assert.ok(changeTargets({ type: "approval.given" }).includes("approvals"));
    assert.deepEqual(changeTargets({ type: "something.new" }), ["overview"]);
  });
});

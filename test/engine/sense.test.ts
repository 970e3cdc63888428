import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sense, type SensorState } from "../../src/engine/sense.ts";
import type { Observation, SensorDefinition } from "#pipeline";

const files = (settleMs: number, existing = false): SensorDefinition => ({
  everyMs: 30_000,
  ...(existing ? { existing: true as const } : {}),
  looksAt: { kind: "file", patterns: ["in/*"], settleMs },
});
const seenFiles = (...paths: readonly (readonly [string, number, number])[]): Observation => ({
  kind: "file",
  files: paths.map(([path, sizeBytes, modifiedMs]) => ({ path, sizeBytes, modifiedMs })),
});
const rowsSensor = (existing = false): SensorDefinition => ({
  everyMs: 1000,
  ...(existing ? { existing: true as const } : {}),
  looksAt: { kind: "rows", sql: "select 1" },
});
const rows = (digest: string, count = 1): Observation => ({ kind: "rows", digest, count, rows: [] });

describe("a sensor", () => {
  it("takes what is there at its first look for known, unless it says otherwise", () => {
    const first = sense(files(0), undefined, seenFiles(["a", 1, 1]), 0);
    assert.equal(first.event, undefined);
    assert.deepEqual(sense(files(0), first.state, seenFiles(["a", 1, 1], ["b", 1, 1]), 1).event, {
      files: ["b"],
      file: "b",
      count: 1,
    });
    assert.deepEqual(sense(files(0, true), undefined, seenFiles(["a", 1, 1]), 0).event?.["files"], ["a"]);
  });

  it("waits until a file has stopped changing, and tells one that changed or came back as one that came", () => {
    let state: SensorState = sense(files(5000), undefined, seenFiles(["old", 1, 1]), 0).state;
    const look = (observed: Observation, nowMs: number) => {
      const sensed = sense(files(5000), state, observed, nowMs);
      state = sensed.state;
      return [sensed.event?.["files"], sensed.againMs];
    };
    assert.deepEqual(look(seenFiles(["new", 10, 1], ["old", 1, 1]), 1000), [undefined, 5000]);
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 1, 1]), 6000), [undefined, 5000], "still written");
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 1, 1]), 10_999), [undefined, 5000]);
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 1, 1]), 11_000), [["new"], undefined]);
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 1, 1]), 40_000), [undefined, undefined]);
    look(seenFiles(["new", 20, 2], ["old", 2, 9]), 50_000);
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 2, 9]), 55_000), [["old"], undefined]);
    look(seenFiles(["old", 2, 9]), 60_000);
    look(seenFiles(["new", 20, 2], ["old", 2, 9]), 70_000);
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 2, 9]), 75_000), [["new"], undefined], "gone and back");
    look(seenFiles(["new", 99, 2], ["old", 2, 9]), 80_000);
    assert.deepEqual(look(seenFiles(["new", 20, 2], ["old", 2, 9]), 90_000), [undefined, undefined], "taken back");
  });

  it("tells a thousand files a run, the others in the next", () => {
    const many = Array.from({ length: 2500 }, (_, index) => [`f${String(index).padStart(5, "0")}`, 1, 1] as const);
    let state = sense(files(0), undefined, seenFiles(), 0).state;
    const told: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const sensed = sense(files(0), state, seenFiles(...many), turn);
      state = sensed.state;
      const list = (sensed.event?.["files"] ?? []) as readonly string[];
      assert.ok(list.length <= 1000);
      told.push(...list);
    }
    assert.deepEqual(
      told,
      many.map(([path]) => path),
    );
  });

  it("tells other rows, and none where there are none", () => {
    const first = sense(rowsSensor(), undefined, rows("empty", 0), 0);
    const some = sense(rowsSensor(), first.state, rows("a"), 0);
    assert.deepEqual([first.event, some.event], [undefined, { rows: [], count: 1 }]);
    assert.equal(sense(rowsSensor(), some.state, rows("a"), 0).event, undefined);
    const gone = sense(rowsSensor(), some.state, rows("empty", 0), 0);
    assert.equal(gone.event, undefined);
    assert.ok(sense(rowsSensor(), gone.state, rows("a"), 0).event !== undefined, "they are back");
    assert.ok(sense(rowsSensor(true), undefined, rows("a"), 0).event !== undefined);
  });

  it("tells other content of an address, not another ETag of the same", () => {
    const sensor: SensorDefinition = { everyMs: 1000, looksAt: { kind: "url", url: "https://example.org/a" } };
    const answer = (digest: string, etag: string): Observation => ({ kind: "url", digest, etag, sizeBytes: 1 });
    const first = sense(sensor, undefined, answer("d1", "e1"), 0);
    const same = sense(sensor, first.state, answer("d1", "e2"), 0);
    assert.deepEqual([first.event, same.event], [undefined, undefined]);
    assert.deepEqual(same.state, { kind: "url", digest: "d1", etag: "e2" });
    assert.deepEqual(sense(sensor, same.state, { kind: "unchanged" }, 0), { state: same.state, event: undefined });
    assert.deepEqual(sense(sensor, same.state, answer("d2", "e3"), 0).event, {
      url: "https://example.org/a",
      digest: "d2",
      sizeBytes: 1,
      etag: "e3",
    });
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import {
  assertPartition,
  choosePartitions,
  type KnownPartitions,
  listPartitions,
  newestPartitions,
  partitionEnvironment,
  partitionOf,
  partitionRange,
  type PartitionsDefinition,
} from "#pipeline";

const at = (text: string): number => Date.parse(text);
const known = (partitions: PartitionsDefinition, now: string, keys?: readonly string[]): KnownPartitions => ({
  definition: { name: "p", partitions },
  keys,
  nowMs: at(now),
});
const names = (found: readonly { readonly name: string }[]): readonly string[] => found.map(({ name }) => name);
const spans = (found: readonly { readonly startMs: number | undefined; readonly endMs: number | undefined }[]) =>
  found.map(({ startMs = 0, endMs = 0 }) => [new Date(startMs).toISOString(), new Date(endMs).toISOString()]);

function problem(run: () => unknown, code: string): string {
  try {
    run();
  } catch (error) {
    assert.ok(isEsteiraError(error, code), String(error));
    return `${error.message} ${error.hint ?? ""}`;
  }
  assert.fail(`expected ${code}`);
}

describe("partitions by time", () => {
  it("are the spans that are over, in the time zone: months, the leap day, weeks from Monday", () => {
    const month = { time: { every: "month", start: "2024-01-31", timezone: "UTC" } } as const;
    assert.deepEqual(names(listPartitions(known(month, "2024-04-01T00:00:00Z"))), ["2024-01", "2024-02", "2024-03"]);
    assert.deepEqual(names(listPartitions(known(month, "2024-03-31T23:59:59Z"))), ["2024-01", "2024-02"]);
    const day = { time: { every: "day", start: "2024-02-28", end: "2024-03-02", timezone: "UTC" } } as const;
    assert.deepEqual(names(listPartitions(known(day, "2030-01-01"))), ["2024-02-28", "2024-02-29", "2024-03-01"]);
    const week = { time: { every: "week", start: "2024-01-03", timezone: "UTC" } } as const;
    assert.deepEqual(names(listPartitions(known(week, "2024-01-15"))), ["2024-01-01", "2024-01-08"]);
    const local = { time: { every: "day", start: "2026-01-01", timezone: "America/Sao_Paulo" } } as const;
    assert.deepEqual(spans(listPartitions(known(local, "2026-01-02T03:00:00Z"))), [
      ["2026-01-01T03:00:00.000Z", "2026-01-02T03:00:00.000Z"],
    ]);
  });

  it("by hour have no gap and no overlap where the clocks change, and each a name of its own", () => {
    // Berlin, 2026-10-25: 02:00 is shown twice; 2026-03-29: 02:00 is not shown.
    const hours = (start: string, end: string, timezone = "Europe/Berlin") =>
      listPartitions(known({ time: { every: "hour", start, end, timezone } }, "2030-01-01"));
    const autumn = hours("2026-10-25", "2026-10-26");
    assert.equal(autumn.length, 25);
    assert.equal(new Set(names(autumn)).size, 25);
    assert.deepEqual(names(autumn).slice(1, 5), [
      "2026-10-25T01:00+02:00",
      "2026-10-25T02:00+02:00",
      "2026-10-25T02:00+01:00",
      "2026-10-25T03:00+01:00",
    ]);
    const spring = hours("2026-03-29", "2026-03-30");
    assert.equal(spring.length, 23);
    assert.deepEqual(names(spring).slice(1, 3), ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]);
    for (const some of [
      autumn,
      spring,
      hours("2026-04-04", "2026-04-06", "Australia/Lord_Howe"),
      hours("2026-10-03", "2026-10-05", "Australia/Lord_Howe"),
    ])
      for (const [index, { startMs, endMs = 0 }] of some.entries()) {
        assert.ok(endMs > (startMs ?? 0));
        if (index > 0) assert.equal(startMs, some[index - 1]?.endMs);
      }
    const zone = { time: { every: "hour", start: "2026-10-25", timezone: "Europe/Berlin" } } as const;
    const now = known(zone, "2026-10-26T00:00:00Z");
    assert.deepEqual(names(choosePartitions(now, ["2026-10-25T05:00"])), ["2026-10-25T05:00+01:00"]);
    assert.match(
      problem(() => choosePartitions(now, ["2026-10-25T02:00"]), "PIPELINE_PARTITION_UNKNOWN"),
      /It means several: 2026-10-25T02:00\+02:00, 2026-10-25T02:00\+01:00/,
    );
  });

  it("by day are as long as their day, also where midnight is skipped or comes twice", () => {
    const days = (start: string, end: string, timezone: string) =>
      listPartitions(known({ time: { every: "day", start, end, timezone } }, "2030-01-01"));
    const length = ({ startMs = 0, endMs = 0 }: { startMs: number | undefined; endMs: number | undefined }) =>
      (endMs - startMs) / 3_600_000;
    assert.deepEqual(days("2026-03-28", "2026-03-31", "Europe/Berlin").map(length), [24, 23, 24]);
    assert.deepEqual(days("2026-10-24", "2026-10-27", "Europe/Berlin").map(length), [24, 25, 24]);
    // Sao Paulo, 2018-11-04: 00:00 is not shown; 2018-02-18: 23:00 of the day before comes twice.
    const skipped = days("2018-11-03", "2018-11-06", "America/Sao_Paulo");
    assert.deepEqual(skipped.map(length), [24, 23, 24]);
    assert.deepEqual(names(skipped), ["2018-11-03", "2018-11-04", "2018-11-05"]);
    const zone = { time: { every: "day", start: "2018-01-01", timezone: "America/Sao_Paulo" } } as const;
    assert.equal(partitionOf(zone, "2018-11-04")?.startMs, at("2018-11-04T03:00:00Z"));
    assert.deepEqual(days("2018-02-16", "2018-02-19", "America/Sao_Paulo").map(length), [24, 25, 24]);
  });

  it("are found by name, by range and by what is near, and not before they are over", () => {
    const day = { time: { every: "day", start: "2026-01-01", timezone: "UTC" } } as const;
    const now = known(day, "2026-03-01T12:00:00Z");
    assert.deepEqual(names(choosePartitions(now, ["2026-01-31", "2026-01-30..2026-02-01"])), [
      "2026-01-31",
      "2026-01-30",
      "2026-02-01",
    ]);
    assert.equal(partitionRange(now, { from: "2026-02-01", to: "2026-02-28" }).length, 28);
    assert.equal(partitionRange(now, { from: "2025-12-01" }).length, 59);
    assert.equal(partitionRange(now, { to: "2030-01-01" }).length, 59, "what is not over is left out");
    assert.match(
      problem(() => partitionRange(now, { from: "2026-02-02", to: "2026-02-01" }), "PIPELINE_PARTITIONS_EMPTY"),
      /from 2026-02-02 to 2026-02-01/,
    );
    assert.match(
      problem(() => choosePartitions(now, ["2026-03-01"]), "PIPELINE_PARTITION_NOT_OVER"),
      /ends at 2026-03-02.*newest that is over: 2026-02-28/,
    );
    assert.match(
      problem(() => choosePartitions(now, ["2026-02-29"]), "PIPELINE_PARTITION_UNKNOWN"),
      /one per day.*Did you mean "2026-02-28"/,
    );
    for (const wrong of ["2025-12-31", "2026-01-01T05:00Z", "yesterday", "", "2026-13-01", "../../etc"])
      problem(() => choosePartitions(now, [wrong]), "PIPELINE_PARTITION_UNKNOWN");
    assert.match(
      problem(() => assertPartition(now, undefined), "PIPELINE_PARTITION_MISSING"),
      /2026-02-28/,
    );
    problem(() => assertPartition({ ...now, definition: { name: "p" } }, "2026-01-01"), "PIPELINE_PARTITIONS_ABSENT");
    problem(() => assertPartition(now, "2026-01-01..2026-01-02"), "PIPELINE_PARTITION_MISSING");
    assert.deepEqual(names(newestPartitions(now, at("2026-02-01T00:00:00Z"))), ["2026-01-31"]);
    assert.deepEqual(newestPartitions(now, at("2026-01-01T23:00:00Z")), []);
    assert.deepEqual(
      names(newestPartitions(known({ time: { ...day.time, end: "2026-01-10" } }, "2026-03-01"), at("2026-03-01"))),
      ["2026-01-09"],
    );
  });

  it("are found by lists with commas, and by ranges with an open side", () => {
    const day = { time: { every: "day", start: "2026-01-01", timezone: "UTC" } } as const;
    const now = known(day, "2026-01-06T12:00:00Z");
    assert.deepEqual(names(choosePartitions(now, ["2026-01-05, 2026-01-01..2026-01-02"])), [
      "2026-01-05",
      "2026-01-01",
      "2026-01-02",
    ]);
    assert.deepEqual(names(choosePartitions(now, ["2026-01-04.."])), ["2026-01-04", "2026-01-05"]);
    assert.deepEqual(names(choosePartitions(now, ["..2026-01-02"])), ["2026-01-01", "2026-01-02"]);
    for (const wrong of ["..", "2026-01-01,", ",", "2026-01-01,yesterday", "2026-01-01..2026-01-02..2026-01-03"])
      problem(() => choosePartitions(now, [wrong]), "PIPELINE_PARTITION_UNKNOWN");
    problem(() => choosePartitions(now, ["2026-01-01,2026-01-06"]), "PIPELINE_PARTITION_NOT_OVER");
  });

  it("are listed quickly where there are many, and refused where there are far too many", () => {
    const began = process.cpuUsage();
    const daily = { time: { every: "day", start: "1998-01-01", timezone: "America/New_York" } } as const;
    assert.equal(listPartitions(known(daily, "2025-05-19T12:00:00Z")).length, 10_000);
    const { user } = process.cpuUsage(began);
    assert.ok(user < 3_000_000, `${user} µs`);
    const hourly = { time: { every: "hour", start: "1998-01-01", timezone: "UTC" } } as const;
    problem(() => listPartitions(known(hourly, "2025-01-01")), "PIPELINE_PARTITIONS_TOO_MANY");
  });
});

describe("partitions by key", () => {
  const keys = ["north", "ação", 'it\'s "x"', "../../etc/passwd", "a/b", "-rf", "50%"];

  it("take keys of any characters, none of which leads out of a folder", () => {
    const now = known({ keys }, "2026-01-01", keys);
    assert.deepEqual(names(listPartitions(now)), keys);
    const files = keys.map((key) => {
      const [partition] = choosePartitions(now, [key]);
      assert.ok(partition);
      const { ESTEIRA_PARTITION: file = "", ESTEIRA_PARTITION_KEY: raw } = partitionEnvironment(partition);
      assert.equal(raw, key);
      return file;
    });
    assert.deepEqual(files, ["north", "ação", 'it\'s "x"', "%2E.%2F..%2Fetc%2Fpasswd", "a%2Fb", "%2Drf", "50%25"]);
    assert.match(
      problem(() => choosePartitions(now, ["nort"]), "PIPELINE_PARTITION_UNKNOWN"),
      /Did you mean "north"/,
    );
  });

  it("and time are each key in each span: named together, by time alone or by key alone", () => {
    const both = { time: { every: "day", start: "2026-01-01", timezone: "UTC" }, keys } as const;
    const now = known(both, "2026-01-04T00:00:00Z", ["a:b", "2026-01-01", "c"]);
    assert.equal(listPartitions(now).length, 9);
    assert.deepEqual(names(choosePartitions(now, ["2026-01-02:a:b"])), ["2026-01-02:a:b"]);
    assert.deepEqual(names(choosePartitions(now, ["2026-01-02"])), [
      "2026-01-02:a:b",
      "2026-01-02:2026-01-01",
      "2026-01-02:c",
    ]);
    assert.deepEqual(names(choosePartitions(now, ["c"])), ["2026-01-01:c", "2026-01-02:c", "2026-01-03:c"]);
    assert.deepEqual(partitionOf(both, "2026-01-02:a:b"), {
      name: "2026-01-02:a:b",
      key: "a:b",
      startMs: at("2026-01-02"),
      endMs: at("2026-01-03"),
    });
    assert.equal(partitionOf(both, "2026-01-02"), undefined);
    problem(() => choosePartitions(now, ["2026-01-02:d"]), "PIPELINE_PARTITION_UNKNOWN");
  });
});

describe("ranges and lists of keys", () => {
  const keys = ["north", "a,b", "x..y", "south", "west"];
  const byKey = known({ keys }, "2026-01-06T00:00:00Z", keys);

  it("follow the order in which the keys are, and leave keys whole that look like one", () => {
    assert.deepEqual(names(choosePartitions(byKey, ["south,north"])), ["south", "north"]);
    assert.deepEqual(names(choosePartitions(byKey, ["a,b"])), ["a,b"]);
    assert.deepEqual(names(choosePartitions(byKey, ["x..y"])), ["x..y"]);
    assert.deepEqual(names(choosePartitions(byKey, ["x..y..west"])), ["x..y", "south", "west"]);
    assert.deepEqual(names(choosePartitions(byKey, ["..a,b"])), ["north", "a,b"]);
    assert.deepEqual(names(partitionRange(byKey, { from: "south" })), ["south", "west"]);
    problem(() => choosePartitions(byKey, ["west..north"]), "PIPELINE_PARTITIONS_EMPTY");
    for (const wrong of ["north..easst", "north,easst", "..", ""])
      problem(() => choosePartitions(byKey, [wrong]), "PIPELINE_PARTITION_UNKNOWN");
  });

  it("are of one key where a range of times names it", () => {
    const both = { time: { every: "day", start: "2026-01-01", timezone: "UTC" }, keys: ["north", "south"] } as const;
    const now = known(both, "2026-01-04T00:00:00Z", both.keys);
    assert.deepEqual(names(choosePartitions(now, ["2026-01-02..2026-01-03:south"])), [
      "2026-01-02:south",
      "2026-01-03:south",
    ]);
    assert.equal(choosePartitions(now, ["2026-01-02..2026-01-03"]).length, 4);
    assert.deepEqual(names(choosePartitions(now, ["2026-01-01:north,2026-01-03..:south"])), [
      "2026-01-01:north",
      "2026-01-03:south",
    ]);
    problem(() => choosePartitions(now, ["2026-01-02..2026-01-03:east"]), "PIPELINE_PARTITION_UNKNOWN");
  });
});

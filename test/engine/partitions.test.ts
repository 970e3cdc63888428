import assert from "node:assert/strict";
import { it } from "node:test";
import { isEsteiraError } from "#base";
import { listPipelineRuns } from "#engine";
import { restoreDataset } from "#data";
import { openPartitionedProject } from "../setup/partitioned-project.ts";
import { describeStores } from "../setup/stores.ts";
import { createTestProject } from "../setup/engine.ts";

const RIDES = `id,moment,city,amount
1,2026-01-01 10:00:00,north,1
2,2026-01-01 23:59:59,south,2
3,2026-01-02 00:00:00,north,4
4,2026-01-03 12:00:00,it's,8
`;
const FILES = {
  "rides.csv": RIDES,
  "daily.sql":
    "select id, moment, city, amount from rides where moment >= $partition_start and moment < $partition_end\n",
  "totals.sql": "select moment::DATE as day, sum(amount) as amount from daily group by 1\n",
  "pipelines/source.yaml": "steps: { rides: { capture: { files: rides.csv } } }\n",
  "pipelines/days.yaml": `
partitions: { every: day, start: 2026-01-01 }
steps:
  daily: { sql: daily.sql, partition_by: moment }
  totals: { sql: totals.sql, partition_by: day }
`,
};
const TOTALS = "select day::VARCHAR as day, amount::INT as amount from totals order by day";

describeStores("a pipeline with partitions", (kind) => {
  it("makes one at a time, replaces the rows of that one alone, and reuses what did not change", async () => {
    const project = await openPartitionedProject(kind, FILES);
    const source = await project.platform.engine.submit({ pipeline: "source", actor: "maria" });
    assert.equal((await project.platform.engine.runToEnd(source)).status, "succeeded");
    assert.deepEqual(await project.run("days", "2026-01-02"), { daily: "ran", totals: "ran" });
    assert.deepEqual(await project.run("days", "2026-01-01"), { daily: "ran", totals: "ran" });
    assert.deepEqual(await project.rows("totals", TOTALS), [
      { day: "2026-01-01", amount: 3 },
      { day: "2026-01-02", amount: 4 },
    ]);
    // Another partition was made since: that changes nothing for this one.
    assert.deepEqual(await project.run("days", "2026-01-02"), { daily: "cached", totals: "cached" });
    assert.deepEqual(await project.run("days", "2026-01-03"), { daily: "ran", totals: "ran" });
    // Other SQL: each partition is made anew, its own rows alone.
    await project.write("totals.sql", FILES["totals.sql"].replace("sum(amount)", "10 * sum(amount)"));
    assert.deepEqual(await project.run("days", "2026-01-01"), { daily: "cached", totals: "ran" });
    assert.deepEqual(await project.rows("totals", TOTALS), [
      { day: "2026-01-01", amount: 30 },
      { day: "2026-01-02", amount: 4 },
      { day: "2026-01-03", amount: 8 },
    ]);
    // A step that is run again and gives the same does not make what follows stale.
    assert.deepEqual(await project.run("days", "2026-01-01", { from: "daily" }), { daily: "ran", totals: "cached" });
    const [run] = await listPipelineRuns(project.platform.store, { project: "p", pipeline: "days" });
    assert.equal(run?.partition, "2026-01-01");
    // The dataset is as it was before: which partitions of it are whole is not known any more.
    await restoreDataset(
      { ...project.platform, clock: project.platform.clock },
      { dataset: "totals", version: 1, actor: "maria" },
    );
    assert.deepEqual(await project.run("days", "2026-01-02"), { daily: "cached", totals: "ran" });
  });

  it("gives every kind of step its partition, by keys and by dates of a time zone", async () => {
    const project = await openPartitionedProject(kind, {
      "rides.csv": RIDES,
      "cities.sql":
        "select id, (moment AT TIME ZONE 'UTC')::DATE as day, city, $partition_key as asked, amount from rides where city = $partition_key\n",
      "make.py":
        "import esteira, os, csv\np = esteira.context().partition\nwith open(esteira.output('written') / 'x.csv', 'w', newline='') as f:\n  w = csv.writer(f)\n  w.writerow(['day', 'city', 'start'])\n  w.writerow([p['name'][:10], p['key'], os.environ['ESTEIRA_PARTITION_START']])\n  w.writerow(['2020-01-01', p['key'], 'another'])\n",
      "pipelines/source.yaml": "steps: { rides: { capture: { files: rides.csv } } }\n",
      "pipelines/cities.yaml": `
partitions: { keys: [north, "it's"] }
steps:
  cities: { sql: cities.sql, partition_by: city }
  said: { run: 'mkdir -p d; printf "%s|%s" "$ESTEIRA_PARTITION" "$KEY" > d/$ESTEIRA_STEP', makes: { code: d }, env: { KEY: '\${{ partition.key }}' } }
`,
      "pipelines/both.yaml": `
partitions: { every: day, start: 2026-01-01, timezone: America/Sao_Paulo, keys: { dataset: rides, column: city } }
steps:
  written: { python: make.py, makes: data, partition_by: { time: day, key: city } }
`,
    });
    const source = await project.platform.engine.submit({ pipeline: "source", actor: "maria" });
    await project.platform.engine.runToEnd(source);
    assert.deepEqual(await project.run("cities", "it's"), { cities: "ran", said: "ran" });
    assert.deepEqual(await project.run("cities", "north"), { cities: "ran", said: "ran" });
    assert.deepEqual(await project.run("cities", "it's"), { cities: "cached", said: "ran" });
    assert.deepEqual(await project.rows("cities", "select id, asked from cities order by id"), [
      { id: 1, asked: "north" },
      { id: 3, asked: "north" },
      { id: 4, asked: "it's" },
    ]);
    // A column of dates belongs to the dates of the zone, not to those of UTC.
    assert.deepEqual(await project.run("both", "2026-01-02:it's"), { written: "ran" });
    assert.deepEqual(await project.run("both", "2026-01-02:south"), { written: "ran" });
    assert.deepEqual(await project.run("both", "2026-01-02:it's", { from: "written" }), { written: "ran" });
    assert.deepEqual(
      await project.rows("written", "select day::VARCHAR as day, city, start from written order by city"),
      [
        { day: "2026-01-02", city: "it's", start: "2026-01-02T03:00:00Z" },
        { day: "2026-01-02", city: "south", start: "2026-01-02T03:00:00Z" },
      ].map((row) => ({ ...row })),
    );
    await assert.rejects(project.run("both", "2026-01-02:west"), (error) =>
      isEsteiraError(error, "PIPELINE_PARTITION_UNKNOWN"),
    );
  });

  it("is started by its schedule for the one that has just ended, and waits for a run of the same one", async () => {
    const now = { ms: Date.parse("2026-01-31T23:59:59.800Z") };
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
on: { schedule: "0 0 * * *" }
partitions: { every: day, start: 2026-01-01, keys: [a, b] }
steps: { s: { run: 'echo "$ESTEIRA_PARTITION" >> seen' } }
`,
    });
    await project.register();
    const engine = project.engine({ clock: { now: () => now.ms, monotonic: () => performance.now() } });
    const one = await engine.submit({ pipeline: "p", actor: "ana", partition: "2026-01-30:a" });
    const same = await engine.submit({ pipeline: "p", actor: "ana", partition: "2026-01-30:a" });
    const other = await engine.submit({ pipeline: "p", actor: "ana", partition: "2026-01-30:b" });
    const status = async () =>
      new Map((await listPipelineRuns(project.store, { project: "p" })).map((run) => [run.id, run.status]));
    const before = await status();
    assert.deepEqual([before.get(one), before.get(same), before.get(other)], ["running", "queued", "running"]);
    await assert.rejects(engine.submit({ pipeline: "p", actor: "ana" }), (error) =>
      isEsteiraError(error, "PIPELINE_PARTITION_MISSING"),
    );
    await assert.rejects(engine.submit({ pipeline: "p", actor: "ana", partition: "2026-01-31:a" }), (error) =>
      isEsteiraError(error, "PIPELINE_PARTITION_NOT_OVER"),
    );
    now.ms = Date.parse("2026-02-01T00:00:30Z");
    const runs = async () =>
      (await listPipelineRuns(project.store, { project: "p" })).filter(({ trigger }) => trigger.kind === "schedule");
    // The schedule's next tick is of the real clock: it is moved to the one of this test.
    await project.store.write((transaction) =>
      transaction
        .updateTable("schedule")
        .set({ next_at_ms: Date.parse("2026-02-01T00:00:00Z") })
        .execute(),
    );
    await engine.start();
    while ((await runs()).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual((await runs()).map(({ partition }) => partition ?? "").toSorted(), [
      "2026-01-31:a",
      "2026-01-31:b",
    ]);
  });

  it("is refused where a step would replace all partitions, or says what nothing knows", async () => {
    const project = await createTestProject(kind, {
      "pipelines/a.yaml": `
on: { push: main }
partitions: { every: day, start: 2026-01-01, keys: [a, a] }
steps:
  s: { run: 'echo \${{ partition.year }}', partition_by: day }
`,
      "pipelines/b.yaml": `
partitions: { keys: [a] }
steps: { s2: { run: 'echo \${{ partition.start }}' } }
`,
      "pipelines/c.yaml": "steps: { s3: { run: 'echo ${{ partition.key }}' } }\n",
      "pipelines/d.yaml": "partitions: { evry: day }\nsteps: { s4: { run: 'true' } }\n",
      "pipelines/e.yaml":
        "partitions: { every: day, start: 2026-01-01, end: 2026-01-01, timezone: Mars/X }\nsteps: { s5: { run: 'true' } }\n",
    });
    const { problems } = await project.load();
    const said = problems.map(({ file, message, hint }) => `${file} ${message} ${hint ?? ""}`).join("\n");
    for (const expected of [
      /a\.yaml a trigger by push does not say which partition it means/,
      /a\.yaml the key "a" stands twice/,
      /a\.yaml .*a partition has no "year"/,
      /a\.yaml partition_by names no key column/,
      /b\.yaml .*a partition by key has no "start"/,
      /c\.yaml .*the pipeline has no partitions/,
      /d\.yaml unknown key "evry".*Did you mean "every"/,
      /e\.yaml unknown time zone "Mars\/X"/,
    ])
      assert.match(said, expected);
  });
});

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { z } from "zod";
import { runPython } from "../setup/mlflow-client.ts";
import { runEsteira } from "../setup/command-line.ts";
import { testPython } from "../setup/python-environment.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const PROJECT: Readonly<Record<string, string>> = {
  "esteira.yaml": "name: p\n",
  "data/rides.csv":
    "driver_id,event_timestamp,created,trips,rating,name,big\n1,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,1,0.5,ana,9007199254740993\n2,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,2,,bia,2\n",
  "pipelines/p.yaml": "steps: { rides: { capture: { files: data/rides.csv } } }\n",
  "features/f.yaml":
    "entities: { driver: { keys: [driver_id] } }\nviews: { stats: { source: rides, entities: [driver], timestamp: event_timestamp, created: created, features: [trips, rating, name, big], push: live } }\nservices: { rank: { features: [stats] } }\n",
};

const SCRIPT = `
import json, os, sys
from datetime import datetime, timedelta, timezone
import pandas as pd
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig, ValueType
from feast.data_source import PushMode
from feast.types import Float64, Int64, String

url, folder = sys.argv[1:]
os.chdir(folder)
pd.DataFrame({"driver_id": [1], "event_timestamp": pd.to_datetime(["2026-01-01"], utc=True), "created": pd.to_datetime(["2026-01-01"], utc=True), "trips": [1], "rating": [0.5], "name": ["a"], "big": [1]}).to_parquet("rides.parquet")
store = FeatureStore(config=RepoConfig(
    project="p", registry=os.path.join(folder, "registry.db"), provider="local",
    online_store={"type": "remote", "path": url}, offline_store={"type": "file"}, entity_key_serialization_version=3,
))
driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
batch = FileSource(path=os.path.join(folder, "rides.parquet"), timestamp_field="event_timestamp", created_timestamp_column="created")
live = PushSource(name="live", batch_source=batch)
stats = FeatureView(name="stats", entities=[driver], ttl=timedelta(0), source=live, schema=[
    Field(name="trips", dtype=Int64), Field(name="rating", dtype=Float64), Field(name="name", dtype=String), Field(name="big", dtype=Int64)])
store.apply([driver, live, stats, FeatureService(name="rank", features=[stats])])
names = ["stats:trips", "stats:rating", "stats:name", "stats:big"]
rows = [{"driver_id": 1}, {"driver_id": 2}, {"driver_id": 9}]
def read(features=names, **more):
    found = store.get_online_features(features, entity_rows=rows, **more).to_dict()
    return {name: [str(value) for value in values] if name.endswith("big") else values for name, values in found.items()}

said = {"before": read(), "full": read(full_feature_names=True), "service": read(store.get_feature_service("rank"))}

def frame(driver, at, trips, rating, name):
    return pd.DataFrame({"driver_id": [driver], "event_timestamp": [pd.Timestamp(at, tz="UTC")], "created": [pd.Timestamp(at, tz="UTC")],
        "trips": [trips], "rating": [rating], "name": [name], "big": [9007199254740995]})

store.push("live", frame(1, "2026-01-01 11:00:00.123456", 10, 0.1, "ação"), to=PushMode.ONLINE)
said["pushed"] = read()
store.write_to_online_store("stats", frame(9, "2026-01-01 11:00", 90, None, "nine"))
store.write_to_online_store("stats", frame(1, "2026-01-01 10:30", 99, 0.9, "older"))
said["written"] = read()

import requests
df = frame(2, "2026-01-01 12:00", 20, 0.2, "bia")
df[["event_timestamp", "created"]] = df[["event_timestamp", "created"]].astype(str)
answer = requests.post(url + "/push", data=json.dumps({"push_source_name": "live", "df": df.to_dict("list"), "to": "online"}))
said["http"] = [answer.status_code, answer.text]
said["last"] = read()

def failure(call):
    try:
        call()
    except Exception as error:
        return [type(error).__name__, str(error)[:300]]
said["unknown view"] = failure(lambda: read(["nothing:trips"]))
said["ahead"] = failure(lambda: store.write_to_online_store("stats", frame(1, "2099-01-01", 1, 0.5, "x")))
store.materialize(datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc))
store.materialize_incremental(datetime(2026, 1, 2, tzinfo=timezone.utc), feature_views=["stats"])
store.materialize_incremental(datetime(2026, 1, 2, tzinfo=timezone.utc), run_async=True)
said["materialized"] = read()
said["not materialized"] = failure(lambda: store.materialize_incremental(datetime(2026, 1, 2, tzinfo=timezone.utc), feature_views=["nothing"]))
print(json.dumps(said))
`;

it("Feast's SDK, unmodified, reads, pushes, writes and materializes with this server as its online store", async (t) => {
  const environment = await testPython(["feast==0.67.0"]);
  if ("problem" in environment) return t.skip(environment.problem);
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(PROJECT)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const run = await runEsteira(folder, ["run", "p"]);
  assert.equal(run.code, 0, run.stderr);
  const server = await startServer(folder);
  t.after(() => server.stop());
  for (const endMs = Date.now() + 60_000; ;) {
    const { items } = (await (await fetch(`${server.url}/api/v1/feature-views`)).json()) as {
      items: { isCurrent: boolean }[];
    };
    if (items[0]?.isCurrent === true) break;
    assert.ok(Date.now() < endMs);
  }
  const output = await runPython(environment.python, SCRIPT, { arguments: [server.url, await temporaryFolder()] });
  const said: unknown = JSON.parse(output.split("\n").at(-1) ?? "");
  const before = {
    driver_id: [1, 2, 9],
    trips: [1, 2, null],
    rating: [0.5, null, null],
    name: ["ana", "bia", null],
    big: ["9007199254740993", "2", "None"],
  };
  const pushed = {
    ...before,
    trips: [10, 2, null],
    rating: [0.1, null, null],
    name: ["ação", "bia", null],
    big: ["9007199254740995", "2", "None"],
  };
  const big = "9007199254740995";
  const written = { ...pushed, trips: [10, 2, 90], name: ["ação", "bia", "nine"], big: [big, "2", big] };
  const last = { ...written, trips: [10, 20, 90], rating: [0.1, 0.2, null], big: [big, big, big] };
  const full = Object.fromEntries(
    Object.entries(before).map(([name, values]) => [name === "driver_id" ? name : `stats__${name}`, values]),
  );
  const { ahead, "not materialized": notMaterialized, ...answers } = z.record(z.string(), z.unknown()).parse(said);
  assert.deepEqual(answers, {
    before,
    full,
    service: before,
    pushed,
    written,
    http: [200, ""],
    last,
    "unknown view": ["FeatureViewNotFoundException", 'There is no feature view "nothing". There are: stats.'],
    materialized: last,
  });
  assert.match(String(ahead), /Error_code=422.*2099-01-01T00:00:00 lies ahead/);
  assert.match(String(notMaterialized), /Remote materialization failed \(404\)/);
});

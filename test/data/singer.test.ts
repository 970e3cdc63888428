import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { isEsteiraError } from "#base";
import type { CaptureDeclaration } from "#data";
import { createPythonEnvironments, createTapRunner } from "#executors";
import type { AssetVersion } from "#metadata-store";
import { testEnvironments } from "../setup/attempt.ts";
import { describeStores, temporaryFolder } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

type Singer = NonNullable<CaptureDeclaration["capture"]["singer"]>;
type Written = Omit<CaptureDeclaration, "capture">;

const SECRETS: Readonly<Record<string, string>> = { KEY: "s3cret-word-9", SHORT: "abc" };
const secret = (name: string): string | undefined => SECRETS[name];

async function captured(
  project: DataProject,
  singer: Singer,
  more: Written = {},
): Promise<{ readonly version: AssetVersion; readonly facts: unknown }> {
  const declaration = { capture: { singer }, ...more };
  assert.deepEqual((await project.analyse(project.capture, declaration, "d")).problems, []);
  const { versions, outcome } = await project.runCapture(declaration);
  const [version] = versions;
  assert.ok(version);
  return { version, facts: outcome.facts };
}

describeStores("tap-jsonl, as a source", (kind) => {
  const line = (id: number, more = {}): string =>
    `${JSON.stringify({ id, name: `n${id}`, total: 10.5, tags: ["a", 1], ...more })}\n`;
  const singer: Singer = {
    tap: "tap-jsonl==0.3.1",
    stream: "orders",
    config: { path: "in/*.jsonl", stream_name: "orders", primary_keys: ["id"], emit_state_every: 2 },
    files: "in/*.jsonl",
    replication: "incremental",
  };
  const write = { merge: ["id"] };

  it(
    "keeps its state with the version that holds the records, and the last of those with an equal key",
    { timeout: 240_000 },
    async () => {
      const project = await openDataProject(kind, {
        secret,
        taps: createTapRunner({ environments: testEnvironments }),
      });
      const writeAt = async (path: string, text: string, at: string): Promise<void> => {
        await project.write(path, text);
        await utimes(join(project.folder, path), new Date(at), new Date(at));
      };
      await writeAt("in/a.jsonl", line(1) + line(2) + line(3), "2026-01-05T10:00:00Z");
      const preview = (): Promise<string | undefined> =>
        project.preview(project.capture, { capture: { singer }, write }, "d");
      assert.equal(await preview(), "singer tap-jsonl orders (tap-jsonl==0.3.1): all records");
      const first = await captured(project, singer, { write });
      assert.match(await preview().then(String), /new by the state of its last version/);
      const rows = (version: AssetVersion): Promise<unknown> =>
        project.rows(version, "select id, name from d order by id").then((all) => all.map((row) => Object.values(row)));
      assert.deepEqual(
        await rows(first.version),
        [
          [1, "n1"],
          [2, "n2"],
          [3, "n3"],
        ].map(([id, name]) => [id, name]),
      );
      assert.match(JSON.stringify(first.version.content), /singer-state\/1/);
      assert.match(project.logged.join("\n"), /3 records; its key is id/);

      const again = await captured(project, singer, { write });
      assert.equal(again.version.version, 1);
      await writeAt("in/b.jsonl", line(3) + line(4) + line(5, { total: 1 }) + line(5), "2026-01-06T10:00:00Z");
      // This tap reads all of its files again, whatever its state says: nothing is there twice.
      const second = await captured(project, singer, { write });
      assert.deepEqual(second.facts, { ...(second.facts as object), read: 7, published: 7, added: 2 });
      assert.equal((await project.rows(second.version, "select * from d")).length, 5);

      await assert.rejects(
        project.runCapture({ capture: { singer: { ...singer, stream: "ordrs" } }, write }),
        (error) => isEsteiraError(error, "DATA_SOURCE_CHANGED"),
      );
    },
  );
});

/** A tap that says what its config has, and dies as it says. */
const ODD = `
import json, os, sys
def main():
    args = dict(zip(sys.argv[1::2], sys.argv[2::2])) if "--discover" not in sys.argv else {}
    config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
    if "--discover" in sys.argv:
        print(config.get("catalog") or json.dumps({"streams": [
            {"tap_stream_id": "s", "stream": "s", "schema": {"type": "object"}, "metadata": []},
            {"tap_stream_id": "t", "stream": "t", "schema": {"type": "object"}, "metadata": []}]}))
        return
    catalog = json.load(open(args["--catalog"]))
    said = {one["stream"]: one["metadata"][-1]["metadata"]["selected"] for one in catalog["streams"]}
    state = open(args["--state"]).read() if "--state" in args else None
    sys.stderr.write(f"selected {said} state {state} token {os.environ.get('ESTEIRA_TOKEN')} key {config.get('key')}\\n")
    for line in config["lines"]:
        sys.stdout.write(line if isinstance(line, str) else json.dumps(line) + "\\n")
    if config.get("endless"):
        while True:
            sys.stdout.write("x" * 65536)
    sys.stdout.flush()
    sys.exit(config.get("exit", 0))
`;

/** A wheel, as a package registry has it. */
const WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/tap_odd-1.0.0-py3-none-any.whl", "w") as wheel:
    info = "tap_odd-1.0.0.dist-info/"
    wheel.write(sys.argv[1] + "/tap_odd.py", "tap_odd.py")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tap-odd\\nVersion: 1.0.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ntap-odd = tap_odd:main\\n")
    wheel.writestr(info + "RECORD", "tap_odd.py,,\\n" + "".join(info + name + ",,\\n" for name in ["METADATA", "WHEEL", "entry_points.txt", "RECORD"]))
`;

const schemaOf = (properties: object, more = {}): object => ({
  type: "SCHEMA",
  stream: "s",
  key_properties: ["id"],
  schema: { type: "object", properties },
  ...more,
});
const record = (values: object, stream = "s"): object => ({ type: "RECORD", stream, record: values });
const ID = schemaOf({ id: { type: ["null", "integer"] } });

const folder = await temporaryFolder();
await writeFile(join(folder, "tap_odd.py"), ODD);
await promisify(execFile)("python3", ["-c", WHEEL, folder]);
const taps = createTapRunner({
  environments: createPythonEnvironments({
    storeFolder: folder,
    environment: { ...(process.env as Record<string, string>), PIP_NO_INDEX: "1", PIP_FIND_LINKS: folder },
  }),
});

describe("an odd tap", { timeout: 240_000 }, () => {
  const open = (): Promise<DataProject> => openDataProject("sqlite", { secret, taps });
  const odd = (lines: readonly unknown[], config: object = {}, more: Partial<Singer> = {}): Singer =>
    ({ tap: "tap-odd==1.0.0", stream: "s", config: { lines, ...config }, ...more }) as Singer;
  const fails = async (singer: Singer, text: RegExp, code = "DATA_TAP_FAILED"): Promise<DataProject> => {
    const project = await open();
    await assert.rejects(project.runCapture({ capture: { singer } }), (error) => {
      assert.ok(isEsteiraError(error, code), String(error));
      assert.match(error.message, text);
      return true;
    });
    return project;
  };

  it("has columns as its JSON schema says them, and values with all their digits", async () => {
    const project = await open();
    const { version } = await captured(
      project,
      odd([
        schemaOf({
          id: { type: "integer" },
          n: { type: ["null", "number"] },
          d: { type: "number", multipleOf: 0.01 },
          at: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] },
          day: { type: ["string", "null"], format: "date" },
          b: { type: "boolean" },
          o: { type: ["object", "null"] },
          l: { type: "array" },
          any: {},
          text: { type: "string" },
        }),
        '{"type":"RECORD","stream":"s","record":{"id":9007199254740993,"n":1e-7,"d":12345678901234567890.12,"at":"2026-01-05T10:00:00-03:00","day":"2026-01-05","b":true,"o":{"a":[1.50]},"l":[],"any":7,"text":""}}\n',
        record({ id: 2, text: 'a "quoted",\nline', more: 1 }),
        record({ id: 3 }, "t"),
      ]),
    );
    const columns = (version.content as { columns: { name: string; type: string }[] }).columns;
    assert.deepEqual(Object.fromEntries(columns.map(({ name, type }) => [name, type])), {
      id: "BIGINT",
      n: "DOUBLE",
      d: "DECIMAL(38,2)",
      at: "TIMESTAMP WITH TIME ZONE",
      day: "DATE",
      b: "BOOLEAN",
      o: "VARCHAR",
      l: "VARCHAR",
      any: "VARCHAR",
      text: "VARCHAR",
    });
    const rows = await project.rows(
      version,
      'select cast(id as text) as id, n, cast(d as text) as d, cast("at" as text) as moment, cast(day as text) as day, b, o, l, "any", text from d order by id desc',
    );
    assert.deepEqual(rows[0], {
      id: "9007199254740993",
      n: 1e-7,
      d: "12345678901234567890.12",
      moment: "2026-01-05 13:00:00+00",
      day: "2026-01-05",
      b: true,
      o: '{"a":[1.5]}',
      l: "[]",
      any: "7",
      text: "",
    });
    assert.equal(rows[1]?.["text"], 'a "quoted",\nline');
    const logged = project.logged.join("\n");
    assert.match(logged, /does not name are left out: more/);
    assert.match(logged, /left out: 1 record of the stream t/);
    assert.match(logged, /selected \{'s': True, 't': False\} state None token None key None/);
  });

  it("holds back the rows whose values are of another type, and those alone", async () => {
    const project = await open();
    const lines = [ID, record({ id: 1 }), record({ id: "two" }), record({ id: 3 }), record({ id: 1.5 })];
    const { facts } = await captured(project, odd(lines));
    assert.deepEqual(facts, { ...(facts as object), read: 4, published: 2, quarantined: 2 });
  });

  it("fails with the number of the line that is no message, and shows no secret", async () => {
    const project = await fails(
      odd([ID, record({ id: 1 }), "Syncing with s3cret-word-9 …\n"], {}, { secrets: { key: "KEY" } }),
      /line 3 of its output is no JSON .*: Syncing with \*\*\*/,
    );
    assert.match(project.logged.join("\n"), /key s3cret-word-9/, "the executor masks it");
    await fails(odd([ID, { type: "RECORD", stream: "s", record: [1] }]), /line 2 .* no object/);
    await fails(odd([record({ id: 1 }), ID]), /line 1 .* before the SCHEMA/);
    await fails(odd([ID, { type: "BATCH", stream: "s" }]), /line 2 .* BATCH/);
    await fails(odd([ID, "[1]\n"]), /line 2 .* no message of Singer/);
    await fails(odd([ID, schemaOf({ id: {}, other: {} })]), /line 2 .* changes the columns halfway \(other\)/);
    await fails(odd([ID, "\\ud800\n"]), /line 2/);
    await fails(odd([schemaOf({ id: {}, ID: {} })]), /twice/, "DATA_SOURCE_COLUMN_UNFIT");
  });

  it("is ended when a line has no end", async () => {
    await fails(odd([ID], { endless: true }), /line 2 of its output is longer than 16 MiB/);
  });

  it("that dies publishes nothing, with half a line too; the next run begins where the last version ended", async () => {
    await fails(odd([ID, record({ id: 1 }), '{"type":"REC'], { exit: 3 }), /after 1 records, ended with exit code 3/);
    const project = await open();
    const run = (lines: readonly unknown[], config: object = {}) =>
      project.runCapture({
        capture: { singer: odd(lines, config, { replication: "incremental" }) },
        write: "append",
      });
    const state = (at: string): object => ({ type: "STATE", value: { at } });
    const stateOf = (): string =>
      project.logged
        .join("\n")
        .match(/state (\{.*?\}|None)/g)
        ?.at(-1) ?? "";
    await run([ID, record({ id: 1 }), state("a"), record({ id: 2 }), state("b")]);
    await assert.rejects(run([ID, record({ id: 3 }), state("c")], { exit: 1 }));
    assert.match(stateOf(), /"at":"b"/);
    const { versions } = await run([ID, record({ id: 3 }), state("d")]);
    assert.match(stateOf(), /"at":"b"/, "the state of the run that failed is not kept");
    assert.equal(versions[0]?.version, 2);
    assert.deepEqual((await run([ID, state("e")])).outcome.facts, { files: 0, read: 0, published: 0, quarantined: 0 });
    assert.match(stateOf(), /"at":"d"/);
    const last = await run([ID, record({ id: 3 }), state("f")]);
    assert.match(stateOf(), /"at":"d"/);
    assert.deepEqual(
      (await project.rows(last.versions[0], "select id from d order by id")).map(({ id }) => Number(id)),
      [1, 2, 3, 3],
      "equal records after another state are others",
    );
  });

  it("with nothing but a state makes an empty first version that has it", async () => {
    const project = await open();
    const singer = odd([ID, { type: "STATE", value: { at: "a" } }], {}, { replication: "incremental" });
    const { version } = await captured(project, singer, { write: "append" });
    assert.equal(version.rowCount, 0);
    await fails(odd([{ type: "STATE", value: 1 }]), /neither SCHEMA nor RECORD/);
  });

  it("that begins another version of its table is read from the start, when somebody says so", async () => {
    const project = await open();
    const run = (version: number) =>
      project.runCapture({
        capture: {
          singer: odd(
            [ID, record({ id: version }), { type: "ACTIVATE_VERSION", stream: "s", version }],
            {},
            {
              replication: "incremental",
            },
          ),
        },
        write: { merge: ["id"] },
      });
    await run(1);
    assert.equal((await run(1)).versions[0]?.version, 1);
    await assert.rejects(run(2), (error) => isEsteiraError(error, "DATA_SOURCE_CHANGED"));
  });

  it("that has no such stream or program is told with those that there are", async () => {
    await fails(odd([], {}, { stream: "x" }), /no stream x; it has s, t/);
    await fails(odd([], {}, { executable: "tap-od" }), /no program tap-od; it brings tap-odd: say executable/);
    await fails(odd([], { catalog: "usage: …" }), /--discover writes no JSON/);
    await fails(odd([], {}, { secrets: { key: "NONE" } }), /NONE, which is not set/, "DATA_SOURCE_SECRET_UNFIT");
    await fails(odd([], {}, { secrets: { key: "SHORT" } }), /shorter than 8/, "DATA_SOURCE_SECRET_UNFIT");
  });

  it("is looked at before it runs", async () => {
    const project = await open();
    const problems = async (singer: Singer, more: Written = {}): Promise<string> =>
      (await project.analyse(project.capture, { capture: { singer }, ...more }, "d")).problems
        .map(({ path, message }) => `${path.join(".")}: ${message}`)
        .join("\n");
    assert.match(await problems(odd([], { api_key: "x" })), /config\.api_key: api_key looks like a secret/);
    assert.match(await problems(odd([]), { write: "append" }), /add all records again/);
    assert.match(await problems(odd([], {}, { replication: "incremental" })), /does not say how new records meet/);
    assert.match(
      await problems(odd([], {}, { replication: "incremental" }), { write: "replace" }),
      /leave only the records that are new/,
    );
    assert.match(await problems(odd([], {}, { replication_key: "at" })), /nothing goes on by a key/);
    for (const tap of [
      "tap-odd",
      "tap-odd @ https://example.org/x.whl",
      "-r x.txt",
      "../x",
      "tap-odd==1.0.0 --index-url=x",
    ])
      assert.equal(project.capture.schema.safeParse({ capture: { singer: { tap, stream: "s" } } }).success, false, tap);
  });
});

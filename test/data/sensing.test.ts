import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, it } from "node:test";
import { createSensing } from "#data";
import type { Observation, SensorDefinition, Sensing } from "#pipeline";
import { parseRows } from "../../src/data/sensing/look-at-rows.ts";
import { TEST_POSTGRES } from "../setup/databases.ts";
import { openDataProject } from "./data-project.ts";

const signal = AbortSignal.timeout(120_000);
const sensorOf = (looksAt: SensorDefinition["looksAt"]): SensorDefinition => ({ everyMs: 1000, looksAt });
const filesOf = (...patterns: readonly string[]): SensorDefinition => sensorOf({ kind: "file", patterns, settleMs: 0 });
const rowsOf = (sql: string, from?: object): SensorDefinition =>
  sensorOf({ kind: "rows", sql, ...(from === undefined ? {} : { from: JSON.parse(JSON.stringify(from)) }) });
const secrets: Readonly<Record<string, string>> = { TOKEN: "s3cret-token" };

async function open(hosts: readonly string[] = []) {
  const project = await openDataProject("sqlite");
  const sensing: Sensing = createSensing({
    ...project,
    project: "p",
    projectFolder: project.folder,
    captureFolders: [],
    captureHosts: hosts,
    secret: (name) => secrets[name],
  });
  return { project, sensing };
}

function pathsOf(observed: Observation): readonly string[] {
  return observed.kind === "file" ? observed.files.map(({ path }) => path) : assert.fail(observed.kind);
}

describe("a look at files", () => {
  it("gives those that match with size and time, and nothing outside the project", async () => {
    const { project, sensing } = await open();
    await project.write("in/b ção.csv", "1");
    await project.write("in/a.csv", "22");
    await project.write("in/a.txt", "3");
    assert.deepEqual(pathsOf(await sensing.look(filesOf("in/*.csv"), {}, signal)), ["in/a.csv", "in/b ção.csv"]);
    await mkdir(join(project.storeFolder, "other"));
    await writeFile(join(project.storeFolder, "other", "x.csv"), "1");
    await symlink(join(project.storeFolder, "other", "x.csv"), join(project.folder, "in", "c.csv"));
    for (const pattern of ["in/*.csv", "../other/*", "in/../../other/*", join(project.storeFolder, "other", "*")])
      await assert.rejects(sensing.look(filesOf(pattern), {}, signal), { code: "DATA_CAPTURE_FILE_OUTSIDE" });
    await assert.rejects(
      sensing.look(
        sensorOf({ kind: "file", patterns: ["*"], folder: join(project.storeFolder, "other"), settleMs: 0 }),
        {},
        signal,
      ),
      { code: "DATA_CAPTURE_FOLDER_REFUSED" },
    );
  });
});

describe("a look at an address", () => {
  it("asks whether it has changed, signs in with a secret, and tells the digest of what it answers", async () => {
    let body = "one";
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.headers["if-none-match"]);
      const etag = `"${body}"`;
      if (request.headers.authorization !== "Bearer s3cret-token") response.writeHead(401).end();
      else if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
      else response.writeHead(200, { etag }).end(body);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rates?x=1`;
    const { sensing } = await open(["127.0.0.1"]);
    const sensor = sensorOf({ kind: "url", url, auth: { bearer: "TOKEN" } });
    const first = await sensing.look(sensor, {}, signal);
    // echo -n one | sha256sum
    assert.deepEqual(first, {
      kind: "url",
      digest: "sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
      sizeBytes: 3,
      etag: '"one"',
    });
    assert.deepEqual(await sensing.look(sensor, { etag: '"one"' }, signal), { kind: "unchanged" });
    body = "two";
    const second = await sensing.look(sensor, { etag: '"one"' }, signal);
    assert.equal(second.kind === "url" && second.etag, '"two"');
    assert.deepEqual(asked, [undefined, '"one"', '"one"']);
    await assert.rejects(sensing.look(sensorOf({ kind: "url", url }), {}, signal), {
      code: "DATA_SOURCE_SIGN_IN_REFUSED",
    });
  });

  it("is refused for an address of the inside that the project does not name, also behind a redirect", async () => {
    const server = createServer((_, response) =>
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end(),
    );
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    after(() => server.close());
    const sensor = sensorOf({ kind: "url", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
    for (const hosts of [[], ["127.0.0.1"]])
      await assert.rejects((await open(hosts)).sensing.look(sensor, {}, signal), { code: "DATA_SOURCE_HOST_REFUSED" });
  });
});

describe("a look at rows", () => {
  it("gives those of a SQLite file and of PostgreSQL, the same digest in whatever order they come", async () => {
    const { project, sensing } = await open(["127.0.0.1"]);
    const database = new DatabaseSync(join(project.folder, "q.db"));
    database.exec("create table t (id integer, name text)");
    const sqlite = { sqlite: { file: "q.db" } };
    const none = await sensing.look(rowsOf("select * from t", sqlite), {}, signal);
    assert.equal(none.kind === "rows" && none.count, 0);
    database.exec(`insert into t values (1, 'a,"b"
c'), (2, null), (3, '')`);
    const some = await sensing.look(rowsOf("select * from t;", sqlite), {}, signal);
    const rows = [
      { id: "1", name: 'a,"b"\nc' },
      { id: "2", name: null },
      { id: "3", name: "" },
    ];
    assert.deepEqual(some.kind === "rows" && [some.count, some.rows], [3, rows]);
    const turned = await sensing.look(rowsOf("select * from t order by id desc", sqlite), {}, signal);
    assert.equal(turned.kind === "rows" && turned.digest, some.kind === "rows" && some.digest);
    const values = `select * from (values (1, 'a,"b"' || chr(10) || 'c'), (2, null), (3, '')) as t (id, name)`;
    const postgres = await sensing.look(rowsOf(values, { postgres: { url: TEST_POSTGRES } }), {}, signal);
    assert.deepEqual(postgres.kind === "rows" && postgres.rows, rows);
    database.close();
  });

  it("is refused where there are too many rows, or a file outside the project", async () => {
    const { project, sensing } = await open();
    new DatabaseSync(join(project.folder, "q.db")).close();
    new DatabaseSync(join(project.storeFolder, "other.db")).close();
    const many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1001) select i from n";
    await assert.rejects(sensing.look(rowsOf(many, { sqlite: { file: "q.db" } }), {}, signal), {
      code: "DATA_SENSOR_TOO_MANY",
    });
    await assert.rejects(sensing.look(rowsOf("select 1", { sqlite: { file: "../other.db" } }), {}, signal), {
      code: "DATA_CAPTURE_FOLDER_REFUSED",
    });
    await assert.rejects(sensing.look(rowsOf("select 1", { oracle: {} }), {}, signal), { code: "DATA_SENSOR_INVALID" });
    await assert.rejects(sensing.look(rowsOf("select * from nothing"), {}, signal), { code: "DATA_DATASET_UNKNOWN" });
  });
});

describe("the mistakes of a sensor", () => {
  it("are seen without looking", async () => {
    const { sensing } = await open();
    const told = (sensor: SensorDefinition) =>
      sensing.check(sensor).map(({ path, message }) => [...path, message].join(" "));
    assert.deepEqual(told(filesOf("in/*", "../x", "/etc/*")), [
      '"../x" leads out of the folder that is looked at',
      '"/etc/*" leads out of the folder that is looked at',
    ]);
    assert.deepEqual(told(sensorOf({ kind: "url", url: "ftp://x" })), ['"ftp://x" is no address of http or https']);
    assert.deepEqual(told(sensorOf({ kind: "url", url: "https://u:p@example.org/" })), [
      "the address holds a user or a password, which whoever reads the project can see",
    ]);
    assert.deepEqual(told(rowsOf("select 1", { postgres: { url: "postgres://u:secret@h/db", password: "P" } })), [
      "from postgres url the address holds a password, which whoever reads the project can see",
    ]);
    assert.deepEqual(told(rowsOf("select 1", {})), ["from expected one of postgres, mysql, sqlite"]);
    assert.deepEqual(told(rowsOf("select 1")), []);
  });
});

describe("rows as a database dumps them", () => {
  it("are read as they were written", () => {
    assert.deepEqual(parseRows(""), []);
    assert.deepEqual(parseRows('1,,"",x\n"a""b",2,3,"l\nm"\n'), [
      ["1", null, "", "x"],
      ['a"b', "2", "3", "l\nm"],
    ]);
    assert.deepEqual(parseRows("\n5\n"), [[null], ["5"]]);
  });
});

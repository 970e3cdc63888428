import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import pg from "pg";
import { isEsteiraError } from "#base";
import { servePostgres } from "#server";
import { openTestServer, signIn } from "../setup/opened-server.ts";
import { temporaryFolder } from "../setup/stores.ts";
import { runEsteira } from "../setup/command-line.ts";

const CSV = "port,day,ships,weight\nSantos,2001-02-03,12,1.50\nRio,2001-02-04,7,\nItajaí,2001-02-05,0,0.25\n";

describe("SQL by PostgreSQL's protocol", async () => {
  const opened = await openTestServer({ prepare: writeProject });
  const platform = await opened.platform.whole();
  const limits = { seconds: 20, rows: 100_000, connections: 32, memoryBytes: undefined };
  const served = await servePostgres(platform, { host: "127.0.0.1", port: 0, limits, tls: undefined });
  const { port } = served;
  const token = (headers: Readonly<Record<string, string>>): string => headers["authorization"]?.slice(7) ?? "";
  const reader = token(await signIn(opened, "ana", "admin"));
  const connections: pg.Client[] = [];
  after(async () => {
    await Promise.all(connections.map((made) => made.end().catch(() => undefined)));
    await served.close();
  });

  async function client(facts: { readonly database?: string; readonly password?: string } = {}): Promise<pg.Client> {
    const made = new pg.Client({ host: "127.0.0.1", port, user: "any", database: "p", password: reader, ...facts });
    made.on("error", () => undefined);
    await made.connect();
    connections.push(made);
    return made;
  }

  it("answers with the types of a dataset's columns", async () => {
    const { rows } = await (await client()).query("SELECT * FROM ships ORDER BY port");
    assert.deepEqual(
      rows.map((row: { port: string; ships: string; weight: number | null }) => [row.port, row.ships, row.weight]),
      [
        ["Itajaí", "0", 0.25],
        ["Rio", "7", null],
        ["Santos", "12", 1.5],
      ],
    );
    const { rows: named } = await (await client()).query(`SELECT count(*)::int AS n FROM public."ships@1"`);
    assert.deepEqual(named, [{ n: 3 }]);
  });

  it("takes parameters, prepared statements, several statements and fetches in parts", async () => {
    const asked = await client();
    const at = { name: "by-port", text: "SELECT ships FROM ships WHERE port = $1 AND ships > $2" };
    assert.deepEqual((await asked.query({ ...at, values: ["Rio", 1] })).rows, [{ ships: "7" }]);
    assert.deepEqual((await asked.query({ ...at, values: ["Santos", 20] })).rows, []);
    assert.equal((await asked.query("SELECT port FROM ships WHERE port = ANY($1)", [["Rio", "Itajaí"]])).rowCount, 2);
    const several = (await asked.query("SELECT 1 AS a; SELECT ';' AS b -- ;\n; ")) as unknown as { rows: object[] }[];
    assert.deepEqual(
      several.map(({ rows }) => rows),
      [[{ a: 1 }], [{ b: ";" }]],
    );
    const all = await asked.query({ text: "SELECT i FROM range(5000) AS t(i)", rows: 700 } as pg.QueryConfig);
    assert.equal(all.rowCount, 5000);
  });

  it("gives the same values as text and in binary", async () => {
    const asked = await client();
    const text = `SELECT 1::smallint a, -2 b, 3::bigint c, 1.5::float d, 'é' e, true f, date '1999-12-31' g,
      timestamp '2001-02-03 04:05:06.789' h, timestamptz '1969-12-31 23:59:59+00' i, -0.0010::decimal(9,4) j, 12345678.5::decimal(20,2) k,
      [1, NULL, 3] l, uuid '00000000-0000-0000-0000-000000000001' m, NULL n, 'nan'::double o`;
    const [plain] = (await asked.query(text)).rows as object[];
    const [binary] = (await asked.query({ text, values: [], binary: true } as pg.QueryConfig)).rows as object[];
    assert.deepEqual(
      { ...binary, j: undefined, k: undefined, l: undefined, m: undefined },
      { ...plain, j: undefined, k: undefined, l: undefined, m: undefined },
    );
    assert.deepEqual((plain as { j: string; k: string; l: number[] }).j, "-0.0010");
    assert.equal((plain as { k: string }).k, "12345678.50");
    assert.deepEqual((plain as { l: unknown }).l, [1, null, 3]);
  });

  it("tells clients what there is", async () => {
    const asked = await client();
    const tables = await asked.query(
      "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND c.relname OPERATOR(pg_catalog.~) '^(ships)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid)",
    );
    assert.deepEqual(tables.rows, [{ nspname: "public", relname: "ships" }]);
    const columns = await asked.query(
      "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'ships' ORDER BY ordinal_position",
      ["public"],
    );
    assert.deepEqual(columns.rows, [
      { column_name: "port", data_type: "text" },
      { column_name: "day", data_type: "date" },
      { column_name: "ships", data_type: "bigint" },
      { column_name: "weight", data_type: "double precision" },
    ]);
    assert.deepEqual((await asked.query("SELECT current_database(), current_schema()")).rows, [
      { "current_database()": "p", "current_schema()": "public" },
    ]);
  });

  it("changes nothing, and reads nothing but datasets", async () => {
    const asked = await client();
    const refused: readonly (readonly [string, string])[] = [
      ["DELETE FROM ships", "25006"],
      ["ATTACH '/tmp/x.db'", "25006"],
      ["COPY ships TO '/tmp/x'", "25006"],
      ["INSTALL httpfs", "25006"],
      ["SELECT * FROM read_csv('/etc/passwd')", "42601"],
      ["SELECT * FROM '/etc/passwd'", "42601"],
      ["SELECT * FROM pg_class, read_text('/etc/passwd')", "42601"],
      ["SELECT * FROM ship", "42P01"],
      ["SELECT nope FROM ships", "42703"],
      ["WITH a AS (SELECT 1) DELETE FROM ships", "42601"],
      ["SELECT 'x'::int", "22P02"],
    ];
    for (const [sql, code] of refused)
      await assert.rejects(asked.query(sql), (error: pg.DatabaseError) => {
        assert.equal(error.code, code, `${sql}: ${error.message}`);
        return true;
      });
    assert.equal((await asked.query("SELECT 1")).rowCount, 1);
  });

  it("bounds time and rows, and stops when it is told to", async () => {
    const asked = await client();
    await assert.rejects(asked.query("SELECT * FROM range(100001)"), { code: "54000" });
    const endless = "SELECT count(*) FROM range(100000000000) t(a), range(100) u(b) WHERE a + b = 3";
    await asked.query("SET statement_timeout = 200");
    await assert.rejects(asked.query(endless), { code: "57014" });
    await asked.query("SET statement_timeout = 0");
    const stopped = assert.rejects(asked.query(endless), { code: "57014" });
    const { processID, secretKey } = asked as unknown as { processID: number; secretKey: number };
    // Until the query has begun there is nothing to stop.
    const asking = setInterval(() => void cancel(port, processID, secretKey), 100);
    await stopped.finally(() => clearInterval(asking));
    assert.equal((await asked.query("SELECT count(*) FROM ships")).rowCount, 1);
  });

  it("survives what is no client", async () => {
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\x08\0\x03\0\0", "\xff\xff\xff\xff\xff", ""])
      await new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => socket.end(Buffer.from(bytes, "latin1")));
        socket.on("close", () => resolve());
        socket.on("error", () => undefined);
        socket.resume();
      });
    assert.equal((await (await client()).query("SELECT 1")).rowCount, 1);
  });

  it("lets in who may read, with a token as password", async () => {
    const viewer = token(await signIn(opened, "eva", "viewer"));
    const stranger = token(await signIn(opened, "bob"));
    assert.equal((await (await client({ password: viewer })).query("SELECT 1")).rowCount, 1);
    await assert.rejects(client({ password: "est_wrong" }), { code: "28P01" });
    await assert.rejects(client({ password: stranger }), { code: "42501" });
    await assert.rejects(client({ database: "other" }), { code: "3D000" });
  });

  it("is not filled up by clients that never sign in", async () => {
    const idle = Array.from({ length: 150 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    assert.equal((await (await client()).query("SELECT 1")).rowCount, 1);
    for (const socket of idle) socket.destroy();
  });

  it("speaks TLS, and sends the token over it", async () => {
    const folder = await temporaryFolder();
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
    const names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate];
    execFileSync("openssl", [...options.split(" "), ...names], { stdio: "ignore" });
    const tls = { certificate: await readFile(certificate), key: await readFile(key) };
    const encrypted = await servePostgres(platform, { host: "127.0.0.1", port: 0, limits, tls });
    try {
      const made = new pg.Client({
        host: "127.0.0.1",
        port: encrypted.port,
        database: "p",
        user: "any",
        password: reader,
        ssl: { ca: tls.certificate, servername: "localhost" },
      });
      await made.connect();
      assert.equal((await made.query("SELECT * FROM ships")).rowCount, 3);
      await made.end();
      // Whoever breaks the handshake off leaves nothing behind.
      await new Promise<void>((resolve) => {
        const socket = connect(encrypted.port, "127.0.0.1", () => socket.write(Buffer.from("0000000804d2162f", "hex")));
        socket.once("data", () => socket.end("no handshake"));
        socket.on("error", () => undefined).on("close", () => resolve());
        socket.resume();
      });
    } finally {
      await encrypted.close();
    }
  });

  it("never gives a part of an answer for the whole", async () => {
    const asked = await client();
    const failing = "SELECT CASE WHEN i = 80000 THEN error('halfway') ELSE i END AS i FROM range(90000) AS t(i)";
    await assert.rejects(asked.query(failing), /halfway/);
    await assert.rejects(asked.query(failing, []), /halfway/);
    const twice = await asked.query({ text: "SELECT 1 AS a, 2 AS a", rowMode: "array" });
    assert.deepEqual([twice.fields.map(({ name }) => name), twice.rows], [["a", "a"], [[1, 2]]]);
  });

  it("does not count the time between two parts of a result", async () => {
    const asked = await client();
    await asked.query("SET statement_timeout = 2000");
    assert.equal(await readInTwoParts(asked, "SELECT i FROM range(500) AS t(i)", 2500), 500);
    assert.equal((await asked.query("SELECT count(*) FROM ships")).rowCount, 1);
  });

  it("is not opened to others without encryption", async () => {
    const limits = { seconds: 1, rows: 1, connections: 1, memoryBytes: undefined };
    await assert.rejects(
      servePostgres(platform, { host: "0.0.0.0", port: 0, limits, tls: undefined }),
      (error) => isEsteiraError(error) && error.code === "SERVER_POSTGRES_UNENCRYPTED",
    );
  });
});

/** Fetches ten rows, waits, and fetches the rest; resolves to how many there were. */
function readInTwoParts(client: pg.Client, text: string, pauseMs: number): Promise<number> {
  return new Promise((done, failed) => {
    let rows = 0;
    client.query({
      submit(connection: pg.Connection) {
        connection.parse({ name: "", text, types: [] }, true);
        connection.bind({ values: [] } as never, true);
        connection.execute({ rows: "10" } as never, true);
        connection.flush();
      },
      handlePortalSuspended(connection: pg.Connection) {
        setTimeout(() => {
          connection.execute({ rows: "0" } as never, true);
          connection.sync();
        }, pauseMs);
      },
      handleRowDescription: () => undefined,
      handleDataRow: () => rows++,
      handleCommandComplete: () => undefined,
      handleReadyForQuery: () => done(rows),
      handleError: (error: Error) => failed(error),
    } as pg.Submittable);
  });
}

async function cancel(port: number, processId: number, secret: number): Promise<void> {
  const asked = Buffer.alloc(16);
  asked.writeInt32BE(16, 0);
  asked.writeInt32BE(80_877_102, 4);
  asked.writeInt32BE(processId, 8);
  asked.writeInt32BE(secret, 12);
  await new Promise<void>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.end(asked));
    socket.on("close", () => resolve());
    socket.resume();
  });
}

async function writeProject(folder: string): Promise<void> {
  await mkdir(join(folder, "pipelines"));
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\naccess: { loopback: none }\n");
  await writeFile(join(folder, "data/ships.csv"), CSV);
  await writeFile(join(folder, "pipelines/ships.yaml"), "steps:\n  ships: { capture: { files: data/*.csv } }\n");
  const { code, stderr } = await runEsteira(folder, ["run", "ships"]);
  assert.equal(code, 0, stderr);
}

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nkeys } from "@nats-io/transport-node";
import type { CaptureDeclaration } from "#data";
import { TEST_NATS as SERVER } from "../setup/databases.ts";
import { temporaryFolder } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

async function findProblem(): Promise<string | false> {
  try {
    const connection = await connect({ servers: SERVER, timeout: 2000, reconnect: false });
    await connection.close();
    return false;
  } catch (error) {
    return `no NATS server answers at ESTEIRA_TEST_NATS: ${String(error)}`;
  }
}

let number = 0;

interface TestStream {
  readonly name: string;
  publish(payloads: readonly (string | object | Uint8Array)[], subject?: string): Promise<void>;
  readonly manager: Awaited<ReturnType<typeof jetstreamManager>>;
}

async function makeStream(settings: object = {}): Promise<TestStream> {
  const connection = await connect({ servers: SERVER });
  const manager = await jetstreamManager(connection);
  const name = `T${process.pid}_${++number}`;
  await manager.streams.add({ name, subjects: [`${name}.>`], ...settings });
  after(async () => {
    await manager.streams.delete(name).catch(() => {});
    await connection.close();
  });
  const publisher = jetstream(connection);
  return {
    name,
    manager,
    async publish(payloads, subject = "a") {
      for (const payload of payloads)
        await publisher.publish(
          `${name}.${subject}`,
          typeof payload === "string" || payload instanceof Uint8Array ? payload : JSON.stringify(payload),
        );
    },
  };
}

function declaration(
  stream: string,
  change: object = {},
  write: CaptureDeclaration["write"] = "append",
): CaptureDeclaration {
  return { capture: { nats: { servers: SERVER, stream, ...change } }, ...(write === undefined ? {} : { write }) };
}

async function open(secrets: Readonly<Record<string, string>> = {}): Promise<DataProject> {
  return openDataProject("sqlite", { captureHosts: ["127.0.0.1"], secret: (name) => secrets[name] });
}

describe("capture of a NATS JetStream stream", { skip: await findProblem() }, () => {
  it("reads each message once, up to the last one of the run's start, with what the server says of it", async () => {
    const stream = await makeStream();
    const project = await open();
    await stream.publish(
      [
        { id: 1, v: "a" },
        { id: 9007199254740993n.toString(), v: "ç" },
      ],
      "x",
    );
    await stream.publish(['{\n "id": 9007199254740993,\n "v": null }', "{}"], "y");
    const first = await project.runCapture(declaration(stream.name));
    assert.equal(first.outcome.facts?.["published"], 4);
    assert.deepEqual(
      await project.rows(
        first.versions[0],
        `select id::varchar as id, v, nats_sequence::int as s, replace(nats_subject, '${stream.name}.', '') as subject, nats_time::timestamptz > now() - interval 1 hour as new from d order by nats_sequence`,
      ),
      [
        { id: "1", v: "a", s: 1, subject: "x", new: true },
        { id: "9007199254740993", v: "ç", s: 2, subject: "x", new: true },
        { id: "9007199254740993", v: null, s: 3, subject: "y", new: true },
        { id: null, v: null, s: 4, subject: "y", new: true },
      ],
    );
    const nothing = await project.runCapture(declaration(stream.name));
    assert.equal(nothing.versions[0]?.version, first.versions[0]?.version);
    await stream.publish([{ id: 5, v: "new" }]);
    const next = await project.runCapture(declaration(stream.name));
    assert.equal(next.outcome.facts?.["read"], 1);
    assert.equal(next.versions[0]?.rowCount, 5);
    assert.equal((await stream.manager.consumers.list(stream.name).next()).length, 0);
  });

  it("keeps what is no object in the quarantine, and the others of the run", async () => {
    const stream = await makeStream();
    const project = await open();
    await stream.publish([
      { id: 1 },
      "not json",
      "",
      "[1, 2]",
      "{broken",
      new Uint8Array([0xff, 0xfe, 0x00]),
      { id: 2 },
    ]);
    const { outcome } = await project.runCapture(declaration(stream.name));
    assert.deepEqual(
      [outcome.facts?.["read"], outcome.facts?.["published"], outcome.facts?.["quarantined"]],
      [7, 2, 5],
    );
  });

  it("says where a message is from, whatever the message says of it", async () => {
    const stream = await makeStream();
    const project = await open();
    await stream.publish([
      { id: 1 },
      '{"id": 2, "id": 3}',
      { id: 4, nats_sequence: 99 },
      { id: 5, NATS_SUBJECT: "x" },
      { id: 6, a: { b: 1, nats_time: 1 } },
    ]);
    const { outcome, versions } = await project.runCapture(declaration(stream.name));
    assert.equal(outcome.facts?.["published"], 5);
    assert.deepEqual(
      await project.rows(versions[0], "select id::int as id, nats_sequence::int as s from d order by s"),
      [
        { id: 1, s: 1 },
        { id: 2, s: 2 },
        { id: 4, s: 3 },
        { id: 5, s: 4 },
        { id: 6, s: 5 },
      ],
    );
  });

  it("reads some subjects alone, in pieces, and tells apart what it looked through from what was lost", async () => {
    const stream = await makeStream({ max_msgs: 60 });
    const project = await open();
    const some = declaration(stream.name, { subject: `${stream.name}.a`, messages: 10 });
    await stream.publish(Array.from({ length: 25 }, (_, id) => ({ id })));
    await stream.publish([{ id: -1 }], "b");
    const counts: unknown[] = [];
    for (let round = 0; round < 4; round++) counts.push((await project.runCapture(some)).outcome.facts?.["read"]);
    assert.deepEqual(counts, [10, 10, 5, 0]);
    for (let round = 0; round < 3; round++) {
      await stream.publish(
        Array.from({ length: 40 }, (_, id) => ({ id })),
        "b",
      );
      await project.runCapture(some);
    }
    await stream.publish(Array.from({ length: 100 }, (_, id) => ({ id: 100 + id })));
    await assert.rejects(project.runCapture(some), (error: Error & { code: string }) => {
      assert.equal(error.code, "DATA_STREAM_GAP");
      assert.match(error.message, /from 147 to 186/);
      return true;
    });
    const going = declaration(stream.name, { subject: `${stream.name}.a`, gaps: "warn" });
    const { versions } = await project.runCapture({
      capture: { nats: { ...going.capture.nats, servers: SERVER, stream: stream.name } },
      write: "append",
    });
    assert.equal(versions[0]?.rowCount, 25 + 60);
    assert.match(project.logged.join("\n"), /warning: .* let go of messages 147 to 186/);
  });

  it("keeps the last message of each key with a merge", async () => {
    const stream = await makeStream();
    const project = await open();
    await stream.publish([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
      { id: 1, n: 2 },
    ]);
    await project.runCapture(declaration(stream.name, {}, { merge: ["id"] }));
    await stream.publish([{ id: 2, n: 3 }]);
    const { versions } = await project.runCapture(declaration(stream.name, {}, { merge: ["id"] }));
    assert.deepEqual(await project.rows(versions[0], "select id::int as id, n::int as n from d order by id"), [
      { id: 1, n: 2 },
      { id: 2, n: 3 },
    ]);
  });

  it("doubles and loses nothing when an attempt dies before its version is recorded", async () => {
    const stream = await makeStream();
    const project = await open();
    await stream.publish(Array.from({ length: 5 }, (_, id) => ({ id })));
    await project.attempt(project.capture, declaration(stream.name), "run");
    await project.run(project.capture, declaration(stream.name), "other");
    const outcome = await project.attempt(project.capture, declaration(stream.name), "run");
    const versions = await project.record(outcome);
    assert.equal(versions[0]?.rowCount, 5);
  });

  it("says that a stream is not there, was made anew, is empty, or does not answer", async () => {
    const stream = await makeStream();
    const project = await open();
    await assert.rejects(project.runCapture(declaration(stream.name)), { code: "DATA_SOURCE_EMPTY" });
    await assert.rejects(project.runCapture(declaration("NOWHERE")), (error: Error & { code: string }) => {
      assert.equal(error.code, "DATA_SOURCE_QUERY_FAILED");
      assert.match(error.message, new RegExp(`no stream NOWHERE; there are .*${stream.name}`));
      return true;
    });
    await stream.publish([{ id: 1 }]);
    await project.runCapture(declaration(stream.name));
    await stream.manager.streams.delete(stream.name);
    await stream.manager.streams.add({ name: stream.name, subjects: [`${stream.name}.>`] });
    await assert.rejects(project.runCapture(declaration(stream.name)), { code: "DATA_SOURCE_CHANGED" });
    await assert.rejects(project.runCapture(declaration("X", { servers: "127.0.0.1:1" })), {
      code: "DATA_SOURCE_UNREACHABLE",
    });
    const elsewhere = await openDataProject("sqlite", {});
    await assert.rejects(elsewhere.runCapture(declaration(stream.name)), { code: "DATA_SOURCE_HOST_REFUSED" });
  });

  it("refuses a declaration with credentials in it, and what does not go together", async () => {
    const project = await open();
    const parse = (change: object): unknown => project.capture.schema.parse(declaration("S", change));
    for (const change of [
      { servers: "nats://me:secret@host:4222" },
      { servers: "ftp://host" },
      { stream: "a.b" },
      { stream: "../x" },
      { auth: { token: "A", nkey: "B" } },
      { messages: 0 },
    ])
      assert.throws(() => parse(change), JSON.stringify(change));
    const { problems } = await project.analyse(project.capture, declaration("S", {}, "replace"), "d");
    assert.match(problems.map(({ message }) => message).join(), /only the messages that are new/);
  });

  it("signs in with a token, a user or a key, from secrets", async (test) => {
    const folder = await temporaryFolder();
    const pair = nkeys.createUser();
    const seed = new TextDecoder().decode(pair.getSeed());
    const ways = [
      ["token", `authorization { token: "t0ps3cret" }`, { token: "NATS" }, "t0ps3cret"],
      [
        "user",
        `authorization { users: [{ user: "me", password: "pa55" }] }`,
        { user: { name: "me", password: "NATS" } },
        "pa55",
      ],
      ["nkey", `authorization { users: [{ nkey: ${pair.getPublicKey()} }] }`, { nkey: "NATS" }, seed],
    ] as const;
    for (const [way, config, auth, secret] of ways) {
      const port = await freePort();
      const file = join(folder, `${way}.conf`);
      await writeFile(
        file,
        `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(folder, way)}" }\n${config}\n`,
      );
      const child = spawn("nats-server", ["-c", file], { stdio: "ignore" });
      child.on("error", () => {});
      after(() => child.kill("SIGKILL"));
      const servers = `127.0.0.1:${port}`;
      const run = async (secrets: Readonly<Record<string, string>>, change: object = { auth }): Promise<string> => {
        const project = await open(secrets);
        return project.runCapture(declaration("NONE", { servers, ...change })).then(
          () => "",
          (error: Error & { code: string }) => `${error.code} ${error.message}`,
        );
      };
      const until = Date.now() + 10_000;
      let said = await run({ NATS: secret });
      while (said.includes("UNREACHABLE") && Date.now() < until && child.exitCode === null) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        said = await run({ NATS: secret });
      }
      if (child.pid === undefined) return test.skip("nats-server is not installed");
      assert.match(said, /^DATA_SOURCE_QUERY_FAILED .*no stream NONE/, way);
      const wrong = way === "nkey" ? new TextDecoder().decode(nkeys.createUser().getSeed()) : "wrong";
      assert.match(await run({ NATS: wrong }), /^DATA_SOURCE_SIGN_IN_REFUSED/, way);
      assert.match(await run({ NATS: secret }, {}), /^DATA_SOURCE_SIGN_IN_REFUSED/, way);
      assert.match(await run({}), /^DATA_SOURCE_SECRET_UNFIT/, way);
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    const project = await open({ NATS: "nonsense" });
    await assert.rejects(project.runCapture(declaration("S", { auth: { nkey: "NATS" } })), {
      code: "DATA_SOURCE_SECRET_UNFIT",
    });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

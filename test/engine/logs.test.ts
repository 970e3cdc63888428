import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock } from "#base";
import type { StoreKind } from "#metadata-store";
import { appendLogChunks, type LogChunk, measureLog } from "#metadata-store/engine";
import { deleteLogs, listLogBlobs, listLogGaps } from "#metadata-store/upkeep";
import { type Blobs, createFileSystemFiles } from "#storage";
import { createArtifactFolder } from "#tracking";
import { collectGarbage, verifyStore } from "#upkeep";
import { followLog, getPipelineRun, readLog } from "#engine";
import { LogWriter } from "../../src/engine/log-writer.ts";
import { type LogStorage, sealLog, sealLooseLogs, sealLooseLogsIfMany } from "../../src/engine/seal-log.ts";
import { createTestProject } from "../setup/engine.ts";
import { expectedLog, LOG_WRITER } from "../setup/long-log.ts";
import { runSql } from "../setup/run-sql.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const TEXTS = ["plain\n", "ação ✓ 😀\n", "\u001b[31mred\u001b[0m\n", "no end", "\n", " \t"];

/** A store with step runs that have ended, or run. */
async function open(kind: StoreKind, steps: Readonly<Record<string, "succeeded" | "running">>) {
  const { store, objects, address, folder } = await openTestStore(kind);
  const sql = (statement: string): ReturnType<typeof runSql> => runSql(address, statement);
  for (const [id, status] of Object.entries(steps))
    await sql(
      `insert into step_run (id, pipeline_run_id, project, pipeline, step, kind, position, matrix_index, status, cached, finished_at_ms, attempt_count, failure_count, lost_count, token) values ('${id}', 'r', 'p', 'a', 's', 'run', 0, 0, '${status}', 0, 5, 1, 0, 0, 1)`,
    );
  const write = async (chunks: readonly LogChunk[]): Promise<void> =>
    store.write((transaction) => appendLogChunks(transaction, chunks));
  const storage: LogStorage = { store, objects };
  const loose = async (): Promise<number> => Number((await sql("select count(*) as n from log_chunk"))[0]?.["n"]);
  return { ...storage, storage, address, folder, sql, write, loose };
}

function chunksOf(stepRunId: string, count: number, attemptNumber = 1): readonly LogChunk[] {
  return Array.from({ length: count }, (_, sequence) => ({
    stepRunId,
    attemptNumber,
    sequence,
    stream: sequence % 3 === 2 ? "stderr" : "stdout",
    text: `${sequence} ${TEXTS[sequence % TEXTS.length]}`,
    atMs: 1000 + sequence * 7,
  }));
}

/** All pieces, read in small pages. */
async function readAll(storage: LogStorage, stepRunId: string, limit = 7, from = 0) {
  const pieces = [];
  for (let after = from; ;) {
    const page = await readLog(storage, { stepRunId, after, limit });
    assert.ok(page.pieces.length <= limit);
    pieces.push(...page.pieces);
    after = page.cursor;
    if (!page.more) return pieces;
  }
}

function writerOf(storage: LogStorage, stepRunId: string, problems: unknown[] = []): LogWriter {
  return new LogWriter({
    storage,
    clock: systemClock,
    stepRunId,
    attemptNumber: 1,
    onError: (error) => problems.push(error),
    onUnsealed: (error) => problems.push(error),
  });
}

describeStores("logs of steps in storage", (kind) => {
  it("a loud step leaves its log in storage, byte for byte, and little in the database", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": 'steps:\n  loud: { run: ["node", "writer.cjs", "12"], files: [writer.cjs] }\n',
      "writer.cjs": LOG_WRITER,
    });
    await project.register();
    const engine = project.engine();
    const id = await engine.submit({ pipeline: "p", actor: "ana" });
    assert.equal((await engine.runToEnd(id)).status, "succeeded");
    await engine.stop();
    const stepRunId = (await getPipelineRun(project.store, id)).stepRuns[0]?.id ?? "";
    const hash = createHash("sha256");
    let bytes = 0;
    const cursors: number[] = [];
    for await (const { text, cursor } of followLog(project, { stepRunId })) {
      hash.update(text);
      bytes += Buffer.byteLength(text);
      cursors.push(cursor);
    }
    assert.deepEqual({ bytes, digest: hash.digest("hex") }, expectedLog(12));
    const loose = await runSql(project.address, "select coalesce(sum(octet_length(text)), 0) as n from log_chunk");
    assert.ok(Number(loose[0]?.["n"]) < 64 * 1024, `${String(loose[0]?.["n"])} bytes are in the database`);
    const middle = cursors[Math.floor(cursors.length / 2)] ?? 0;
    const rest = await readAll(project, stepRunId, 5000, middle);
    assert.deepEqual(
      rest.map(({ cursor }) => cursor),
      cursors.filter((cursor) => cursor > middle),
    );
  });

  it("small logs of many step runs share a blob, and are the same to who reads them, from every place", async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `s${String(index).padStart(2, "0")}`);
    const { storage, write, loose, sql } = await open(kind, {
      ...Object.fromEntries(ids.map((id) => [id, "succeeded"])),
      running: "running",
    });
    for (const id of [...ids, "running"]) {
      await write(chunksOf(id, 25));
      await write(chunksOf(id, 3, 2));
    }
    const read = async (): Promise<unknown> => Promise.all([...ids, "running"].map((id) => readAll(storage, id)));
    const before = await read();
    const measured = await storage.store.read((transaction) =>
      measureLog(transaction, { stepRunId: "s07", attemptNumber: 1 }),
    );
    await sealLooseLogs(storage, "another");
    assert.equal(await loose(), 41 * 28, "a project seals its own");
    await sealLooseLogs(storage, "p");
    assert.equal(await loose(), 28, "what runs stays");
    assert.equal((await sql("select digest from log_blob")).length, 1);
    assert.deepEqual(await read(), before);
    for (let after = 0; after < 25; after++) {
      const cursor = 1_000_000_000 + after;
      assert.deepEqual(
        (await readLog(storage, { stepRunId: "s03", after: cursor, limit: 2 })).pieces[0]?.cursor,
        after === 25 ? 2_000_000_001 : cursor + 1,
      );
    }
    assert.deepEqual(
      await storage.store.read((transaction) => measureLog(transaction, { stepRunId: "s07", attemptNumber: 1 })),
      measured,
    );
    assert.deepEqual(await storage.store.read(listLogGaps), []);
  });

  it("many lines that came slowly are sealed when there are enough of them, also from an earlier program", async () => {
    const { storage, write, loose } = await open(kind, { old: "succeeded" });
    const text = `${"x".repeat(900)}\n`;
    const chunks = chunksOf("old", 5000).map((chunk) => ({ ...chunk, text: `${chunk.sequence}${text}` }));
    await write(chunks);
    await sealLooseLogsIfMany(storage, "p");
    assert.equal(await loose(), 0);
    assert.deepEqual(
      (await readAll(storage, "old", 5000)).map((piece) => piece.text),
      chunks.map((chunk) => chunk.text),
    );
    const few = await open(kind, { young: "succeeded" });
    await few.write(chunksOf("young", 100));
    await sealLooseLogsIfMany(few.storage, "p");
    assert.equal(await few.loose(), 100, "a little is not worth a blob");
  });

  it("who reads while it is sealed sees each piece once", async () => {
    const { storage, write, sql } = await open(kind, { s: "running" });
    const all = chunksOf("s", 400);
    const seen: string[] = [];
    const following = (async () => {
      for await (const { text } of followLog(storage, { stepRunId: "s" })) seen.push(text);
    })();
    for (let start = 0; start < all.length; start += 20) {
      await write(all.slice(start, start + 20));
      // Two at once: one of them is too late.
      await Promise.all([
        sealLog(storage, { stepRunId: "s", attemptNumber: 1 }),
        sealLog(storage, { stepRunId: "s", attemptNumber: 1 }),
      ]);
    }
    await sql("update step_run set status = 'succeeded' where id = 's'");
    await storage.store.write(async () => {});
    await following;
    assert.deepEqual(
      seen,
      all.map(({ text }) => text),
    );
    assert.deepEqual(
      (await readAll(storage, "s")).map(({ text }) => text),
      seen,
    );
  });

  it("pieces that an engine without a lease kept again are read once", async () => {
    const { storage, write } = await open(kind, { s: "succeeded" });
    await write(chunksOf("s", 30));
    await sealLog(storage, { stepRunId: "s", attemptNumber: 1 });
    await write(chunksOf("s", 34).slice(20));
    await sealLog(storage, { stepRunId: "s", attemptNumber: 1 });
    assert.deepEqual(
      (await readAll(storage, "s")).map(({ text }) => text),
      chunksOf("s", 34).map(({ text }) => text),
    );
    await write(chunksOf("s", 36));
    await assert.rejects(sealLog(storage, { stepRunId: "s", attemptNumber: 1 }), /another's place/);
    assert.deepEqual(
      (await readAll(storage, "s")).map(({ text }) => text),
      chunksOf("s", 36).map(({ text }) => text),
    );
  });

  it("text is in the store 100 ms later, slow or fast, and stays in the database when storage takes nothing", async () => {
    const { storage, loose } = await open(kind, { slow: "running", fast: "running", stuck: "running" });
    const line = `${"ação ".repeat(20)}\n`;
    const write = async (writer: LogWriter, times: number): Promise<string> => {
      for (let index = 0; index < times; index++) await writer.write(index % 2 === 0 ? "stdout" : "stderr", line);
      const rest = await writer.rest();
      await storage.store.write((transaction) => appendLogChunks(transaction, rest));
      return line.repeat(times);
    };
    const textOf = async (stepRunId: string): Promise<string> =>
      (await readAll(storage, stepRunId, 5000)).map(({ text }) => text).join("");
    const problems: unknown[] = [];
    assert.equal(await write(writerOf(storage, "slow", problems), 3), await textOf("slow"));
    assert.equal(await loose(), 3);
    const fast = writerOf(storage, "fast", problems);
    const { length } = line.repeat(200_000);
    assert.equal((await write(fast, 200_000)).length, length);
    assert.equal((await textOf("fast")).length, length);
    assert.deepEqual(problems, []);
    const full: Blobs = { ...storage.objects, put: () => Promise.reject(new Error("no space left")) };
    const stuck = writerOf({ ...storage, objects: full }, "stuck", problems);
    assert.equal((await write(stuck, 100_000)).length, line.length * 100_000);
    assert.equal((await textOf("stuck")).length, line.length * 100_000);
    assert.equal(problems.length, 1, "told once");
  });

  it("is verified, kept while a step run has it, and collected with the last one", async () => {
    const { storage, store, objects, folder, write, sql } = await open(kind, { a: "succeeded", b: "succeeded" });
    const tableFiles = createFileSystemFiles({ root: join(folder, "datasets") });
    const artifacts = createArtifactFolder({ root: join(folder, "artifacts") });
    const { signal } = new AbortController();
    const collect = async (): Promise<number> => {
      for (const file of await readdir(join(folder, "objects/sha256"), { recursive: true })) {
        const old = new Date(Date.now() - 8 * 24 * 3600_000);
        await utimes(join(folder, "objects/sha256", file), old, old);
      }
      const parts = { store, objects, clock: systemClock, tableFiles, artifacts };
      return (await collectGarbage(parts, { ageMs: 0, dryRun: false, signal })).objects;
    };
    await write([...chunksOf("a", 10), ...chunksOf("b", 10)]);
    await sealLooseLogs(storage, "p");
    assert.equal(await collect(), 0);
    const verify = () => verifyStore({ store, objects, tableFiles, artifacts, depth: "deep" });
    assert.deepEqual((await verify()).damages, []);
    await sql("update step_run set finished_at_ms = 100 where id = 'b'");
    const expire = (beforeMs: number) =>
      store.write((transaction) => deleteLogs(transaction, { project: "p", beforeMs, limit: 10 }));
    assert.equal(await expire(50), 1);
    assert.equal(await collect(), 0);
    assert.equal((await readAll(storage, "b")).length, 10);
    assert.deepEqual(await readAll(storage, "a"), []);
    const [blob] = await store.read(listLogBlobs);
    const { damages } = await (async () => {
      await objects.delete(blob?.digest as never);
      return verify();
    })();
    assert.match(damages[0]?.problem ?? "", /missing.*log of 1 step run/);
    await assert.rejects(readAll(storage, "b"), { code: "STORAGE_OBJECT_MISSING" });
    assert.equal(await expire(200), 1);
    assert.deepEqual((await verify()).damages, []);
    assert.deepEqual(await store.read(listLogBlobs), []);
  });
});

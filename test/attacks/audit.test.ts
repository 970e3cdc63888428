// What somebody changes who can write to the database is found and named.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { appendFile, copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { openStorePlatform, provePlatformEvent, type StorePlatform, verifyPlatformAudit } from "#app";
import { canonicalJson, newId, silentLog } from "#base";
import { type ProjectConfig, readSettings, storeOnlyConfig } from "#config";
import { checkProof } from "#governance";
import { appendEvent, type StoreKind } from "#metadata-store";
import { runSql } from "../setup/run-sql.ts";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";

const SETTINGS = readSettings({ PATH: process.env["PATH"] ?? "" });
const EVENTS = 300;

type Verification = Awaited<ReturnType<typeof verifyPlatformAudit>>;

interface Attacked {
  readonly config: ProjectConfig;
  readonly checkpoints: string;
  /** Opens the store as a process of the platform, works, and closes it. */
  within<Result>(work: (platform: StorePlatform) => Promise<Result>): Promise<Result>;
  /** A statement past the platform. */
  sql(statement: string): Promise<readonly Record<string, unknown>[]>;
  verify(against?: string): Promise<Verification>;
}

async function attack(kind: StoreKind): Promise<Attacked> {
  const folder = await temporaryFolder();
  const config = storeOnlyConfig(folder, kind === "postgres" ? await createPostgresSchema() : undefined);
  const within: Attacked["within"] = async (work) => {
    const platform = await openStorePlatform({ config, isProject: false, settings: SETTINGS, log: silentLog });
    try {
      return await work(platform);
    } finally {
      await platform.close();
    }
  };
  await within(async ({ store, access }) => {
    await access.createUser({ name: "ana", actor: "ana" });
    await access.createUser({ name: "bea", actor: "ana", roles: [{ project: "p", role: "viewer" }] });
    await access.createToken({ user: "bea", label: "l", actor: "ana" });
    await store.write(async (transaction) => {
      for (let index = 0; index < EVENTS; index++) await note(transaction, index);
    });
  });
  return {
    config,
    checkpoints: join(folder, "audit/checkpoints"),
    within,
    sql: (statement) => runSql(config.metadataAddress, statement),
    verify: (against) =>
      within((platform) =>
        verifyPlatformAudit(platform, { settings: SETTINGS, against, signal: new AbortController().signal }),
      ),
  };
}

async function note(transaction: Parameters<typeof appendEvent>[0], index: number): Promise<void> {
  await appendEvent(transaction, {
    atMs: 1_700_000_000_000 + index,
    project: "p",
    type: "push.received",
    subjectKind: "push",
    subject: newId(),
    actor: "ana",
    data: { commit: `c${index}`, pipelineRuns: [] },
  });
}

const kinds = ({ log, rows }: Verification): readonly string[] => [
  ...log.findings.map(({ kind }) => kind),
  ...rows.findings.map(({ table, kind, key }) => `${table} ${key} ${kind}`),
];

describeStores("an event log that somebody attacks", (kind) => {
  it("is intact while nobody does, and signs all of it", async () => {
    const { verify, config, within } = await attack(kind);
    const { log, rows } = await verify();
    assert.deepEqual([log.findings, rows.findings], [[], []]);
    assert.equal(log.size, EVENTS + 3);
    assert.equal(log.signed, log.size);
    assert.equal(log.pending, 0);
    assert.equal(rows.rows, 5);
    assert.equal(rows.untold, 0);
    const proof = await within((platform) => provePlatformEvent(platform, 42));
    const { verifierKey } = log;
    assert.ok(verifierKey !== undefined);
    const proven = checkProof(proof, { file: "proof", verifierKey });
    assert.match(proven.entry, /"sequence":42,/);
    assert.throws(() => checkProof(proof.replace(/index \d+/, "index 7"), { file: "proof", verifierKey }), {
      code: "GOVERNANCE_PROOF_INVALID",
    });
    assert.equal((await readFile(join(config.storeFolder, "keys/audit.pem"), "utf8")).includes("PRIVATE KEY"), true);
  });

  it("takes events of changes that commit late, and leaves out those that were rolled back", async () => {
    const { verify, within } = await attack(kind);
    await within(async ({ store, auditLog }) => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      // On SQLite changes come one after another, so that none is late.
      const late =
        kind === "postgres"
          ? store.write(async (transaction) => {
              await note(transaction, 1000);
              await gate;
            })
          : Promise.resolve();
      const writes = Array.from({ length: 60 }, (_, index) =>
        store
          .write(async (transaction) => {
            await note(transaction, 2000 + index);
            if (index % 3 === 0) throw new Error("rolled back");
          })
          .catch(() => undefined),
      );
      await Promise.all(writes);
      await (await auditLog()).seal();
      open();
      await late;
    });
    const { log } = await verify();
    assert.deepEqual(log.findings, []);
    assert.equal(log.pending, 0);
    assert.equal(log.size, EVENTS + 3 + 40 + (kind === "postgres" ? 1 : 0));
    assert.equal(log.signed, log.size);
  });

  it("names an event that was edited, in each of its columns", async () => {
    const { verify, sql } = await attack(kind);
    const edits = { actor: "'eve'", data: `'{"commit":"evil"}'`, subject: "'x'", at_ms: "1", project: "'q'" };
    for (const [at, [column, value]] of Object.entries(edits).entries())
      await sql(`update event set ${column} = ${value} where sequence = ${100 + at}`);
    const { log } = await verify();
    assert.deepEqual(
      log.findings.map((finding) => [finding.kind, "event" in finding ? finding.event?.sequence : 0]),
      [100, 101, 102, 103, 104].map((sequence) => ["event_edited", sequence]),
    );
    const [first] = log.findings;
    assert.ok(first?.kind === "event_edited" && first.event.type === "push.received");
    assert.equal(first.event.atMs, 1_700_000_000_000 + 96);
  });

  it("names an event that was deleted, one that was put in between, and two that changed places", async () => {
    const { verify, sql } = await attack(kind);
    await sql("delete from event where sequence = 50");
    assert.deepEqual((await verify()).log.findings, [
      {
        kind: "event_deleted",
        position: 49,
        event: { sequence: 50, type: undefined, atMs: undefined },
        afterMs: 1_700_000_000_000 + 45,
        beforeMs: 1_700_000_000_000 + 47,
      },
    ]);
    await sql(
      "insert into event (sequence, at_ms, project, type, subject_kind, subject, actor, data) select -1, at_ms, project, type, subject_kind, subject, actor, data from event where sequence = 51",
    );
    assert.deepEqual(kinds(await verify()), ["event_deleted", "event_inserted"]);
    await sql("update event set sequence = -5 where sequence = 60");
    await sql("update event set sequence = 60 where sequence = 61");
    await sql("update event set sequence = 61 where sequence = -5");
    assert.deepEqual(kinds(await verify()), ["event_deleted", "event_edited", "event_edited", "event_inserted"]);
  });

  it("names the first event when the hashes were made to fit the edit", async () => {
    const { verify, sql } = await attack(kind);
    await sql("update event set actor = 'eve' where sequence = 270");
    const hashes = Buffer.from(
      String((await sql("select hashes from event_tile where level = 0 and number = 1"))[0]?.["hashes"]),
      "base64",
    );
    const [row] = await sql("select * from event where sequence = 270");
    const entry = canonicalJson({
      v: 1,
      ...row,
      sequence: Number(row?.["sequence"]),
      at_ms: Number(row?.["at_ms"]),
      data: JSON.parse(String(row?.["data"])) as unknown,
    });
    createHash("sha256")
      .update(`\0${entry}`)
      .digest()
      .copy(hashes, (269 - 256) * 32);
    await sql(`update event_tile set hashes = '${hashes.toString("base64")}' where level = 0 and number = 1`);
    const { log } = await verify();
    assert.deepEqual(kinds({ log, rows: { rows: 0, untold: 0, findings: [] } }), ["tree_changed"]);
    const [finding] = log.findings;
    assert.ok(finding?.kind === "tree_changed" && finding.from < 270 && finding.to >= 269);
  });

  it("finds that its end was cut off, with the hashes and without", async () => {
    const { verify, sql } = await attack(kind);
    await sql("delete from event where sequence > 290");
    assert.ok(kinds(await verify()).every((each) => each === "event_deleted"));
    await sql("update event_log set size = 290, last_sequence = 290");
    assert.ok(kinds(await verify()).includes("log_shortened"));
    await sql("delete from event_log");
    assert.ok(kinds(await verify()).includes("log_shortened"));
  });

  it("finds a database that was put back, signs nothing on it, and says so with a kept checkpoint", async () => {
    const { verify, sql, checkpoints, within } = await attack(kind);
    const kept = `${checkpoints}.kept`;
    const older = await sql("select max(sequence) as last from event");
    await within(({ store }) => store.write((transaction) => note(transaction, 1)));
    await copyFile(checkpoints, kept);
    // The same as an older copy: nothing of the last process is there.
    const last = Number(older[0]?.["last"]);
    const size = Number((await sql("select size from event_log"))[0]?.["size"]);
    await sql(`delete from event where sequence > ${last}`);
    await sql(`update event_log set size = ${size - 1}, last_sequence = ${last}`);
    const tile = (await sql("select hashes, sequences from event_tile where level = 0 and number = 1"))[0];
    const hashes = Buffer.from(String(tile?.["hashes"]), "base64").subarray(0, -32).toString("base64");
    const sequences = String(tile?.["sequences"]).replace(/\d+$/, String(last));
    await sql(`update event_tile set hashes = '${hashes}', sequences = '${sequences}' where level = 0 and number = 1`);
    assert.deepEqual(kinds(await verify()), ["log_shortened"]);
    const before = await readFile(checkpoints, "utf8");
    await within(({ store }) => store.write((transaction) => note(transaction, 2)));
    assert.equal(await readFile(checkpoints, "utf8"), before, "a fork is not signed");
    assert.deepEqual(kinds(await verify()), ["tree_changed"]);
    await rm(checkpoints);
    assert.deepEqual(kinds(await verify(kept)), ["tree_changed"]);
  });

  it("finds another key, a false signature, and what is no checkpoint", async () => {
    const { verify, config, checkpoints, within } = await attack(kind);
    const key = join(config.storeFolder, "keys/audit.pem");
    const [before, text] = [await readFile(key, "utf8"), await readFile(checkpoints, "utf8")];
    await writeFile(key, generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
    assert.deepEqual(kinds(await verify()), ["key_changed"]);
    await within(({ store }) => store.write((transaction) => note(transaction, 1)));
    assert.equal(await readFile(checkpoints, "utf8"), text, "another key signs nothing");
    await writeFile(key, before);
    await writeFile(checkpoints, text.replace(/\n(\d+)\n/, "\n7\n"));
    assert.deepEqual(kinds(await verify()), ["checkpoint_forged"]);
    await writeFile(checkpoints, text);
    await appendFile(checkpoints, "what is this\nof two\n\n");
    assert.deepEqual(kinds(await verify()), ["checkpoint_unreadable"]);
  });

  it("names a row that decides and was changed past the platform", async () => {
    const { verify, sql } = await attack(kind);
    const id = String((await sql("select id from access_token"))[0]?.["id"]);
    await sql("update access_grant set role = 'admin' where user_name = 'bea'");
    await sql("insert into access_grant (user_name, project, role) values ('bea', '*', 'admin')");
    await sql("delete from access_grant where user_name = 'ana'");
    await sql("update access_token set secret_hash = 'mine', revoked_at_ms = null");
    await sql("update access_user set emails = '[\"ana@example.org\"]' where name = 'bea'");
    await sql(
      "insert into approval (id, project, subject_kind, digest, environment, decision, actor, counts_for, comment, at_ms) values ('A', 'p', 'recipe', 'sha256:x', 'production', 'approved', 'ana', 'ana', '', 1)",
    );
    const verification = await verify();
    assert.deepEqual(kinds(verification).toSorted(), [
      "access_grant ana in * deleted",
      "access_grant bea in * inserted",
      "access_grant bea in p changed",
      `access_token ${id} changed`,
      "access_user bea changed",
      "approval A inserted",
    ]);
    const changed = verification.rows.findings.find(({ key }) => key === "bea in p");
    assert.deepEqual([changed?.expected, changed?.found], [{ role: "viewer" }, { role: "admin" }]);
  });
});

// Rows that decide what passes, who may do it and what runs: whoever changes one past the platform is named.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { it } from "node:test";
import { createAccess } from "#access";
import { keyProofText } from "#api";
import { digestOf, silentLog, systemClock } from "#base";
import { createDelivery, type ModelTarget } from "#delivery";
import { createServices } from "#executors";
import { createApprovalCheck, registerKey, verifyAudit } from "#governance";
import { appendEvent, contentDigest, recordAssetVersion, type StoreKind } from "#metadata-store";
import { recordVerdict } from "#metadata-store/governance";
import { createModelVersion, createRegisteredModel, setRegisteredModelAlias } from "#metadata-store/registry";
import { saveEndpoint } from "#metadata-store/serving";
import { callerOf } from "../setup/caller.ts";
import { runSql } from "../setup/run-sql.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const PROJECT = "p";

interface Attacked {
  sql(statement: string): Promise<readonly Record<string, unknown>[]>;
  /** What is found, and nothing else: `table key kind: fact expected → found, …`. */
  find(): Promise<readonly string[]>;
  /** Changes one row, looks, and puts it back. */
  attack(statement: string, undo: string): Promise<readonly string[]>;
  readonly versions: readonly string[];
  readonly keyId: string;
}

/** A store where two versions of a model were made, tested, deployed and named. */
async function open(kind: StoreKind): Promise<Attacked> {
  const { store, objects, address, folder } = await openTestStore(kind);
  const access = createAccess({ store, clock: systemClock, localUser: "maria" });
  await access.createUser({ name: "rui", roles: [{ project: PROJECT, role: "reviewer" }], actor: "maria" });
  const keyId = await registerReviewer();
  const data = await make("flights", "data", "rows", []);
  const models: ModelTarget = {
    deploy: async ({ version, environment, endpoint, actor, deploymentId }) => {
      await store.write((tx) =>
        saveEndpoint(tx, {
          project: PROJECT,
          environment,
          endpoint,
          action: "deploy",
          modelVersionId: version.id,
          strategy: { kind: "direct" },
          actor,
          atMs: Date.now(),
          operationId: deploymentId,
        }),
      );
      return { versionId: version.id, digest: version.digest, address: `/endpoints/${environment}/${endpoint}` };
    },
    current: async () => undefined,
    remove: async () => {},
  };
  const delivery = createDelivery({
    approvals: createApprovalCheck({ store, objects, clock: systemClock }),
    store,
    objects,
    services: createServices({ folder: join(folder, "services") }),
    models,
    environments: [{ name: "production", approvals: 0, bind: "version" }],
    folder: join(folder, "releases"),
    searchPath: "/usr/bin:/bin",
    clock: systemClock,
    log: silentLog,
  });
  const versions: string[] = [];
  for (const text of ["first", "second"]) {
    const version = await make("delay", "model", text, [{ versionId: data.id, role: "input" }]);
    versions.push(version.id);
    await store.write(async (tx) => {
      await createRegisteredModel(tx, { project: PROJECT, name: "delay", atMs: 1, actor: "ana", whenExists: "keep" });
      const facts = { name: "delay", source: "runs:/r/delay", assetVersionId: version.id, atMs: 1, actor: "ana" };
      await createModelVersion(tx, facts);
      const content = { format: "verdict/1", metrics: { roc_auc: 0.8 } };
      await recordVerdict(tx, {
        versionId: version.id,
        project: PROJECT,
        passed: true,
        atMs: 5,
        stepRunId: "s",
        content,
      });
      await appendEvent(tx, {
        atMs: 5,
        project: PROJECT,
        type: "verdict.passed",
        subjectKind: "asset",
        subject: "delay",
        actor: "engine",
        data: {
          version: version.version,
          versionId: version.id,
          digest: version.digest,
          metrics: content.metrics,
          reason: undefined,
          stepRunId: "s",
          content: contentDigest(content),
        },
      });
    });
    await delivery.deploy(
      {
        project: PROJECT,
        environment: "production",
        version,
        settings: { target: "model", endpoint: "delay" },
        actor: "ana",
        idempotencyKey: version.id,
      },
      { signal: new AbortController().signal, log: () => {} },
    );
  }
  await store.write((tx) =>
    setRegisteredModelAlias(tx, { name: "delay", alias: "silver", version: 1, atMs: 9, actor: "ana" }),
  );

  async function make(
    asset: string,
    assetKind: "data" | "model",
    text: string,
    inputs: readonly { readonly versionId: string; readonly role: string }[],
  ) {
    const facts = { project: PROJECT, asset, kind: assetKind, digest: digestOf(text), madeAtMs: Date.now() };
    const content = { format: `${assetKind}/1`, isolation: "sandbox" };
    return (await store.write((tx) => recordAssetVersion(tx, { ...facts, actor: "ana", content, inputs }))).version;
  }

  async function registerReviewer(): Promise<string> {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const text = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64");
    const proofText = keyProofText("rui", text);
    const proof = sign(null, Buffer.from(proofText), privateKey).toString("base64");
    const identity = await callerOf(store, "rui");
    const key = { identity, publicKey: text, proof, proofText, label: "laptop" };
    return (await registerKey(store, key, { clock: systemClock })).id;
  }

  const sql = (statement: string) => runSql(address, statement);
  const find = async (): Promise<readonly string[]> => {
    const { rows } = await verifyAudit(store, { sources: [], currentKey: () => Promise.resolve(undefined) });
    assert.equal(rows.untold, 0);
    return rows.findings
      .map(({ table, key, kind: change, found }) =>
        [table, key, change, ...(change === "changed" ? Object.keys(found) : [])].join(" "),
      )
      .toSorted();
  };
  assert.deepEqual(await find(), []);
  return {
    sql,
    find,
    versions,
    keyId,
    async attack(statement, undo) {
      await sql(statement);
      const found = await find();
      await sql(undo);
      assert.deepEqual(await find(), [], undo);
      return found;
    },
  };
}

describeStores("rows that decide", (kind) => {
  it("name a verdict that was changed, deleted or put in", async () => {
    const { attack, versions, sql, find } = await open(kind);
    const [first = "", second = ""] = versions;
    assert.deepEqual(
      await attack(
        `update verdict set passed = 0 where version_id = '${first}'`,
        `update verdict set passed = 1 where version_id = '${first}'`,
      ),
      [`verdict ${first} changed isPassed`],
    );
    const content = `{"format":"verdict/1","metrics":{"roc_auc":0.8}}`;
    assert.deepEqual(
      await attack(
        `update verdict set content = '{"format":"verdict/1","metrics":{"roc_auc":0.99}}' where version_id = '${second}'`,
        `update verdict set content = '${content}' where version_id = '${second}'`,
      ),
      [`verdict ${second} changed content`],
    );
    await sql(`delete from verdict where version_id = '${first}'`);
    await sql(
      `insert into verdict (version_id, project, passed, at_ms, step_run_id, content) values ('X', 'p', 1, 5, 's', '{}')`,
    );
    assert.deepEqual(await find(), ["verdict X inserted", `verdict ${first} deleted`].toSorted());
  });

  it("name a release that points elsewhere, with another content, and one put in or taken out", async () => {
    const { attack, versions, sql, find } = await open(kind);
    const [first = "", second = ""] = versions;
    const [row] = await sql(`select id, created_by from release where version_id = '${second}'`);
    const id = String(row?.["id"]);
    assert.deepEqual(
      await attack(
        `update release set version_id = '${first}', created_by = 'eve' where id = '${id}'`,
        `update release set version_id = '${second}', created_by = 'ana' where id = '${id}'`,
      ),
      [`release ${id} changed versionId createdBy`],
    );
    const [part] = await sql(
      `select digest from release_version where release_id = '${id}' and version_id = '${second}'`,
    );
    assert.deepEqual(
      await attack(
        `update release_version set digest = 'sha256:0' where release_id = '${id}' and version_id = '${second}'`,
        `update release_version set digest = '${String(part?.["digest"])}' where release_id = '${id}' and version_id = '${second}'`,
      ),
      [`release ${id} changed versions`],
    );
    await sql(`delete from release where id = '${id}'`);
    await sql(
      `insert into release (id, project, environment, number, asset, version_id, created_at_ms, created_by, settings) values ('X', 'p', 'production', 9, 'delay', '${first}', 1, 'ana', '{}')`,
    );
    assert.deepEqual(await find(), [`release ${id} deleted`, "release X inserted"].toSorted());
  });

  it("name what is said to be deployed and is not", async () => {
    const { attack, versions, sql, find } = await open(kind);
    const [first = "", second = ""] = versions;
    assert.deepEqual(
      await attack(`update deployed set version_id = '${first}'`, `update deployed set version_id = '${second}'`),
      ["deployed p/production/delay changed versionId"],
    );
    assert.deepEqual(
      await attack(
        `insert into deployed (project, environment, asset, deployment_id, release_id, version_id, at_ms) values ('p', 'staging', 'delay', 'd', 'r', '${first}', 1)`,
        `delete from deployed where environment = 'staging'`,
      ),
      ["deployed p/staging/delay inserted"],
    );
    await sql("delete from deployed");
    assert.deepEqual(await find(), ["deployed p/production/delay deleted"]);
  });

  it("name an endpoint that answers with another version, or that somebody stopped", async () => {
    const { attack, versions, sql, find } = await open(kind);
    const [first = "", second = ""] = versions;
    assert.deepEqual(
      await attack(
        `update endpoint set model_version_id = '${first}'`,
        `update endpoint set model_version_id = '${second}'`,
      ),
      ["endpoint p/production/delay changed modelVersionId"],
    );
    assert.deepEqual(
      await attack(
        `update endpoint set candidate_version_id = '${first}', strategy = '{"kind":"canary","percent":100}'`,
        `update endpoint set candidate_version_id = null, strategy = '{"kind":"direct"}'`,
      ),
      ["endpoint p/production/delay changed candidateVersionId strategy"],
    );
    await sql("update endpoint set state = 'stopped'");
    assert.deepEqual(await find(), ["endpoint p/production/delay changed isStopped"]);
  });

  it("name an alias that was moved, taken away or made", async () => {
    const { attack, sql, find } = await open(kind);
    assert.deepEqual(
      await attack(
        "update registered_model_alias set version = 1 where alias = 'champion'",
        "update registered_model_alias set version = 2 where alias = 'champion'",
      ),
      ["registered_model_alias delay@champion changed version"],
    );
    await sql("delete from registered_model_alias where alias = 'silver'");
    await sql(
      "insert into registered_model_alias (registered_model_id, alias, version) select registered_model_id, 'gold', 1 from registered_model_alias where alias = 'champion'",
    );
    assert.deepEqual(await find(), [
      "registered_model_alias delay@gold inserted",
      "registered_model_alias delay@silver deleted",
    ]);
  });

  it("name a signing key that was changed for another, given to another user, or taken back to life", async () => {
    const { attack, sql, find, keyId } = await open(kind);
    const [row] = await sql("select public_key from signing_key");
    assert.deepEqual(
      await attack(
        `update signing_key set public_key = '${Buffer.alloc(32, 7).toString("base64")}', user_name = 'eve'`,
        `update signing_key set public_key = '${String(row?.["public_key"])}', user_name = 'rui'`,
      ),
      [`signing_key ${keyId} changed user publicKey`],
    );
    await sql("update signing_key set revoked_at_ms = 1");
    await sql(
      "insert into signing_key (id, user_name, public_key, label, created_at_ms) values ('X', 'rui', 'AAAA', '', 1)",
    );
    assert.deepEqual(await find(), ["signing_key X inserted", `signing_key ${keyId} changed isRevoked`].toSorted());
  });

  it("name a version whose digest, content or origin was changed", async () => {
    const { attack, versions, sql, find } = await open(kind);
    const [first = "", second = ""] = versions;
    assert.deepEqual(
      await attack(
        `update asset_version set digest = '${digestOf("evil")}' where id = '${first}'`,
        `update asset_version set digest = '${digestOf("first")}' where id = '${first}'`,
      ),
      [`asset_version ${first} changed digest`],
    );
    assert.deepEqual(
      await attack(
        `update asset_version set content = '{"format":"model/1","isolation":"none"}' where id = '${second}'`,
        `update asset_version set content = '{"format":"model/1","isolation":"sandbox"}' where id = '${second}'`,
      ),
      [`asset_version ${second} changed content`],
    );
    await sql(`delete from asset_version_input where version_id = '${second}'`);
    await sql(`update asset_version set content = 'no JSON' where id = '${first}'`);
    assert.deepEqual(
      await find(),
      [`asset_version ${first} changed content`, `asset_version ${second} changed inputs`].toSorted(),
    );
  });
});

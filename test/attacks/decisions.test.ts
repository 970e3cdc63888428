import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { it } from "node:test";
import { createAccess } from "#access";
import { type ApprovalStatement, formatApprovalStatement, keyProofText, preAuthEncoding } from "#api";
import { type Clock, type Digest, digestOf, isEsteiraError } from "#base";
import {
  approve,
  createApprovalCheck,
  createRules,
  listPendingApprovals,
  registerKey,
  revokeApproval,
  revokeKey,
} from "#governance";
import { type AssetVersion, type MetadataStore, recordAssetVersion, type StoreKind } from "#metadata-store";
import { insertApproval, insertSigningKey, type StoredApproval } from "#metadata-store/governance";
import { callerOf } from "../setup/caller.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const PROJECT = "p";
const TYPE = "application/vnd.in-toto+json";
const DAY_MS = 24 * 3600 * 1000;

interface Key {
  readonly id: string;
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

function newKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  return { privateKey, publicKey: raw.toString("base64"), id: createHash("sha256").update(raw).digest("hex") };
}

function seal(key: Key, text: string, payloadType = TYPE): string {
  const payload = Buffer.from(text);
  const sig = sign(null, preAuthEncoding(payloadType, payload), key.privateKey).toString("base64");
  return JSON.stringify({ payloadType, payload: payload.toString("base64"), signatures: [{ keyid: key.id, sig }] });
}

interface World {
  readonly store: MetadataStore;
  readonly clock: Clock & { advance(ms: number): void };
  readonly rui: Key;
  readonly version: AssetVersion;
  make(text: string): Promise<AssetVersion>;
  readonly check: ReturnType<typeof createApprovalCheck>;
  mayDeploy(version?: AssetVersion, environment?: string): Promise<boolean>;
  /** What somebody signs over the version, unless told otherwise. */
  statement(changes?: Partial<ApprovalStatement>): Promise<ApprovalStatement>;
  give(
    envelope: string | undefined,
    actor?: string,
    of?: Partial<{ digest: Digest; environment: string }>,
  ): Promise<StoredApproval>;
  /** Writes a row as whoever holds the database can. */
  forge(changes: Partial<StoredApproval>): Promise<void>;
}

async function open(kind: StoreKind): Promise<World> {
  const { store, objects } = await openTestStore(kind);
  let nowMs = Date.parse("2026-06-01");
  const clock = { now: () => (nowMs += 1), monotonic: () => nowMs, advance: (ms: number) => void (nowMs += ms) };
  const access = createAccess({ store, clock, localUser: "maria" });
  for (const name of ["admin", "ana", "rui", "eva"])
    await access.createUser({ name, roles: [{ project: PROJECT, role: "reviewer" }], actor: "maria" });
  const environments = ["production", "staging"].map((name) => ({
    name,
    approvals: 1,
    bind: "version" as const,
    signed: true,
  }));
  const rules = createRules({ store, clock, project: PROJECT, environments });
  await rules.declare("engine");
  const check = createApprovalCheck({ store, objects, clock, rules });
  const make = async (text: string): Promise<AssetVersion> => {
    const facts = { asset: "delay", kind: "model", digest: digestOf(text), inputs: [], content: {} } as const;
    const all = { ...facts, project: PROJECT, madeAtMs: clock.now(), actor: "ana" };
    return (await store.write((tx) => recordAssetVersion(tx, all))).version;
  };
  const version = await make("v1");
  const rui = newKey();
  const identity = await callerOf(store, "rui");
  const proofText = keyProofText("rui", rui.publicKey);
  const proof = sign(null, Buffer.from(proofText), rui.privateKey).toString("base64");
  await registerKey(store, { identity, publicKey: rui.publicKey, proof, proofText, label: "" }, { clock });
  const world: World = {
    store,
    clock,
    rui,
    version,
    check,
    make,
    async mayDeploy(of = version, environment = "production") {
      const ask = { project: PROJECT, environment, deploy: null, requestedBy: "engine" };
      return (await check.check({ ...ask, version: of, rules: { approvals: 1, bind: "version" } })).open;
    },
    async statement(changes = {}) {
      const environment = changes.environment ?? "production";
      return {
        project: PROJECT,
        environment,
        kind: "model",
        name: "delay 1",
        digest: version.digest,
        rulesDigest: (await rules.digestOf(environment)) ?? "",
        decision: "approved",
        reviewer: "rui",
        atMs: clock.now(),
        ...changes,
      };
    },
    async give(envelope, actor = "rui", of = {}) {
      const decision = { project: PROJECT, subjectKind: "model", digest: version.digest } as const;
      const caller = await callerOf(store, actor);
      return approve(
        store,
        {
          ...decision,
          environment: "production",
          identity: caller,
          ...of,
          ...(envelope === undefined ? {} : { envelope }),
        },
        { clock },
      );
    },
    forge: (changes) =>
      store.write((tx) =>
        insertApproval(tx, {
          id: `forged-${clock.now()}`,
          project: PROJECT,
          subjectKind: "model",
          digest: version.digest,
          environment: "production",
          decision: "approved",
          actor: "rui",
          countsFor: "rui",
          comment: "",
          atMs: clock.now(),
          expiresAtMs: undefined,
          envelope: undefined,
          ...changes,
        }),
      ),
  };
  assert.equal(await world.mayDeploy(), false);
  return world;
}

const code =
  (expected: string) =>
  (error: unknown): boolean =>
    isEsteiraError(error, expected);

describeStores("signed decisions", (kind) => {
  it("open the gate when a reviewer's own key signed them, and no others", async () => {
    const { give, statement, rui, mayDeploy, make, store, clock } = await open(kind);
    const [asked] = await listPendingApprovals(store, { project: PROJECT }, { clock });
    assert.equal(asked?.signed, true);
    await assert.rejects(give(undefined), code("GOVERNANCE_SIGNATURE_NEEDED"));
    await give(seal(rui, formatApprovalStatement(await statement())));
    assert.equal(await mayDeploy(), true);
    assert.equal(await mayDeploy(await make("v2")), false);
    assert.equal(await mayDeploy(undefined, "staging"), false);
  });

  it("are refused when they say something else than what is decided", async () => {
    const { give, statement, rui, mayDeploy } = await open(kind);
    const said = await statement();
    const text = formatApprovalStatement(said);
    const whole = JSON.parse(seal(rui, text)) as { payload: string };
    const others: Readonly<Record<string, string>> = {
      "another environment": seal(rui, formatApprovalStatement(await statement({ environment: "staging" }))),
      "other rules": seal(rui, formatApprovalStatement({ ...said, rulesDigest: digestOf("lax") })),
      "another subject": seal(rui, formatApprovalStatement({ ...said, digest: digestOf("v2") })),
      "another project": seal(rui, formatApprovalStatement({ ...said, project: "q" })),
      "another reviewer": seal(rui, formatApprovalStatement({ ...said, reviewer: "eva" })),
      "a refusal": seal(rui, formatApprovalStatement({ ...said, decision: "refused" })),
      "another payload type": seal(rui, text, "application/json"),
      "a payload changed after it was signed": JSON.stringify({
        ...whole,
        payload: Buffer.from(text.replace("delay 1", "delay 2")).toString("base64"),
      }),
      "a key that nobody registered": seal(newKey(), text),
      "another key's id": JSON.stringify({
        ...(JSON.parse(seal(newKey(), text)) as object),
        signatures: [{ keyid: rui.id, sig: "AAAA" }],
      }),
      "no envelope": "{}",
      "no JSON": "\u0000",
      "another predicate": seal(rui, text.replace("approval/v1", "approval/v2")),
    };
    for (const [what, envelope] of Object.entries(others))
      await assert.rejects(give(envelope), code("GOVERNANCE_SIGNATURE_INVALID"), what);
    await assert.rejects(give(seal(rui, text), "eva"), code("GOVERNANCE_SIGNATURE_INVALID"), "of somebody else");
    assert.equal(await mayDeploy(), false);
  });

  it("open nothing as rows that were written into the database", async () => {
    const { forge, statement, rui, mayDeploy, store, clock } = await open(kind);
    await forge({});
    await forge({ actor: "eva", countsFor: "eva" });
    const staging = seal(rui, formatApprovalStatement(await statement({ environment: "staging" })));
    await forge({ envelope: staging });
    const mallory = newKey();
    await store.write((tx) =>
      insertSigningKey(tx, {
        id: mallory.id,
        user: "rui",
        publicKey: mallory.publicKey,
        label: "",
        createdAtMs: clock.now(),
      }),
    );
    await forge({ envelope: seal(mallory, formatApprovalStatement(await statement())) });
    const refused = seal(rui, formatApprovalStatement(await statement({ decision: "refused" })));
    await forge({ envelope: refused });
    assert.equal(await mayDeploy(), false);
  });

  it("end when they are revoked, also where their row is written again", async () => {
    const { give, forge, statement, rui, mayDeploy, store, clock } = await open(kind);
    const envelope = seal(rui, formatApprovalStatement(await statement()));
    const { id } = await give(envelope);
    assert.equal(await mayDeploy(), true);
    await revokeApproval(store, { id, identity: await callerOf(store, "rui") }, { clock });
    assert.equal(await mayDeploy(), false);
    await forge({ envelope });
    assert.equal(await mayDeploy(), false);
  });

  it("end with their time, whatever their row says, and with their key", async () => {
    const { give, forge, statement, rui, mayDeploy, store, clock } = await open(kind);
    const expiresAtMs = clock.now() + DAY_MS;
    const envelope = seal(rui, formatApprovalStatement(await statement({ expiresAtMs })));
    assert.equal((await give(envelope)).expiresAtMs, expiresAtMs);
    assert.equal(await mayDeploy(), true);
    clock.advance(2 * DAY_MS);
    assert.equal(await mayDeploy(), false);
    await forge({ envelope });
    assert.equal(await mayDeploy(), false);
    await assert.rejects(give(envelope), code("GOVERNANCE_EXPIRY_INVALID"));
    await give(seal(rui, formatApprovalStatement(await statement())));
    assert.equal(await mayDeploy(), true);
    await assert.rejects(
      revokeKey(store, { id: rui.id, identity: await callerOf(store, "eva") }, { clock }),
      code("GOVERNANCE_KEY_REVOCATION_DENIED"),
    );
    await revokeKey(store, { id: rui.id, identity: await callerOf(store, "rui") }, { clock });
    assert.equal(await mayDeploy(), false);
  });

  it("are looked at again for what runs, and nothing is asked for then", async () => {
    const { give, statement, rui, version, store, clock, check } = await open(kind);
    const { id } = await give(seal(rui, formatApprovalStatement(await statement())));
    const rules = { approvals: 1, bind: "version" } as const;
    const ask = { project: PROJECT, environment: "production", rules, deploy: null, requestedBy: "engine", version };
    assert.equal((await check.stands(ask)).open, true);
    await revokeApproval(store, { id, identity: await callerOf(store, "rui") }, { clock });
    const pending = await listPendingApprovals(store, { project: PROJECT }, { clock });
    assert.equal((await check.stands(ask)).open, false);
    assert.deepEqual(await listPendingApprovals(store, { project: PROJECT }, { clock }), pending);
  });

  it("do not let an author approve, nor register another's key", async () => {
    const { give, statement, rui, mayDeploy, store, clock } = await open(kind);
    const ana = newKey();
    const register = async (user: string, key: Key, signer: Key): Promise<unknown> => {
      const proofText = keyProofText(user, key.publicKey);
      const proof = sign(null, Buffer.from(proofText), signer.privateKey).toString("base64");
      const identity = await callerOf(store, user);
      return registerKey(store, { identity, publicKey: key.publicKey, proof, proofText, label: "" }, { clock });
    };
    await assert.rejects(register("ana", rui, ana), code("GOVERNANCE_KEY_UNPROVEN"));
    await register("ana", ana, ana);
    const own = seal(ana, formatApprovalStatement(await statement({ reviewer: "ana" })));
    await assert.rejects(give(own, "ana"), code("GOVERNANCE_AUTHOR_CANNOT_APPROVE"));
    assert.equal(await mayDeploy(), false);
  });
});

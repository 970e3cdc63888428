import assert from "node:assert/strict";
import { it } from "node:test";
import { createAccess } from "#access";
import { type Clock, type Digest, digestOf, isEsteiraError, type Json } from "#base";
import { approve, createApprovalCheck, listApprovals, listPendingApprovals, revokeApproval } from "#governance";
import {
  type AssetVersion,
  listEvents,
  type MetadataStore,
  type NewAssetVersion,
  recordAssetVersion,
  type StoreKind,
} from "#metadata-store";
import { recordVerdict } from "#metadata-store/governance";
import { callerOf } from "../setup/caller.ts";
import { formatRecipe, type Recipe } from "#pipeline";
import type { Blobs } from "#storage";
import { describeStores, openTestStore } from "../setup/stores.ts";

const PROJECT = "flights";
const BY_VERSION = { approvals: 1, bind: "version" } as const;
const BY_RECIPE = { approvals: 1, bind: "recipe" } as const;

interface World {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly clock: Clock;
  readonly check: ReturnType<typeof createApprovalCheck>["check"];
  make(
    version: Partial<NewAssetVersion> & {
      readonly asset: string;
      readonly kind: NewAssetVersion["kind"];
      readonly text: string;
    },
  ): Promise<AssetVersion>;
  users(...names: string[]): Promise<void>;
}

async function open(kind: StoreKind, commits: Readonly<Record<string, readonly string[]>> = {}): Promise<World> {
  const { store, objects } = await openTestStore(kind);
  let nowMs = 1_800_000_000_000;
  const clock: Clock = { now: () => (nowMs += 1), monotonic: () => nowMs };
  const commitAuthors = async (commit: string): Promise<readonly string[]> => commits[commit] ?? [];
  const access = createAccess({ store, clock, localUser: "maria" });
  return {
    store,
    objects,
    clock,
    check: createApprovalCheck({ store, objects, clock, commitAuthors }).check,
    make: async ({ text, ...facts }) => {
      const made = {
        project: PROJECT,
        digest: digestOf(text),
        madeAtMs: clock.now(),
        actor: "ana",
        content: {},
        inputs: [],
        ...facts,
      };
      return (await store.write((tx) => recordAssetVersion(tx, made))).version;
    },
    users: async (...names) => {
      for (const name of names)
        await access.createUser({
          name,
          emails: [`${name}@example.org`],
          roles: [{ project: PROJECT, role: "reviewer" }],
          actor: "maria",
        });
    },
  };
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => isEsteiraError(error, expected);
}

describeStores("approvals", (kind) => {
  it("close a protected environment until somebody else than the author approves the digest", async () => {
    const { store, clock, check, make, users } = await open(kind);
    await users("admin", "ana", "rui");
    const model = await make({ asset: "delay", kind: "model", text: "v1" });
    const ask = {
      project: PROJECT,
      environment: "production",
      rules: BY_VERSION,
      version: model,
      deploy: null,
      requestedBy: "engine",
    };
    const closed = await check(ask);
    assert.ok(!closed.open && !closed.refused);
    assert.equal(closed.gate.key, `approval:${model.digest}:production`);
    assert.match(closed.gate.reason, /delay 1 needs 1 approval for production by a reviewer, not ana/);
    assert.deepEqual(
      (await listPendingApprovals(store, { project: PROJECT }, { clock })).map(({ subject, authors }) => [
        subject,
        authors,
      ]),
      [["delay 1", ["ana"]]],
    );

    const decision = {
      project: PROJECT,
      subjectKind: "model",
      digest: model.digest,
      environment: "production",
    } as const;
    await assert.rejects(
      approve(store, { ...decision, identity: await callerOf(store, "ana") }, { clock }),
      code("GOVERNANCE_AUTHOR_CANNOT_APPROVE"),
    );
    const given = await approve(
      store,
      { ...decision, identity: await callerOf(store, "rui"), comment: "good" },
      { clock },
    );
    assert.equal(
      (await approve(store, { ...decision, identity: await callerOf(store, "rui") }, { clock })).id,
      given.id,
    );
    assert.deepEqual(await check(ask), { open: true, approvedBy: ["rui"], digest: model.digest });
    assert.equal((await listPendingApprovals(store, { project: PROJECT }, { clock })).length, 0);
    const types = (await store.read((tx) => listEvents(tx, { subjectKind: "approval" }))).map(({ type }) => type);
    assert.deepEqual(types, ["approval.requested", "approval.given"]);
  });

  it("hold for one digest and one environment only", async () => {
    const { store, clock, check, make, users } = await open(kind);
    await users("admin", "rui");
    const first = await make({ asset: "delay", kind: "model", text: "v1" });
    await approve(
      store,
      {
        project: PROJECT,
        subjectKind: "model",
        digest: first.digest,
        environment: "staging",
        identity: await callerOf(store, "rui"),
      },
      { clock },
    );
    const second = await make({ asset: "delay", kind: "model", text: "v2" });
    const ask = { project: PROJECT, rules: BY_VERSION, deploy: null, requestedBy: "engine" };
    assert.equal((await check({ ...ask, environment: "staging", version: first })).open, true);
    assert.equal((await check({ ...ask, environment: "production", version: first })).open, false);
    assert.equal((await check({ ...ask, environment: "staging", version: second })).open, false);
  });

  it("count distinct people who are reviewers at that moment, and no one's second account", async () => {
    const { store, clock, check, make, users } = await open(kind);
    await users("admin", "rui", "eva");
    const access = createAccess({ store, clock, localUser: "maria" });
    await access.createUser({
      name: "rui-bot",
      kind: "service",
      owner: "rui",
      roles: [{ project: PROJECT, role: "reviewer" }],
      actor: "rui",
    });
    await access.createUser({
      name: "ana-bot",
      kind: "service",
      owner: "rui",
      roles: [{ project: PROJECT, role: "viewer" }],
      actor: "rui",
    });
    const model = await make({ asset: "delay", kind: "model", text: "v1" });
    const ask = {
      project: PROJECT,
      environment: "production",
      rules: { approvals: 2, bind: "version" } as const,
      version: model,
      deploy: null,
      requestedBy: "engine",
    };
    const decision = { project: PROJECT, subjectKind: "model", digest: model.digest } as const;
    await approve(store, { ...decision, identity: await callerOf(store, "rui") }, { clock });
    await approve(store, { ...decision, identity: await callerOf(store, "rui-bot") }, { clock });
    assert.equal((await check(ask)).open, false);
    await approve(store, { ...decision, identity: await callerOf(store, "eva") }, { clock });
    assert.deepEqual(await check(ask), { open: true, approvedBy: ["eva", "rui"], digest: model.digest });
    await access.grant({ user: "eva", project: PROJECT, role: "contributor", actor: "admin" });
    assert.equal((await check(ask)).open, false);
    await assert.rejects(
      approve(store, { ...decision, identity: await callerOf(store, "ana-bot") }, { clock }),
      code("GOVERNANCE_REVIEWER_REQUIRED"),
    );
    await assert.rejects(
      approve(store, { ...decision, identity: await callerOf(store, "nobody") }, { clock }),
      code("GOVERNANCE_REVIEWER_REQUIRED"),
    );
  });

  it("refuse whoever made the notebook, committed the source or asked, also through a service account", async () => {
    const { store, clock, check, make, users } = await open(kind, { c0ffee: ["EVA@example.org"] });
    await users("admin", "rui", "eva", "leo", "gil");
    const access = createAccess({ store, clock, localUser: "maria" });
    await access.createUser({
      name: "rui-bot",
      kind: "service",
      owner: "rui",
      roles: [{ project: PROJECT, role: "reviewer" }],
      actor: "rui",
    });
    const notebook = await make({ asset: "train", kind: "notebook", text: "n1", actor: "rui" });
    const model = await make({
      asset: "delay",
      kind: "model",
      text: "v1",
      actor: "engine",
      content: { record: { commit: { id: "c0ffee", dirty: false } } },
      inputs: [{ versionId: notebook.id, role: "notebook" }],
    });
    await check({
      project: PROJECT,
      environment: "production",
      rules: BY_VERSION,
      version: model,
      deploy: null,
      requestedBy: "leo",
    });
    const commitAuthors = async (commit: string): Promise<readonly string[]> =>
      commit === "c0ffee" ? ["EVA@example.org"] : [];
    const decide = async (actor: string): Promise<unknown> =>
      approve(
        store,
        { project: PROJECT, subjectKind: "model", digest: model.digest, identity: await callerOf(store, actor) },
        { clock, commitAuthors },
      );
    for (const actor of ["rui", "rui-bot", "eva", "leo"])
      await assert.rejects(decide(actor), code("GOVERNANCE_AUTHOR_CANNOT_APPROVE"), actor);
    await decide("gil");
  });

  it("bound to the recipe let every tested model through that it made, and none that failed or was not tested", async () => {
    const { store, objects, clock, check, make, users } = await open(kind);
    await users("admin", "rui");
    const recipe: Recipe = { format: "recipe/1", steps: {}, environments: {}, versions: {} };
    const { digest: made } = await objects.put(formatRecipe(recipe));
    const notebook = await make({ asset: "train", kind: "notebook", text: "n1" });
    const train = async (
      text: string,
      passed: boolean | undefined,
      content: object = { recipe: made },
    ): Promise<AssetVersion> => {
      const inputs = [{ versionId: notebook.id, role: "notebook" }];
      const model = await make({ asset: "delay", kind: "model", text, actor: "engine", inputs, content });
      const verdict = { versionId: model.id, project: PROJECT, atMs: 1, stepRunId: undefined, content };
      if (passed !== undefined) await store.write((tx) => recordVerdict(tx, { ...verdict, passed }));
      return model;
    };
    const ask = (version: AssetVersion, deploy: Json = { endpoint: "delay" }): ReturnType<typeof check> =>
      check({ project: PROJECT, environment: "production", rules: BY_RECIPE, version, deploy, requestedBy: "engine" });
    const decision = { project: PROJECT, environment: "production", identity: await callerOf(store, "rui") };
    await approve(store, { ...decision, subjectKind: "notebook", digest: notebook.digest }, { clock });
    const first = await ask(await train("v1", true));
    assert.ok(!first.open, "an approval of the source opens nothing");
    const [asked] = await listPendingApprovals(store, { project: PROJECT }, { clock });
    assert.deepEqual([asked?.subjectKind, asked?.subject, asked?.authors], ["recipe", "the recipe of delay", ["ana"]]);
    const digest = asked?.digest ?? notebook.digest;
    // What it is follows from what waits.
    const given = await approve(store, { ...decision, subjectKind: "notebook", digest }, { clock });
    assert.equal(given.subjectKind, "recipe");
    const expiresAtMs = clock.now() + 86_400_000;
    await assert.rejects(
      approve(store, { ...decision, subjectKind: "notebook", digest, expiresAtMs }, { clock }),
      code("GOVERNANCE_EXPIRY_INVALID"),
      "one that never ends stands beside it",
    );
    await revokeApproval(store, { id: given.id, identity: decision.identity }, { clock });
    for (const never of [1e17, -1e300, expiresAtMs + 0.5, NaN, Infinity])
      await assert.rejects(
        approve(store, { ...decision, subjectKind: "notebook", digest, expiresAtMs: never }, { clock }),
        code("GOVERNANCE_EXPIRY_INVALID"),
        String(never),
      );
    const renewed = await approve(store, { ...decision, subjectKind: "notebook", digest, expiresAtMs }, { clock });
    assert.deepEqual([renewed.subjectKind, renewed.expiresAtMs], ["recipe", expiresAtMs], "given anew, until then");
    const longer = await approve(
      store,
      { ...decision, subjectKind: "notebook", digest, expiresAtMs: expiresAtMs * 2 },
      { clock },
    );
    assert.notEqual(longer.id, renewed.id);
    assert.equal((await ask(await train("v2", true))).open, true);
    assert.equal((await ask(await train("v3", true), { endpoint: "other" })).open, false);
    const failed = await ask(await train("v4", false));
    assert.ok(!failed.open && failed.refused);
    for (const version of [await train("v5", undefined), await train("v6", true, {})]) {
      const answer = await ask(version);
      assert.ok(!answer.open && answer.gate.key === `approval:${version.digest}:production`);
    }
  });

  it("can be refused and revoked; a refusal stands until it is revoked", async () => {
    const { store, clock, check, make, users } = await open(kind);
    await users("admin", "rui", "eva");
    const model = await make({ asset: "delay", kind: "model", text: "v1" });
    const ask = {
      project: PROJECT,
      environment: "production",
      rules: BY_VERSION,
      version: model,
      deploy: null,
      requestedBy: "engine",
    };
    const decision = { project: PROJECT, subjectKind: "model", digest: model.digest } as const;
    const refusal = await approve(
      store,
      { ...decision, decision: "refused", identity: await callerOf(store, "rui"), comment: "bias in ORD" },
      { clock },
    );
    const refused = await check(ask);
    assert.ok(
      !refused.open && refused.refused && /rui refused delay 1 for production: bias in ORD/.test(refused.gate.reason),
    );
    await assert.rejects(
      revokeApproval(store, { id: refusal.id, identity: await callerOf(store, "eva") }, { clock }),
      code("GOVERNANCE_REVOCATION_DENIED"),
    );
    await revokeApproval(store, { id: refusal.id, identity: await callerOf(store, "rui") }, { clock });
    await assert.rejects(
      revokeApproval(store, { id: refusal.id, identity: await callerOf(store, "rui") }, { clock }),
      code("GOVERNANCE_APPROVAL_MISSING"),
    );
    const given = await approve(store, { ...decision, identity: await callerOf(store, "eva") }, { clock });
    assert.equal((await check(ask)).open, true);
    await revokeApproval(store, { id: given.id, identity: await callerOf(store, "admin") }, { clock });
    assert.equal((await check(ask)).open, false);
    assert.equal((await listApprovals(store, { project: PROJECT, digest: model.digest })).length, 2);
  });

  it("refuse a digest that nothing has, and say what waits", async () => {
    const { store, clock, check, make, users } = await open(kind);
    await users("admin", "rui");
    const model = await make({ asset: "delay", kind: "model", text: "v1" });
    await check({
      project: PROJECT,
      environment: "production",
      rules: BY_VERSION,
      version: model,
      deploy: null,
      requestedBy: "engine",
    });
    const digest: Digest = digestOf("something else");
    await assert.rejects(
      approve(
        store,
        { project: PROJECT, subjectKind: "model", digest, identity: await callerOf(store, "rui") },
        { clock },
      ),
      (error) => isEsteiraError(error, "GOVERNANCE_SUBJECT_UNKNOWN") && error.message.includes("delay 1"),
    );
  });

  it("take any name but the author's while no user is set up", async () => {
    const { store, clock, check, make } = await open(kind);
    const model = await make({ asset: "delay", kind: "model", text: "v1" });
    const decision = { project: PROJECT, subjectKind: "model", digest: model.digest } as const;
    await assert.rejects(
      approve(store, { ...decision, identity: await callerOf(store, "ana") }, { clock }),
      code("GOVERNANCE_AUTHOR_CANNOT_APPROVE"),
    );
    await approve(store, { ...decision, identity: await callerOf(store, "rui") }, { clock });
    assert.equal(
      (
        await check({
          project: PROJECT,
          environment: "production",
          rules: BY_VERSION,
          version: model,
          deploy: null,
          requestedBy: "engine",
        })
      ).open,
      true,
    );
  });
});

import assert from "node:assert/strict";
import { it } from "node:test";
import { type Access, authorize, createAccess, isAllowed } from "#access";
import { type Clock, isEsteiraError } from "#base";
import { listEvents, type StoreKind } from "#metadata-store";
import { describeStores, openTestStore, type TestStore } from "../setup/stores.ts";

const HOUR_MS = 3_600_000;

interface Opened extends TestStore {
  readonly access: Access;
  readonly time: { nowMs: number };
}

async function open(kind: StoreKind): Promise<Opened> {
  const opened = await openTestStore(kind);
  const time = { nowMs: 1_800_000_000_000 };
  const clock: Clock = { now: () => time.nowMs, monotonic: () => time.nowMs };
  return { ...opened, time, access: createAccess({ store: opened.store, clock, localUser: "maria" }) };
}

const basic = (user: string, token: string): string => `Basic ${Buffer.from(`${user}:${token}`).toString("base64")}`;

describeStores("access", (kind) => {
  it("makes a loopback caller the machine's user until a user is set up, and lets nobody else in", async () => {
    const { access } = await open(kind);
    assert.deepEqual(await access.authenticate({ loopback: true }), {
      name: "maria",
      kind: "local",
      roles: [{ project: "*", role: "admin" }],
    });
    assert.equal((await access.authenticate({ loopback: true, authorization: "Basic Og==" })).kind, "local");
    await assert.rejects(access.authenticate({ loopback: false }), (error) =>
      isEsteiraError(error, "ACCESS_UNAUTHENTICATED"),
    );
    await access.createUser({ name: "ana", actor: "maria" });
    await assert.rejects(access.authenticate({ loopback: true }), (error) =>
      isEsteiraError(error, "ACCESS_UNAUTHENTICATED"),
    );
    await assert.rejects(access.authenticate({ loopback: true, authorization: "Basic Og==" }), (error) =>
      isEsteiraError(error, "ACCESS_UNAUTHENTICATED"),
    );
  });

  it("gives loopback callers the role that the project allows them, once users exist", async () => {
    const { access, store } = await open(kind);
    await access.createUser({ name: "ana", actor: "maria" });
    const lenient = createAccess({
      store,
      clock: { now: () => 1, monotonic: () => 1 },
      localUser: "maria",
      loopbackRole: "viewer",
    });
    assert.deepEqual((await lenient.authenticate({ loopback: true })).roles, [{ project: "*", role: "viewer" }]);
    await assert.rejects(lenient.authenticate({ loopback: false }), (error) =>
      isEsteiraError(error, "ACCESS_UNAUTHENTICATED"),
    );
  });

  it("takes a token as Bearer and as Basic password, and shows its secret only once", async () => {
    const { access, store } = await open(kind);
    await access.createUser({ name: "ana", actor: "maria" });
    const { token, id } = await access.createToken({ user: "ana", label: "laptop", actor: "ana" });
    for (const authorization of [`Bearer ${token}`, `bearer ${token}`, basic("ana", token), basic("", token)]) {
      assert.equal((await access.authenticate({ authorization, loopback: false })).name, "ana");
    }
    await assert.rejects(access.authenticate({ authorization: basic("rui", token), loopback: false }), /not valid/);
    await assert.rejects(access.authenticate({ authorization: `Bearer ${token}x`, loopback: false }), /not valid/);
    await assert.rejects(access.authenticate({ authorization: "Digest x", loopback: false }), /Bearer or Basic/);
    const kept = JSON.stringify([await access.tokens("ana"), await store.read((tx) => listEvents(tx))]);
    assert.ok(!kept.includes(token.slice(`est_${id}_`.length)));
    assert.equal((await access.tokens("ana"))[0]?.id, id);
    await access.createUser({ name: "rui", actor: "ana" });
    await access.createToken({ user: "rui", label: "phone", actor: "ana" });
    assert.deepEqual((await access.tokens()).map(({ user, label }) => `${user} ${label}`).toSorted(), [
      "ana laptop",
      "rui phone",
    ]);
  });

  it("refuses an expired and a revoked token and notes the last use", async () => {
    const { access, time } = await open(kind);
    await access.createUser({ name: "ana", actor: "maria" });
    const short = await access.createToken({
      user: "ana",
      label: "short",
      expiresAtMs: time.nowMs + HOUR_MS,
      actor: "ana",
    });
    const long = await access.createToken({ user: "ana", label: "long", actor: "ana" });
    await access.authenticate({ authorization: `Bearer ${short.token}`, loopback: false });
    assert.equal((await access.tokens("ana")).find(({ id }) => id === short.id)?.lastUsedAtMs, time.nowMs);
    time.nowMs += HOUR_MS;
    await assert.rejects(access.authenticate({ authorization: `Bearer ${short.token}`, loopback: false }), /expired/);
    await access.revokeToken({ id: long.id, actor: "ana" });
    await assert.rejects(access.authenticate({ authorization: `Bearer ${long.token}`, loopback: false }), /revoked/);
    await assert.rejects(access.revokeToken({ id: long.id, actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_TOKEN_MISSING"),
    );
  });

  it("gives the first user every right, others what they are granted, and nothing by default", async () => {
    const { access } = await open(kind);
    const first = await access.createUser({
      name: "ana",
      actor: "maria",
      roles: [{ project: "flights", role: "viewer" }],
    });
    assert.deepEqual(first.grants, [{ project: "*", role: "admin" }]);
    await access.createUser({ name: "rui", actor: "ana" });
    const { token } = await access.createToken({ user: "rui", label: "x", actor: "ana" });
    const rui = (): ReturnType<Access["authenticate"]> =>
      access.authenticate({ authorization: `Bearer ${token}`, loopback: false });
    assert.throws(
      () => authorize({ name: "rui", kind: "user", roles: [] }, "read", { project: "flights" }),
      (error) => isEsteiraError(error, "ACCESS_DENIED"),
    );
    assert.equal(isAllowed(await rui(), "read", { project: "flights" }), false);
    await access.grant({ user: "rui", project: "flights", role: "reviewer", actor: "ana" });
    const identity = await rui();
    assert.deepEqual(
      (["read", "run", "approve", "administer"] as const).map((action) =>
        isAllowed(identity, action, { project: "flights" }),
      ),
      [true, true, true, false],
    );
    assert.equal(isAllowed(identity, "read", { project: "other" }), false);
    await access.grant({ user: "rui", project: "flights", role: undefined, actor: "ana" });
    assert.equal(isAllowed(await rui(), "read", { project: "flights" }), false);
    await assert.rejects(access.grant({ user: "rui", project: "flights", role: undefined, actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_GRANT_MISSING"),
    );
  });

  it("keeps one administrator, and names the mistake in a user or role", async () => {
    const { access } = await open(kind);
    await access.createUser({ name: "ana", actor: "maria" });
    await assert.rejects(access.grant({ user: "ana", project: "*", role: "viewer", actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_LAST_ADMINISTRATOR"),
    );
    assert.deepEqual((await access.users())[0]?.grants, [{ project: "*", role: "admin" }]);
    await assert.rejects(access.createUser({ name: "ana", actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_USER_EXISTS"),
    );
    await assert.rejects(access.createUser({ name: "engine", actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_USER_NAME_INVALID"),
    );
    await assert.rejects(
      access.grant({ user: "anna", project: "*", role: "viewer", actor: "ana" }),
      (error) => isEsteiraError(error, "ACCESS_USER_MISSING") && error.hint === "Did you mean ana?",
    );
    await assert.rejects(
      access.grant({ user: "ana", project: "p", role: "reviewr" as never, actor: "ana" }),
      (error) => isEsteiraError(error, "ACCESS_ROLE_INVALID") && error.hint === "Did you mean reviewer?",
    );
  });

  it("marks a service account and the owner it acts for", async () => {
    const { access } = await open(kind);
    await access.createUser({ name: "ana", actor: "maria" });
    await access.createUser({
      name: "deployer",
      kind: "service",
      owner: "ana",
      roles: [{ project: "p", role: "contributor" }],
      actor: "ana",
    });
    const { token } = await access.createToken({ user: "deployer", label: "ci", actor: "ana" });
    const identity = await access.authenticate({ authorization: `Bearer ${token}`, loopback: false });
    assert.deepEqual([identity.kind, identity.owner], ["token", "ana"]);
  });
});

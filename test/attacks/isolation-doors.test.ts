// Every way into an environment that requires a sandbox, tried with what was made without one.
import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { type Clock, digestOf, isEsteiraError, newId, silentLog, systemClock } from "#base";
import { createDelivery, createDeployKind, type Delivery, type DeployDeclaration, type Rollouts } from "#delivery";
import { createServices } from "#executors";
import { createApprovalCheck, createPromotionCheck, createRules, type Rules } from "#governance";
import { type AssetVersion, type MetadataStore, recordAssetVersion, type StoreKind } from "#metadata-store";
import { getDeployment, insertDeployment, listDeployed } from "#metadata-store/delivery";
import {
  createModelVersion,
  createRegisteredModel,
  getModelVersionOfAsset,
  getRegisteredModel,
} from "#metadata-store/registry";
import type { AttemptContext } from "#pipeline";
import { type Serving, sourceOfRecords } from "#serving";
import { readCase, registerModel, rolloutsOf, startServing } from "../serving/served.ts";
import { describeStores, temporaryFolder } from "../setup/stores.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };
const TOO_WEAK = { code: "DELIVERY_ISOLATION_TOO_WEAK" };

interface World {
  readonly store: MetadataStore;
  readonly serving: Serving;
  readonly delivery: Delivery;
  readonly rollouts: Rollouts;
  readonly rules: Rules;
  /** A registered model whose process, or that of its data, was isolated so. */
  model(made: string, data?: string): Promise<AssetVersion>;
  deploy(version: AssetVersion, strategy?: object): ReturnType<Delivery["deploy"]>;
  /** A process that reads a file which asks for a sandbox. */
  raise(): Promise<void>;
  shift(ms: number): void;
}

async function open(kind: StoreKind): Promise<World> {
  let shiftMs = 0;
  const clock: Clock = { now: () => Date.now() + shiftMs, monotonic: systemClock.monotonic };
  const { store, objects, serving } = await startServing(kind, { clock });
  const folder = await temporaryFolder();
  const environment = { name: "production", approvals: 0, bind: "version" as const };
  const rules = createRules({ store, clock, project: "p", environments: [{ ...environment, aliases: ["champion"] }] });
  await rules.declare("ana");
  const approvals = createApprovalCheck({ store, objects, clock, rules });
  const rollouts = rolloutsOf(serving, { store, clock, approvals });
  const delivery = createDelivery({
    approvals,
    store,
    objects,
    services: createServices({ folder: join(folder, "services") }),
    models: serving.target,
    environments: [
      {
        ...environment,
        get sandbox() {
          return rules.current().some(({ sandbox }) => sandbox);
        },
      },
    ],
    folder: join(folder, "releases"),
    searchPath: "/usr/bin:/bin",
    clock,
    log: silentLog,
  });
  const world: World = {
    store,
    serving,
    delivery,
    rollouts,
    rules,
    async model(made, data = "sandbox") {
      const { version: from } = await store.write((tx) =>
        recordAssetVersion(tx, {
          project: "p",
          asset: "flights",
          kind: "data",
          digest: digestOf(newId()),
          madeAtMs: 1,
          actor: "ana",
          content: { isolation: data },
          inputs: [],
        }),
      );
      const inputs = [{ versionId: from.id, role: "train" }];
      const version = await registerModel({ store, objects }, "late-by-columns", { inputs, isolation: made });
      await store.write(async (tx) => {
        await createRegisteredModel(tx, { project: "p", name: "delay", atMs: 1, actor: "ana", whenExists: "keep" });
        const source = { name: "delay", source: "runs:/r/m", assetVersionId: version.id };
        await createModelVersion(tx, { ...source, atMs: 1, actor: "ana" });
      });
      return version;
    },
    deploy: (version, strategy) =>
      delivery.deploy(
        {
          project: "p",
          environment: "production",
          version,
          settings: { target: "model", endpoint: "delay", ...(strategy === undefined ? {} : { strategy }) },
          actor: "ana",
          idempotencyKey: newId(),
        },
        { signal: new AbortController().signal, log: () => {} },
      ),
    async raise() {
      const strict = { ...environment, sandbox: true, aliases: ["champion"] };
      await createRules({ store, clock, project: "p", environments: [strict] }).declare("eva");
      await rules.refresh();
    },
    shift: (ms) => (shiftMs = ms),
  };
  return world;
}

async function championOf({ store }: World): Promise<number | undefined> {
  const { aliases } = await store.read((tx) => getRegisteredModel(tx, "delay"));
  return aliases.find(({ alias }) => alias === "champion")?.version;
}

describeStores("an environment that requires a sandbox", (kind) => {
  it("takes nothing that was made with less, nor made of such data, by a deployment or a deploy step", async () => {
    const world = await open(kind);
    await world.raise();
    const step = createDeployKind({
      store: world.store,
      delivery: world.delivery,
      approvals: createApprovalCheck({ store: world.store, objects: {} as never, clock: systemClock }),
    });
    for (const weak of [await world.model("none"), await world.model("user"), await world.model("sandbox", "none")]) {
      await assert.rejects(world.deploy(weak), TOO_WEAK);
      const attempt: Partial<AttemptContext<DeployDeclaration>> = {
        declaration: { deploy: "delay", to: "production" },
        project: "p",
        step: "serve",
        stepRunId: newId(),
        attemptNumber: 1,
        actor: "ana",
        inputs: new Map([["delay", weak]]),
        log: () => {},
      };
      await assert.rejects(step.execute(attempt as AttemptContext<DeployDeclaration>), TOO_WEAK);
    }
    assert.deepEqual(await world.store.read((tx) => listDeployed(tx, { project: "p" })), []);
    assert.equal((await world.deploy(await world.model("sandbox"))).deployment.status, "succeeded");
  });

  it("takes no such release back by a rollback, nor finishes one that a dead process left", async () => {
    const world = await open(kind);
    const { release } = await world.deploy(await world.model("none"));
    const good = await world.model("sandbox");
    await world.deploy(good);
    await world.raise();
    const request = { project: "p", environment: "production", asset: "delay", actor: "ana" };
    await assert.rejects(world.delivery.rollback(request), TOO_WEAK);
    await assert.rejects(world.delivery.rollback({ ...request, to: release.number }), TOO_WEAK);
    const id = newId();
    await world.store.write((tx) =>
      insertDeployment(tx, {
        ...request,
        id,
        releaseId: release.id,
        startedAtMs: Date.now(),
        reason: "rollback",
        idempotencyKey: id,
        stepRunId: undefined,
      }),
    );
    await world.delivery.recover("p");
    assert.equal((await world.serving.target.current(KEY))?.versionId, good.id);
    assert.notEqual((await world.store.read((tx) => getDeployment(tx, { id })))?.status, "succeeded");
  });

  it("says of what runs there since before that it does not hold, and lets no alias follow it", async () => {
    const world = await open(kind);
    const weak = await world.model("none");
    await world.deploy(weak);
    const registered = await world.store.read((tx) => getModelVersionOfAsset(tx, weak.id));
    const refuse = (): Promise<{ readonly reason: string } | undefined> =>
      world.store.read((tx) =>
        createPromotionCheck().refuse(tx, { name: "delay", alias: "champion", version: registered, actor: "ana" }),
      );
    assert.equal(await refuse(), undefined);
    await world.raise();
    assert.match((await refuse())?.reason ?? "", /requires a sandbox.*delay 1 was made with "none"/);
    const [standing] = await world.delivery.standing("p");
    assert.match(standing?.problem ?? "", /requires a sandbox.*delay 1 was made with "none"/);
  });

  it("lets no canary take over that began before the rule was raised, and makes it no champion", async () => {
    const world = await open(kind);
    const stable = await world.model("sandbox");
    const weak = await world.model("none");
    await world.deploy(stable);
    await world.deploy(weak, {
      canary: "50%",
      watch: "1m",
      min_requests: 1,
      max_errors: "99%",
      max_p99: "60s",
      max_shift: "100%",
    });
    const { rows } = await readCase("late-by-columns");
    for (let unit = 0; unit < 40; unit++)
      await world.serving.endpoints.predict(KEY, {
        source: sourceOfRecords([rows[0]]),
        entityKeys: [`unit-${unit}`],
      });
    await world.raise();
    world.shift(120_000);
    assert.equal(await world.rollouts.settle(), 1);
    const [trial] = await world.rollouts.report(KEY);
    assert.deepEqual([trial?.outcome, trial?.reason], ["aborted", "rules"]);
    assert.match(trial?.explanation ?? "", /does not let it take over: production requires a sandbox.*"none"/);
    assert.equal((await world.serving.target.current(KEY))?.versionId, stable.id);
    await world.delivery.settle("p");
    assert.equal(await championOf(world), 1);
  });

  it("keeps its requirement until the quorum has agreed to less", async () => {
    const world = await open(kind);
    await world.raise();
    const file = { name: "production", bind: "version" as const, sandbox: true, approvals: 1, aliases: ["champion"] };
    await createRules({ store: world.store, clock: systemClock, project: "p", environments: [file] }).declare("eva");
    const weaker = { ...file, sandbox: false };
    const lowered = createRules({ store: world.store, clock: systemClock, project: "p", environments: [weaker] });
    await lowered.declare("ana");
    assert.equal((await lowered.inForce("production"))?.sandbox, true);
    assert.ok(lowered.current().some(({ sandbox }) => sandbox));
    assert.ok(
      isEsteiraError(await world.deploy(await world.model("none")).catch((error: unknown) => error), TOO_WEAK.code),
    );
  });
});

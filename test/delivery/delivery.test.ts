import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { digestOf, isEsteiraError, newId, silentLog, systemClock } from "#base";
import {
  type ApprovalCheck,
  createDelivery,
  createDeployKind,
  type Delivery,
  type DeployDeclaration,
  type ModelDeployment,
  type ModelTarget,
} from "#delivery";
import { createServices, type Services } from "#executors";
import { approve, createApprovalCheck } from "#governance";
import {
  type AssetVersion,
  getAssetVersion,
  listEvents,
  type MetadataStore,
  recordAssetVersion,
  type StoreKind,
} from "#metadata-store";
import { insertDeployment, listDeployed, listDeployments, listReleases } from "#metadata-store/delivery";
import { createModelVersion, createRegisteredModel, getRegisteredModel } from "#metadata-store/registry";
import { digestOfTree, type Blobs, putTree } from "#storage";
import type { AttemptContext, StepOutcome } from "#pipeline";
import { callerOf } from "../setup/caller.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const PROJECT = "p";
const ENVIRONMENTS = [
  { name: "staging", approvals: 0, bind: "version" as const },
  { name: "production", approvals: 1, bind: "version" as const },
];
const SERVER = `
const { createServer } = require("node:http");
const text = require("node:fs").readFileSync("version.txt", "utf8");
const since = Date.now();
createServer((request, response) => response.writeHead(text === "broken" || (text === "slow" && Date.now() - since < 600) ? 500 : 200).end(text + " " + process.env.ESTEIRA_ENVIRONMENT)).listen(process.env.PORT, process.env.HOST);
`;

interface World {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly delivery: Delivery;
  readonly services: Services;
  readonly approvals: ApprovalCheck;
  readonly modelDeployments: ModelDeployment[];
  readonly trialsEnded: Set<string>;
  /** Ids of model versions that cannot be deployed. */
  readonly refused: Set<string>;
  /** Lines of the deploy steps. */
  readonly logged: string[];
  code(text: string): Promise<AssetVersion>;
  model(text: string): Promise<AssetVersion>;
  run(
    version: AssetVersion,
    declaration: Partial<DeployDeclaration>,
    attempt?: { readonly stepRunId?: string; readonly attemptNumber?: number; readonly signal?: AbortSignal },
  ): Promise<StepOutcome>;
}

async function open(kind: StoreKind): Promise<World> {
  const opened: Services[] = [];
  // Hooks run in the order they are given: services end before their folder goes.
  after(async () => {
    for (const services of opened)
      for (const { name } of ENVIRONMENTS) await services.stop({ project: PROJECT, environment: name, name: "app" });
  });
  const { store, objects, folder } = await openTestStore(kind);
  const services = createServices({ folder: join(folder, "services") });
  opened.push(services);
  const modelDeployments: ModelDeployment[] = [];
  const trialsEnded = new Set<string>();
  const refused = new Set<string>();
  const models: ModelTarget = {
    deploy: async (deployment) => {
      if (refused.has(deployment.version.id)) throw new Error("it cannot be loaded");
      modelDeployments.push(deployment);
      return {
        versionId: deployment.version.id,
        digest: deployment.version.digest,
        address: `/endpoints/${deployment.environment}/${deployment.endpoint}`,
      };
    },
    current: async ({ environment, endpoint }) => {
      // As a canary does: a version with a strategy answers only once its trial has ended.
      const there = modelDeployments.filter(
        (each) =>
          each.environment === environment &&
          each.endpoint === endpoint &&
          (each.strategy === undefined || trialsEnded.has(each.version.id)),
      );
      const last = there.at(-1);
      const tried = modelDeployments
        .filter((each) => each.environment === environment && each.endpoint === endpoint)
        .at(-1);
      if (last === undefined) return undefined;
      return {
        versionId: last.version.id,
        digest: last.version.digest,
        address: "",
        candidateVersionId:
          trialsEnded.has("taken back") || tried?.strategy === undefined ? undefined : tried.version.id,
      };
    },
    remove: async () => {},
  };
  const approvals = createApprovalCheck({ store, objects, clock: systemClock });
  const delivery = createDelivery({
    approvals,
    store,
    objects,
    services,
    models,
    environments: ENVIRONMENTS,
    folder: join(folder, "releases"),
    searchPath: "/usr/bin:/bin",
    clock: systemClock,
    log: silentLog,
  });
  const deployKind = createDeployKind({ store, delivery, approvals });
  const logged: string[] = [];
  let trees = 0;
  return {
    store,
    objects,
    delivery,
    services,
    approvals,
    modelDeployments,
    trialsEnded,
    refused,
    code: async (text) => {
      const source = join(folder, `tree${(trees += 1)}`);
      await mkdir(source);
      await writeFile(join(source, "server.cjs"), SERVER);
      await writeFile(join(source, "version.txt"), text);
      await writeFile(join(source, "package.json"), JSON.stringify({ scripts: { start: "exec node server.cjs" } }));
      const tree = await putTree(objects, source);
      return (
        await store.write((tx) =>
          recordAssetVersion(tx, {
            project: PROJECT,
            asset: "app",
            kind: "code",
            digest: digestOfTree(tree),
            madeAtMs: Date.now(),
            actor: "ana",
            content: tree,
            inputs: [],
          }),
        )
      ).version;
    },
    model: async (text) =>
      store.write(async (tx) => {
        const { version } = await recordAssetVersion(tx, {
          project: PROJECT,
          asset: "delay",
          kind: "model",
          digest: digestOf(text),
          madeAtMs: Date.now(),
          actor: "ana",
          content: { format: "model/1", model: { features: ["day:trips"] } },
          inputs: [],
        });
        await createRegisteredModel(tx, { project: PROJECT, name: "delay", atMs: 1, actor: "ana", whenExists: "keep" });
        await createModelVersion(tx, {
          name: "delay",
          source: "runs:/r/delay",
          assetVersionId: version.id,
          atMs: 1,
          actor: "ana",
        });
        return version;
      }),
    logged,
    run: async (version, declaration, attempt = {}) => {
      const context: Partial<AttemptContext<DeployDeclaration>> = {
        declaration: { deploy: version.asset, to: "staging", health: "/healthz", health_timeout: "5s", ...declaration },
        project: PROJECT,
        step: "web",
        stepRunId: attempt.stepRunId ?? `s-${version.id}`,
        attemptNumber: attempt.attemptNumber ?? 1,
        actor: "ana",
        inputs: new Map([[version.asset, version]]),
        signal: attempt.signal ?? new AbortController().signal,
        log: (line) => void logged.push(line),
      };
      return deployKind.execute(context as AttemptContext<DeployDeclaration>);
    },
  };
}

async function answerOf(store: MetadataStore, environment: string): Promise<string> {
  const [deployed] = await store.read((tx) => listDeployed(tx, { project: PROJECT, environment }));
  const deployments = await store.read((tx) => listDeployments(tx, { project: PROJECT, environment }));
  const target = deployments.find(({ id }) => id === deployed?.deploymentId)?.target as { readonly address: string };
  return (await fetch(target.address)).text();
}

describeStores("delivery", (kind) => {
  it(
    "deploys code to one environment after the other and waits where an approval is missing",
    { timeout: 180_000 },
    async () => {
      const { store, code, run } = await open(kind);
      const version = await code("one");
      const waiting = await run(version, { to: ["staging", "production"] });
      assert.deepEqual(waiting.status === "waiting" && waiting.gate.key, `approval:${version.digest}:production`);
      assert.equal(await answerOf(store, "staging"), "one staging");
      await approve(
        store,
        {
          project: PROJECT,
          subjectKind: "code",
          digest: version.digest,
          environment: "production",
          identity: await callerOf(store, "rui"),
        },
        { clock: systemClock },
      );
      const done = await run(version, { to: ["staging", "production"] }, { attemptNumber: 2 });
      assert.equal(done.status, "succeeded");
      assert.equal(await answerOf(store, "production"), "one production");
      // The first attempt's deployment to staging was not repeated.
      assert.equal((await store.read((tx) => listDeployments(tx, { project: PROJECT }))).length, 2);
      assert.deepEqual(
        (await store.read((tx) => listEvents(tx, { subjectKind: "release" }))).map(({ type }) => type),
        ["release.created", "release.deployed", "release.created", "release.deployed"],
      );
    },
  );

  it(
    "makes no new release of a version that already runs there in the same way, and one when the way changes or it was rolled back",
    { timeout: 180_000 },
    async () => {
      const { store, code, run, delivery, services } = await open(kind);
      const one = await code("one");
      const releaseOf = (outcome: StepOutcome): unknown =>
        outcome.status === "succeeded" ? outcome.facts?.["staging"] : undefined;
      const first = releaseOf(await run(one, {}, { stepRunId: "first" })) as Record<string, unknown>;
      const history = (): Promise<unknown> =>
        store.read(async (tx) => [
          await listDeployments(tx, { project: PROJECT }),
          await listEvents(tx, { subjectKind: "release" }),
        ]);
      const before = await history();
      assert.deepEqual(releaseOf(await run(one, {}, { stepRunId: "second" })), { ...first, alreadyDeployed: true });
      assert.deepEqual(await history(), before);
      await services.stop({ project: PROJECT, environment: "staging", name: "app" });
      await run(one, {}, { stepRunId: "third" });
      assert.equal(await answerOf(store, "staging"), "one staging");
      await run(one, { env: { LEVEL: "debug" } }, { stepRunId: "fourth" });
      await run(await code("two"), {}, { stepRunId: "fifth" });
      await run(one, {}, { stepRunId: "sixth" });
      assert.equal(await answerOf(store, "staging"), "one staging");
      await delivery.rollback({ project: PROJECT, environment: "staging", asset: "app", actor: "ana" });
      await run(one, {}, { stepRunId: "seventh" });
      assert.equal(await answerOf(store, "staging"), "one staging");
    },
  );

  it("keeps a trial of the same model as it is, and tries a model again whose trial was taken back", async () => {
    const { store, model, run, modelDeployments, trialsEnded } = await open(kind);
    const plain = { to: "staging", health: undefined, health_timeout: undefined } as const;
    await run(await model("v1"), plain, { stepRunId: "a" });
    const second = await model("v2");
    const trial = { ...plain, strategy: { canary: "10%" } };
    await run(second, trial, { stepRunId: "b" });
    await run(second, trial, { stepRunId: "c" });
    assert.equal(modelDeployments.length, 2);
    trialsEnded.add("taken back");
    await run(second, trial, { stepRunId: "d" });
    assert.equal(modelDeployments.length, 3);
    trialsEnded.add(second.id);
    await run(second, trial, { stepRunId: "e" });
    assert.equal(modelDeployments.length, 3);
    assert.equal((await store.read((tx) => listReleases(tx, { project: PROJECT, environment: "staging" }))).length, 3);
  });

  it(
    "keeps what ran when the new release is not healthy, and goes back to an earlier release on demand",
    { timeout: 180_000 },
    async () => {
      const { store, code, run, delivery } = await open(kind);
      await run(await code("one"), {});
      await run(await code("two"), {});
      const broken = await code("broken");
      await assert.rejects(
        run(broken, { health_timeout: "500ms" }),
        (error) => isEsteiraError(error, "EXECUTORS_SERVICE_UNHEALTHY") && /status 500/.test(error.message),
      );
      assert.equal(await answerOf(store, "staging"), "two staging");
      const [failed] = await store.read((tx) => listDeployments(tx, { project: PROJECT, status: "failed" }));
      assert.equal((failed?.error as { code: string } | undefined)?.code, "EXECUTORS_SERVICE_UNHEALTHY");

      const back = await delivery.rollback({
        project: PROJECT,
        environment: "staging",
        asset: "app",
        actor: "ana",
        reason: "too slow",
      });
      assert.deepEqual(
        [back.release.number, back.deployment.reason, back.deployment.comment],
        [1, "rollback", "too slow"],
      );
      const told = await store.read((tx) => listEvents(tx, { subjectKind: "release", newestFirst: true, limit: 1 }));
      assert.deepEqual(
        told.map(({ type, data }) => [type, "comment" in data && data.comment]),
        [["release.rolled_back", "too slow"]],
      );
      assert.equal(await answerOf(store, "staging"), "one staging");
      await assert.rejects(
        delivery.rollback({ project: PROJECT, environment: "staging", asset: "app", actor: "ana" }),
        (error) => isEsteiraError(error, "DELIVERY_RELEASE_MISSING"),
      );
      await delivery.rollback({ project: PROJECT, environment: "staging", asset: "app", to: 2, actor: "ana" });
      assert.equal(await answerOf(store, "staging"), "two staging");
      await assert.rejects(
        delivery.rollback({ project: PROJECT, environment: "staging", asset: "app", to: 3, actor: "ana" }),
        /no other release 3.*releases that ran there: 1/,
      );
      await assert.rejects(
        delivery.rollback({ project: PROJECT, environment: "staging", asset: "ap", actor: "ana" }),
        (error) => isEsteiraError(error, "DELIVERY_NOTHING_DEPLOYED") && error.hint === "Did you mean app?",
      );
      // What was taken back is passed over: the next one goes back to what ran before it.
      await delivery.rollback({ project: PROJECT, environment: "staging", asset: "app", actor: "ana" });
      await run(await code("three"), {});
      const again = await delivery.rollback({ project: PROJECT, environment: "staging", asset: "app", actor: "ana" });
      assert.equal(again.release.number, 1);
      assert.equal(await answerOf(store, "staging"), "one staging");
    },
  );

  it(
    "goes on with the deployment that an earlier attempt began, and ends what was left open before it",
    { timeout: 180_000 },
    async () => {
      const { store, code, run } = await open(kind);
      const statuses = async (): Promise<readonly string[]> =>
        (await store.read((tx) => listDeployments(tx, { project: PROJECT }))).map(({ status }) => status);
      const stopped = (): AbortSignal => AbortSignal.timeout(200);
      await assert.rejects(run(await code("broken"), {}, { stepRunId: "first", signal: stopped() }));
      const slow = await code("slow");
      await assert.rejects(run(slow, {}, { stepRunId: "second", signal: stopped() }));
      assert.deepEqual(await statuses(), ["deploying", "deploying"]);
      await run(slow, {}, { stepRunId: "second", attemptNumber: 2 });
      assert.deepEqual(await statuses(), ["succeeded", "failed"]);
      assert.equal(await answerOf(store, "staging"), "slow staging");
    },
  );

  it(
    "finishes a rollback that a dead process began, and brings back services that are down",
    { timeout: 180_000 },
    async () => {
      const { store, code, run, delivery, services } = await open(kind);
      await run(await code("one"), {});
      await run(await code("two"), {});
      const [, first] = await store.read((tx) => listReleases(tx, { project: PROJECT, environment: "staging" }));
      await store.write((tx) =>
        insertDeployment(tx, {
          id: newId(),
          project: PROJECT,
          environment: "staging",
          asset: "app",
          releaseId: first?.id ?? "",
          reason: "rollback",
          idempotencyKey: "rollback:x",
          stepRunId: undefined,
          actor: "ana",
          startedAtMs: 1,
        }),
      );
      await services.stop({ project: PROJECT, environment: "staging", name: "app" });
      await delivery.recover(PROJECT);
      assert.equal(await answerOf(store, "staging"), "one staging");
      await delivery.remove({ project: PROJECT, environment: "staging", asset: "app", actor: "ana" });
      assert.deepEqual(await store.read((tx) => listDeployed(tx, { project: PROJECT })), []);
      assert.equal(await services.status({ project: PROJECT, environment: "staging", name: "app" }), undefined);
    },
  );

  it("tells who deploys a model without the feature service that it was trained with", async () => {
    const { model, run, logged } = await open(kind);
    const version = await model("one");
    assert.equal((await run(version, { endpoint: "delay" })).status, "succeeded");
    assert.deepEqual(
      logged.filter((line) => line.includes("feature")),
      [
        "delay was trained on day:trips, and this step names no feature service (features: …): whoever asks the endpoint has to send them",
      ],
    );
    logged.length = 0;
    await run(version, { endpoint: "delay", features: "days" }, { stepRunId: "s2" });
    assert.ok(!logged.some((line) => line.includes("no feature service")));
  });

  it("moves champion and previous with a model's deployment to production, and back with its rollback", async () => {
    const { store, model, run, delivery, modelDeployments } = await open(kind);
    const aliases = async (): Promise<object> =>
      Object.fromEntries(
        (await store.read((tx) => getRegisteredModel(tx, "delay"))).aliases.map(({ alias, version }) => [
          alias,
          version,
        ]),
      );
    const deploy = async (version: AssetVersion): Promise<void> => {
      await approve(
        store,
        { project: PROJECT, subjectKind: "model", digest: version.digest, identity: await callerOf(store, "rui") },
        { clock: systemClock },
      );
      assert.equal(
        (await run(version, { to: ["staging", "production"], health: undefined, health_timeout: undefined })).status,
        "succeeded",
      );
    };
    await deploy(await model("v1"));
    assert.deepEqual(await aliases(), { champion: 1 });
    await deploy(await model("v2"));
    assert.deepEqual(await aliases(), { champion: 2, previous: 1 });
    await delivery.rollback({ project: PROJECT, environment: "production", asset: "delay", actor: "ana" });
    assert.deepEqual(await aliases(), { champion: 1, previous: 2 });
    assert.deepEqual(
      modelDeployments.map(({ environment, version }) => `${environment} ${version.version}`),
      ["staging 1", "production 1", "staging 2", "production 2", "production 1"],
    );
    assert.deepEqual(
      (await store.read((tx) => listReleases(tx, { project: PROJECT, environment: "production" }))).map(
        ({ number }) => number,
      ),
      [2, 1],
    );
  });

  it(
    "takes code and model of an environment back together, to the state before what came last or a given one",
    { timeout: 180_000 },
    async () => {
      const { store, code, model, run, delivery } = await open(kind);
      const scope = { project: PROJECT, environment: "staging" };
      const live = async (): Promise<object> => {
        const deployed = await store.read((tx) => listDeployed(tx, scope));
        const versions = await Promise.all(
          deployed.map(({ versionId }) => store.read((tx) => getAssetVersion(tx, { id: versionId }))),
        );
        return Object.fromEntries(versions.map((version) => [version?.asset, version?.version]));
      };
      const plain = { health: undefined, health_timeout: undefined };
      await assert.rejects(delivery.planTogether(scope), (error) =>
        isEsteiraError(error, "DELIVERY_ENVIRONMENT_EMPTY"),
      );
      await run(await code("one"), {}, { stepRunId: "a1" });
      assert.deepEqual((await delivery.planTogether(scope)).changes, []);
      await run(await model("v1"), plain, { stepRunId: "m1" });
      const [first] = await store.read((tx) => listReleases(tx, { ...scope, asset: "delay" }));
      await run(await code("two"), {}, { stepRunId: "a2" });
      await run(await model("v2"), plain, { stepRunId: "m2" });
      const [second] = await store.read((tx) => listReleases(tx, { ...scope, asset: "app" }));

      // What no step run of one pipeline run binds is a change of its own.
      const last = await delivery.planTogether(scope);
      assert.deepEqual(
        last.changes.map(({ from, to }) => `${to.asset} ${from.number} ${to.number}`),
        ["delay 4 2"],
      );
      assert.deepEqual(
        last.stays.map(({ release, isNew }) => [release.asset, isNew]),
        [["app", false]],
      );
      await assert.rejects(
        delivery
          .rollbackTogether({ ...scope, to: second?.id, actor: "ana" })
          .then(() => delivery.rollbackTogether({ ...scope, to: second?.id, actor: "ana" })),
        (error) => isEsteiraError(error, "DELIVERY_STATE_MISSING"),
      );
      assert.deepEqual(await live(), { app: 2, delay: 1 });
      await run(await model("v2"), plain, { stepRunId: "m3" });
      assert.deepEqual(await live(), { app: 2, delay: 2 });
      const startedMs = performance.now();
      await delivery.rollbackTogether({ ...scope, to: first?.id, actor: "ana", reason: "too slow" });
      assert.ok(performance.now() - startedMs < 10_000);
      assert.deepEqual(
        (await store.read((tx) => listDeployments(tx, { ...scope, limit: 2 }))).map(({ comment }) => comment),
        ["too slow", "too slow"],
      );
      assert.deepEqual(await live(), { app: 1, delay: 1 });
      assert.equal(await answerOf(store, "staging"), "one staging");
      for (const to of ["2020-01-01T00:00:00Z", "01JXAMPLE", "2026-99-99T00:00:00Z"])
        await assert.rejects(delivery.rollbackTogether({ ...scope, to, actor: "ana" }), (error) =>
          isEsteiraError(error, "DELIVERY_STATE_MISSING"),
        );
    },
  );

  it("leaves everything as it runs when one of what goes back does not come up", { timeout: 180_000 }, async () => {
    const { store, code, model, run, delivery, modelDeployments, refused } = await open(kind);
    const scope = { project: PROJECT, environment: "staging" };
    const plain = { health: undefined, health_timeout: undefined };
    await run(await code("one"), {}, { stepRunId: "a1" });
    const old = await model("v1");
    await run(old, plain, { stepRunId: "m1" });
    const [first] = await store.read((tx) => listReleases(tx, { ...scope, asset: "delay" }));
    await run(await code("two"), {}, { stepRunId: "a2" });
    await run(await model("v2"), plain, { stepRunId: "m2" });
    refused.add(old.id);
    await assert.rejects(
      delivery.rollbackTogether({ ...scope, to: first?.id, actor: "ana" }),
      (error) =>
        isEsteiraError(error, "DELIVERY_ROLLBACK_UNDONE") &&
        /delay does not come up.*runs as before/.test(error.message),
    );
    assert.equal(await answerOf(store, "staging"), "two staging");
    assert.deepEqual(
      modelDeployments.map(({ version }) => version.version),
      [1, 2],
    );
    const numbers = (await store.read((tx) => listDeployed(tx, scope))).map(({ asset, versionId }) => [
      asset,
      versionId,
    ]);
    const releases = await store.read((tx) => listReleases(tx, scope));
    for (const [asset, versionId] of numbers)
      assert.equal(releases.find((release) => release.asset === asset)?.versionId, versionId);
  });

  it("makes a model champion only when its trial has ended and it answers", async () => {
    const { store, model, run, delivery, trialsEnded } = await open(kind);
    const champion = async (): Promise<number | undefined> =>
      (await store.read((tx) => getRegisteredModel(tx, "delay"))).aliases.find(({ alias }) => alias === "champion")
        ?.version;
    for (const [text, strategy] of [
      ["v1", undefined],
      ["v2", { canary: "10%" }],
    ] as const) {
      const version = await model(text);
      await approve(
        store,
        { project: PROJECT, subjectKind: "model", digest: version.digest, identity: await callerOf(store, "rui") },
        { clock: systemClock },
      );
      await run(version, { to: "production", strategy, health: undefined, health_timeout: undefined });
      assert.equal(await champion(), 1);
      if (strategy === undefined) continue;
      assert.equal(await delivery.settle(PROJECT), 0);
      trialsEnded.add(version.id);
      assert.deepEqual([await delivery.settle(PROJECT), await delivery.settle(PROJECT), await champion()], [1, 0, 2]);
    }
  });

  it("refuses a version that a reviewer refused, at once", async () => {
    const { store, model, run } = await open(kind);
    const version = await model("v1");
    await approve(
      store,
      {
        project: PROJECT,
        subjectKind: "model",
        digest: version.digest,
        decision: "refused",
        comment: "biased",
        identity: await callerOf(store, "rui"),
      },
      { clock: systemClock },
    );
    await assert.rejects(
      run(version, { to: "production" }),
      (error) =>
        isEsteiraError(error, "DELIVERY_NOT_APPROVED") &&
        /rui refused delay 1 for production: biased/.test(error.message),
    );
  });

  it("names a wrong environment, a wrong asset kind and keys of the other kind before anything runs", async () => {
    const { store, delivery, approvals } = await open(kind);
    const { analyse } = createDeployKind({ store, delivery, approvals });
    const context = {
      project: PROJECT,
      projectFolder: "/",
      step: "web",
      knownAssets: new Map([
        ["app", "code" as const],
        ["raw", "data" as const],
      ]),
      readFile: async () => undefined,
      glob: async () => [],
    };
    const found = await analyse({ deploy: "app", to: ["stagin", "production"], strategy: {} }, context);
    assert.deepEqual(
      found.problems.map(({ path, hint }) => [path, hint]),
      [
        [["to", 0], "Did you mean staging?"],
        [["strategy"], "Remove it."],
      ],
    );
    assert.match(
      (await analyse({ deploy: "raw", to: "staging" }, context)).problems[0]?.message ?? "",
      /only code and models/,
    );
  });
});

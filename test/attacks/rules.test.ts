import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, it } from "node:test";
import { openStorePlatform, type Platform } from "#app";
import { type Clock, digestOf, isEsteiraError, silentLog } from "#base";
import { loadProjectConfig, readSettings } from "#config";
import {
  approve,
  createApprovalCheck,
  createPromotionCheck,
  createRules,
  listPendingApprovals,
  type Rules,
  type WrittenEnvironment,
} from "#governance";
import {
  appendEvent,
  type AssetVersion,
  listEvents,
  type MetadataStore,
  recordAssetVersion,
  type StoreKind,
} from "#metadata-store";
import { getPipelineRun } from "#engine";
import { callApi } from "#server";
import { createPostgresSchema, describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

const PROJECT = "p";
const STRICT = { approvals: 1, bind: "version" } as const;

interface World {
  readonly store: MetadataStore;
  readonly clock: Clock;
  /** A process that reads this file on the store. */
  process(environments: readonly WrittenEnvironment[], project?: string): Promise<Process>;
  approve(actor: string, environment?: string): Promise<number>;
  types(environment?: string): Promise<readonly string[]>;
}

interface Process {
  readonly rules: Rules;
  /** Whether a new version may go there. */
  mayDeploy(environment?: string): Promise<boolean>;
}

async function open(kind: StoreKind): Promise<World> {
  const { store, objects } = await openTestStore(kind);
  let nowMs = Date.parse("2026-06-01");
  const clock: Clock = { now: () => (nowMs += 1), monotonic: () => nowMs };
  let made = 0;
  const version = async (project: string): Promise<AssetVersion> => {
    const facts = {
      asset: "delay",
      kind: "model",
      digest: digestOf(`v${(made += 1)}`),
      inputs: [],
      content: {},
    } as const;
    const all = { ...facts, project, madeAtMs: clock.now(), actor: "ana" };
    return (await store.write((transaction) => recordAssetVersion(transaction, all))).version;
  };
  return {
    store,
    clock,
    async process(environments, project = PROJECT) {
      const rules = createRules({ store, clock, project, environments });
      const { check } = createApprovalCheck({ store, objects, clock, rules });
      await rules.declare("ana");
      return {
        rules,
        async mayDeploy(environment = "production") {
          const ask = { project, environment, deploy: null, requestedBy: "engine", version: await version(project) };
          return (await check({ ...ask, rules: environments.find(({ name }) => name === environment) ?? STRICT })).open;
        },
      };
    },
    async approve(actor, environment = "production") {
      const pending = (await listPendingApprovals(store, { project: PROJECT }, { clock })).filter(
        (each) => each.subjectKind === "rules" && each.environment === environment,
      );
      const identity = { name: actor, kind: "local", roles: [{ project: "*", role: "reviewer" }] } as const;
      for (const { subjectKind, digest } of pending)
        await approve(store, { project: PROJECT, subjectKind, digest, environment, identity }, { clock });
      return pending.length;
    },
    types: async (environment = "production") =>
      (await store.read((tx) => listEvents(tx, { subjectKind: "rules", subject: environment }))).map(
        ({ type }) => type,
      ),
  };
}

const production = (rules: Partial<WrittenEnvironment>): readonly WrittenEnvironment[] => [
  { name: "production", ...STRICT, ...rules },
];

describeStores("the rules of an environment", (kind) => {
  it("are lowered with the quorum of the rule in force, and not before", async () => {
    const world = await open(kind);
    await world.process(production({ approvals: 2 }));
    const { rules, mayDeploy } = await world.process(production({ approvals: 0 }));
    assert.equal(await mayDeploy(), false);
    assert.equal((await rules.inForce("production"))?.approvals, 2);
    await assert.rejects(world.approve("ana"), (error) => isEsteiraError(error, "GOVERNANCE_AUTHOR_CANNOT_APPROVE"));
    await world.approve("rui");
    assert.equal(await mayDeploy(), false, "one of two has agreed");
    assert.deepEqual(await world.types(), ["rules.declared", "rules.lowering_asked"]);
    await world.approve("eva");
    assert.deepEqual(await world.types(), ["rules.declared", "rules.lowering_asked", "rules.lowered"]);
    assert.equal(await mayDeploy(), true);
    // What a process has not read again still holds there.
    assert.equal((await (await world.process(production({ approvals: 1 }))).rules.inForce("production"))?.approvals, 1);
  });

  it("make what waits ask again when they are others", async () => {
    const world = await open(kind);
    const requests = async (): Promise<readonly string[]> =>
      (await listPendingApprovals(world.store, { project: PROJECT }, { clock: world.clock })).map(
        ({ subjectKind, needed }) => `${subjectKind} ${needed}`,
      );
    const before = await world.process(production({ approvals: 1 }));
    assert.equal(await before.mayDeploy(), false);
    assert.deepEqual(await requests(), ["model 1"]);
    const after = await world.process(production({ approvals: 2 }));
    assert.deepEqual(await requests(), [], "one approval would not do any more");
    assert.equal(await after.mayDeploy(), false);
    assert.deepEqual(await requests(), ["model 2"]);
    await world.process(production({ approvals: 0 }));
    await world.approve("rui");
    await world.approve("eva");
    assert.deepEqual(await requests(), [], "none is asked for any more");
  });

  it("are raised at once", async () => {
    const world = await open(kind);
    const first = await world.process(production({ approvals: 0 }));
    assert.equal(await first.mayDeploy(), true);
    await world.process(production({ approvals: 1 }));
    assert.equal(await first.mayDeploy(), false, "also for a process that was there before");
    assert.deepEqual(await world.types(), ["rules.declared", "rules.raised"]);
  });

  const WEAKER: Readonly<Record<string, readonly [Partial<WrittenEnvironment>, Partial<WrittenEnvironment>]>> = {
    "a weaker binding": [{}, { bind: "recipe" }],
    "no signatures": [{ signed: true }, {}],
    "no sandbox": [{ sandbox: true }, {}],
    "other reviewers": [{ reviewers: ["rui"] }, { reviewers: ["eva"] }],
    "any reviewer": [{ reviewers: ["rui"] }, {}],
    "a shorter freeze": [
      { freeze: [{ from: "2026-05-01T00:00:00.000Z", to: "2026-07-01T00:00:00.000Z" }] },
      { freeze: [{ from: "2026-05-01T00:00:00.000Z", to: "2026-05-02T00:00:00.000Z" }] },
    ],
    "no freeze": [{ freeze: [{ from: "2026-05-01T00:00:00.000Z", to: "2026-07-01T00:00:00.000Z" }] }, {}],
    "a free alias": [{ aliases: ["champion"] }, { aliases: [] }],
  };
  for (const [what, [strict, weak]] of Object.entries(WEAKER))
    it(`stay while nobody agreed to ${what}`, async () => {
      const world = await open(kind);
      const before = await (await world.process(production(strict))).rules.inForce("production");
      const { rules } = await world.process(production(weak));
      const kept = await rules.inForce("production");
      const [rule] = Object.keys({ ...strict, ...weak });
      assert.deepEqual(kept?.[rule as keyof typeof kept], before?.[rule as keyof typeof kept]);
      if (strict.signed === true) await assert.rejects(world.approve("rui"), { code: "GOVERNANCE_SIGNATURE_NEEDED" });
      else assert.equal(await world.approve("rui"), 1);
    });

  it("let nothing new through in a freeze, and what ran before come back", async () => {
    const world = await open(kind);
    const freeze = [{ from: "2026-05-01T00:00:00.000Z", to: "2026-07-01T00:00:00.000Z", reason: "audit" }];
    const { mayDeploy } = await world.process(production({ approvals: 0, freeze }));
    assert.equal(await mayDeploy(), false);
  });

  it("are not left by another name, nor by leaving and coming back", async () => {
    const world = await open(kind);
    await world.process(production({}));
    const renamed = await world.process([{ name: "prod", approvals: 0, bind: "recipe" }]);
    assert.equal(await renamed.mayDeploy("prod"), false);
    assert.equal((await renamed.rules.inForce("prod"))?.bind, "version");
    await world.process([]);
    const back = await world.process(production({ approvals: 0 }));
    assert.equal(await back.mayDeploy(), false);
  });

  it("hold for another project on the same store, and for another file of the same one", async () => {
    const world = await open(kind);
    await world.process(production({}));
    const other = await world.process(production({ approvals: 0 }), "q");
    assert.equal(await other.mayDeploy(), false);
    const protects = await world.store.read((tx) => createPromotionCheck().protects(tx, "champion"));
    assert.equal(protects, false);
    await world.process(production({ aliases: ["champion"] }));
    assert.equal(await world.store.read((tx) => createPromotionCheck().protects(tx, "champion")), true);
  });

  it("are not lowered by an event that nobody agreed to, nor by an approval of another change", async () => {
    const world = await open(kind);
    const { rules } = await world.process(production({}));
    const from = await rules.inForce("production");
    assert.ok(from !== undefined);
    await world.process(production({ bind: "recipe" }));
    await world.process(production({ approvals: 0 }));
    const events = await world.store.read((tx) => listEvents(tx, { subjectKind: "rules", subject: "production" }));
    const asked = events.flatMap((event) => (event.type === "rules.lowering_asked" ? [event] : []));
    assert.equal(asked.length, 2);
    const forge = (change: string): Promise<void> =>
      world.store.write((tx) =>
        appendEvent(tx, {
          atMs: world.clock.now(),
          project: PROJECT,
          type: "rules.lowered",
          subjectKind: "rules",
          subject: "production",
          actor: "mallory",
          data: {
            rules: { ...from, approvals: 0 },
            digest: asked[1]?.data.digest ?? "",
            from: asked[1]?.data.from ?? "",
            change,
            approvedBy: ["rui"],
          },
        }),
      );
    await forge(asked[1]?.data.change ?? "");
    assert.equal((await rules.inForce("production"))?.approvals, 1);
    const first = asked[0]?.data.change;
    const identity = { name: "rui", kind: "local", roles: [] } as const;
    // The request of the first change was closed by the second: its digest is no longer asked for.
    await assert.rejects(
      approve(
        world.store,
        { project: PROJECT, subjectKind: "rules", digest: digestOf(first ?? ""), environment: "production", identity },
        { clock: world.clock },
      ),
      (error) => isEsteiraError(error, "GOVERNANCE_SUBJECT_UNKNOWN"),
    );
  });

  it("stay as they were when the change is refused", async () => {
    const world = await open(kind);
    await world.process(production({}));
    await world.process(production({ approvals: 0 }));
    const [asked] = await listPendingApprovals(world.store, { project: PROJECT }, { clock: world.clock });
    const identity = { name: "rui", kind: "local", roles: [] } as const;
    const decision = { project: PROJECT, subjectKind: "rules", environment: "production", identity } as const;
    assert.ok(asked !== undefined);
    await approve(world.store, { ...decision, digest: asked.digest, decision: "refused" }, { clock: world.clock });
    const again = await world.process(production({ approvals: 0 }));
    assert.equal(await again.mayDeploy(), false);
    assert.equal(await world.approve("eva"), 0, "nothing waits any more");
  });

  it("are those in force in a project whose file was edited", async () => {
    const folder = await temporaryFolder();
    const metadata = kind === "postgres" ? `store: { metadata: "${await createPostgresSchema()}" }\n` : "";
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    };
    const run = async (
      environments: string,
      params: Readonly<Record<string, unknown>> = {},
    ): Promise<{ readonly status: string | undefined; readonly platform: Platform }> => {
      await write("esteira.yaml", `name: p\n${metadata}environments: ${environments}\n`);
      const opened = await openStorePlatform({
        config: await loadProjectConfig(folder),
        isProject: true,
        settings: readSettings({ PATH: process.env["PATH"] ?? "", HOME: folder }),
        log: silentLog,
      });
      after(() => opened.close());
      const platform = await opened.whole();
      opened.setUrl("http://127.0.0.1:1");
      await platform.registerProject("ana");
      const id = await platform.engine.submit({ pipeline: "app", actor: "ana", params });
      await platform.engine.runToEnd(id, undefined, { untilWaiting: true });
      const { stepRuns } = await getPipelineRun(platform.store, id);
      return { status: stepRuns.find(({ step }) => step === "live")?.status, platform };
    };
    const deployTo = (environment: string): Promise<void> =>
      write(
        "pipelines/app.yaml",
        `params: { to: ${environment} }
steps:
  app: { run: "mkdir -p dist && echo 1 > dist/a.txt", makes: { code: dist/ } }
  live: { deploy: app, to: "\${{ params.to }}", start: "false" }
`,
      );
    await deployTo("production");
    assert.equal((await run("{ production: { approvals: 1 } }")).status, "waiting");
    assert.equal((await run("{ production: { approvals: 0 } }")).status, "waiting");
    await deployTo("prod");
    assert.equal((await run("{ prod: {} }")).status, "waiting");
    await deployTo("staging");
    const { status, platform } = await run("{ staging: {}, production: {} }", { to: "production" });
    assert.equal(status, "waiting");
    const identity = { name: "rui", kind: "local", roles: [{ project: "*", role: "reviewer" }] } as const;
    const call = { identity, signal: new AbortController().signal };
    const shown = await callApi(platform, "getEnvironmentRules", { ...call, params: { name: "production" } });
    assert.deepEqual(
      shown.lowered.map(({ rule, before, after: now }) => [rule, before, now]),
      [["approvals", "1", "0"]],
    );
    assert.deepEqual(
      shown.history.map(({ change }) => change),
      ["declared"],
    );
  });
});

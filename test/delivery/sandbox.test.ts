// What works for an environment with `sandbox: true` runs in a sandbox, or not at all.
import assert from "node:assert/strict";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { digestOf, isEsteiraError, newId, silentLog, systemClock } from "#base";
import { createDelivery, isolationOfPipeline, type Delivery } from "#delivery";
import { createIsolation, createLocalExecutor, createSandbox, createServices, type Services } from "#executors";
import { createApprovalCheck } from "#governance";
import { type AssetVersion, recordAssetVersion, type StoreKind } from "#metadata-store";
import { digestOfTree, putTree } from "#storage";
import { getPipelineRun } from "#engine";
import type { StepKind } from "#pipeline";
import { createTestProject, type TestProject, testPorts } from "../setup/engine.ts";
import { runEsteira } from "../setup/command-line.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

const ENVIRONMENTS = [
  { name: "staging", approvals: 0, bind: "version" as const },
  { name: "production", approvals: 0, bind: "version" as const, sandbox: true },
];
const SERVER = `
const { writeFileSync } = require("node:fs");
writeFileSync("inside", "in");
try { writeFileSync(process.env.OUTSIDE, "out"); } catch {}
require("node:http").createServer((request, response) => response.end("up")).listen(process.env.PORT, process.env.HOST);
`;
const NOWHERE = createSandbox("/nowhere");

const deployKind = {
  analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], problems: [] }),
  execute: () => Promise.resolve({ status: "succeeded", made: [] }),
};

const NO_SANDBOX = "no sandbox on this machine: apt-get install bubblewrap";

/** Where `npm test` may install one (as root), there has to be one. */
async function hasSandbox(): Promise<boolean> {
  const found = await createSandbox()
    .assertAvailable("this test")
    .then(
      () => true,
      () => false,
    );
  assert.ok(found || process.getuid?.() !== 0, NO_SANDBOX);
  return found;
}

/**
 * A project whose pipeline `release` deploys to production and `trial` to staging; both write beside the project first.
 */
async function open(
  kind: StoreKind,
  sandbox = createSandbox(),
  exempt = false,
): Promise<TestProject & { run(pipeline: string): ReturnType<typeof getPipelineRun> }> {
  const pipeline = (to: string): string =>
    `steps:\n  build: { run: 'echo in > inside; echo out > ../outside-${to} || true' }\n  ship: { deploy: build, to: ${to}, needs: build }\n`;
  const { z } = await import("zod");
  const schema = z.strictObject({ deploy: z.string(), to: z.string() });
  const project = await createTestProject(
    kind,
    { "pipelines/release.yaml": pipeline("production"), "pipelines/trial.yaml": pipeline("staging") },
    [{ name: "deploy", load: "code", schema, describe: () => "deploy", ...deployKind } as unknown as StepKind<never>],
  );
  await project.register();
  const executor = createLocalExecutor({
    workFolder: join(project.folder, "work"),
    storeFolder: project.folder,
    sandbox,
  });
  const engine = project.engine({
    executors: [executor],
    ports: {
      ...testPorts,
      isolationOf: (definition) => ({ ...isolationOfPipeline(definition, ENVIRONMENTS), exempt }),
    },
  });
  await engine.start();
  return {
    ...project,
    run: async (name) => {
      const id = await engine.submit({ pipeline: name, actor: "ana" });
      await engine.runToEnd(id);
      return getPipelineRun(project.store, id);
    },
  };
}

interface Deploying {
  readonly delivery: Delivery;
  readonly version: AssetVersion;
  readonly outside: string;
  deployTo(environment: string): ReturnType<Delivery["deploy"]>;
}

async function openDelivery(kind: StoreKind, sandbox = createSandbox(), made?: string): Promise<Deploying> {
  const opened: Services[] = [];
  // Hooks run in the order they are given: services end before their folder goes.
  after(async () => {
    for (const services of opened)
      for (const { name } of ENVIRONMENTS) await services.stop({ project: "p", environment: name, name: "app" });
  });
  const { store, objects, folder } = await openTestStore(kind);
  const services = createServices({ folder: join(folder, "services"), isolation: createIsolation({ sandbox }) });
  opened.push(services);
  const refused = (): never => assert.fail("no model is deployed here");
  const delivery = createDelivery({
    approvals: createApprovalCheck({ store, objects, clock: systemClock }),
    store,
    objects,
    services,
    models: { deploy: refused, current: refused, remove: refused },
    environments: ENVIRONMENTS,
    folder: join(folder, "releases"),
    searchPath: "/usr/bin:/bin",
    clock: systemClock,
    log: silentLog,
  });
  await mkdir(join(folder, "tree"));
  await writeFile(join(folder, "tree", "server.cjs"), SERVER);
  const tree = await putTree(objects, join(folder, "tree"));
  const { version } = await store.write((tx) =>
    recordAssetVersion(tx, {
      project: "p",
      asset: "app",
      kind: "code",
      digest: digestOfTree(tree),
      madeAtMs: 1,
      actor: "ana",
      content: { ...tree, ...(made === undefined ? {} : { isolation: made }) },
      inputs: [],
    }),
  );
  const outside = join(folder, "outside");
  return {
    delivery,
    version,
    outside,
    deployTo: (environment) =>
      delivery.deploy(
        {
          project: "p",
          environment,
          version,
          settings: { target: "process", start: "exec node server.cjs", environment: { OUTSIDE: outside } },
          actor: "ana",
          idempotencyKey: digestOf(newId()),
        },
        { signal: new AbortController().signal, log: () => {} },
      ),
  };
}

describeStores("environments that require a sandbox", (kind) => {
  it(
    "refuse the steps of a pipeline that deploys to them where there is none, and say what is missing",
    { timeout: 180_000 },
    async () => {
      const { run, projectFolder } = await open(kind, NOWHERE);
      const { stepRuns } = await run("release");
      const build = stepRuns.find(({ step }) => step === "build");
      assert.equal(build?.status, "failed");
      const error = JSON.stringify(build);
      assert.match(error, /EXECUTORS_SANDBOX_UNAVAILABLE/);
      assert.match(error, /required by environment \\"production\\".*bubblewrap \(bwrap\) is not installed/);
      assert.match(error, /apt-get install bubblewrap/);
      await assert.rejects(access(join(projectFolder, "inside")));
      assert.equal((await run("trial")).run.status, "succeeded", "another environment does not ask for one");
    },
  );

  it(
    "let steps write only in the project where there is one, as every step does that is not exempt",
    { timeout: 180_000 },
    async (test) => {
      if (!(await hasSandbox())) return test.skip(NO_SANDBOX);
      const { run, projectFolder } = await open(kind);
      assert.equal((await run("release")).run.status, "succeeded");
      assert.equal(await readFile(join(projectFolder, "inside"), "utf8"), "in\n");
      await assert.rejects(access(join(projectFolder, "../outside-production")));
      assert.equal((await run("trial")).run.status, "succeeded");
      await assert.rejects(access(join(projectFolder, "../outside-staging")));
    },
  );

  it("count for more than an exemption", { timeout: 180_000 }, async (test) => {
    if (!(await hasSandbox())) return test.skip(NO_SANDBOX);
    const { run, projectFolder } = await open(kind, createSandbox(), true);
    assert.equal((await run("release")).run.status, "succeeded");
    await assert.rejects(access(join(projectFolder, "../outside-production")));
    assert.equal((await run("trial")).run.status, "succeeded");
    await access(join(projectFolder, "../outside-staging"));
  });

  it("refuse a release where there is none", { timeout: 180_000 }, async () => {
    const { deployTo } = await openDelivery(kind, NOWHERE, "sandbox");
    await assert.rejects(
      deployTo("production"),
      (error) =>
        isEsteiraError(error, "EXECUTORS_SANDBOX_UNAVAILABLE") && /environment "production"/.test(error.message),
    );
    assert.equal((await deployTo("staging")).deployment.status, "succeeded");
  });

  it("refuse what was made with less, or does not say with what", { timeout: 180_000 }, async () => {
    for (const made of ["none", "user", undefined]) {
      const { deployTo } = await openDelivery(kind, createSandbox(), made);
      await assert.rejects(
        deployTo("production"),
        (error) =>
          isEsteiraError(error, "DELIVERY_ISOLATION_TOO_WEAK") && error.message.includes(made ?? "does not say how"),
      );
      assert.equal((await deployTo("staging")).deployment.status, "succeeded");
    }
  });

  it("let a release write only in its own folder", { timeout: 180_000 }, async (test) => {
    if (!(await hasSandbox())) return test.skip(NO_SANDBOX);
    const { deployTo, outside } = await openDelivery(kind, createSandbox(), "sandbox");
    const { state } = await deployTo("production");
    assert.equal(await (await fetch(state.address)).text(), "up");
    await assert.rejects(access(outside));
  });
});

it("a step whose environment is known only when it runs counts as one that deploys to all", () => {
  const pipeline = (to: string): never =>
    ({ steps: [{ kind: "deploy", declaration: { deploy: "app", to } }] }) as never;
  assert.equal(isolationOfPipeline(pipeline("staging"), ENVIRONMENTS), undefined);
  assert.equal(isolationOfPipeline(pipeline("production"), ENVIRONMENTS)?.requiredBy, 'environment "production"');
  assert.equal(isolationOfPipeline(pipeline("${{ params.to }}"), ENVIRONMENTS)?.requiredBy, 'environment "production"');
});

it("the setting in esteira.yaml reaches the processes that a command starts", { timeout: 180_000 }, async () => {
  const outer = await temporaryFolder();
  const folder = join(outer, "project");
  await mkdir(join(folder, "pipelines"), { recursive: true });
  await writeFile(join(folder, "esteira.yaml"), "name: p\nenvironments: { production: { sandbox: true } }\n");
  await writeFile(
    join(folder, "pipelines/release.yaml"),
    `steps:\n  app: { run: 'mkdir -p dist; echo in > dist/inside; echo out > ${outer}/outside || true', makes: { code: dist } }\n  live: { deploy: app, to: production }\n`,
  );
  const { code, stdout, stderr } = await runEsteira(folder, ["run", "release", "--only", "app"], {
    ESTEIRA_LANG: "en",
  });
  await assert.rejects(access(join(outer, "outside")));
  if (await hasSandbox()) assert.equal(code, 0, stdout + stderr);
  else assert.match(stdout + stderr, /EXECUTORS_SANDBOX_UNAVAILABLE/);
});

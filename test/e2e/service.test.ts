import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isEsteiraError, messageOf, silentLog, systemClock } from "#base";
import {
  createDelivery,
  createDeployKind,
  createPushHandler,
  type Delivery,
  installPushHook,
  type PushHandlerOptions,
  signPush,
} from "#delivery";
import { createGit, createLocalExecutor, createRunKind, createServices, type Services } from "#executors";
import { approve, createApprovalCheck, listPendingApprovals } from "#governance";
import type { MetadataStore, StoreKind } from "#metadata-store";
import { listDeployed, listDeployments } from "#metadata-store/delivery";
import type { PipelineRun } from "#metadata-store/engine";
import { createEngine, type Engine, getPipelineRun, listPipelineRuns } from "#engine";
import type { StepKind } from "#pipeline";
import { callerOf } from "../setup/caller.ts";
import { testPorts } from "../setup/engine.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

const PROJECT = "greeter";
const SECRET = "push secret";
const EXAMPLE = fileURLToPath(new URL("../../examples/service", import.meta.url));
const ENVIRONMENTS = [
  { name: "staging", approvals: 0, bind: "version" as const },
  { name: "production", approvals: 1, bind: "version" as const },
];
const PATH = process.env["PATH"] ?? "/usr/bin:/bin";

interface World {
  readonly store: MetadataStore;
  readonly engine: Engine;
  readonly delivery: Delivery;
  readonly url: string;
  readonly workTree: string;
  git(...args: readonly string[]): Promise<string>;
  push(message: string): Promise<string>;
  greeting(environment: string): Promise<string>;
}

async function open(kind: StoreKind): Promise<World> {
  const opened: Services[] = [];
  const engines: Engine[] = [];
  // Hooks run in the order they are given: engine and services end before their store goes.
  after(async () => {
    for (const engine of engines) await engine.stop();
    for (const services of opened)
      for (const { name } of ENVIRONMENTS) await services.stop({ project: PROJECT, environment: name, name: "app" });
  });
  const { store, objects, folder } = await openTestStore(kind);
  const services = createServices({ folder: join(folder, "services") });
  opened.push(services);
  const models = {
    deploy: () => Promise.reject(new Error("no model is deployed here")),
    current: async () => undefined,
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
    searchPath: PATH,
    clock: systemClock,
    log: silentLog,
  });
  const kinds = [
    createRunKind(),
    createDeployKind({ store, delivery, approvals }),
  ] as unknown as readonly StepKind<never>[];
  const git = createGit({ environment: { PATH } });
  const engine = createEngine({
    store,
    objects,
    project: PROJECT,
    projectFolder: EXAMPLE,
    storeFolder: folder,
    kinds,
    storages: [],
    executors: [createLocalExecutor({ workFolder: join(folder, "work"), path: PATH })],
    ports: { ...testPorts, commit: (place) => git.readCommit(place) },
  });
  engines.push(engine);
  await engine.start();
  const repository = join(folder, "greeter.git");
  const url = await serve({
    store,
    git,
    project: PROJECT,
    repository,
    mainBranch: "main",
    secret: SECRET,
    folder: join(folder, "checkouts"),
    kinds,
    clock: systemClock,
  });
  const { workTree, run } = await createRepository(repository, url);
  return {
    store,
    engine,
    delivery,
    url,
    workTree,
    git: run,
    async push(message) {
      await run("add", "-A");
      await run("commit", "-qm", message);
      const output = await run("push", "origin", "HEAD:main");
      const [, id] = /pipeline run ([0-9A-Z]{26})/.exec(output) ?? [];
      assert.ok(id !== undefined, output);
      return id;
    },
    async greeting(environment) {
      const [deployed] = await store.read((tx) => listDeployed(tx, { project: PROJECT, environment }));
      const deployments = await store.read((tx) => listDeployments(tx, { project: PROJECT, environment }));
      const target = deployments.find(({ id }) => id === deployed?.deploymentId)?.target as
        | { readonly address: string }
        | undefined;
      return ((await (await fetch(`${target?.address}/?name=Ana`)).json()) as { message: string }).message;
    },
  };
}

/** The push handler behind a real port, as a server mounts it. */
async function serve(options: PushHandlerOptions): Promise<string> {
  const handle = createPushHandler(options);
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      handle({ headers: request.headers as Record<string, string>, body: Buffer.concat(chunks) }).then(
        ({ status, json }) => response.writeHead(status).end(JSON.stringify(json)),
        (error: unknown) =>
          response
            .writeHead(isEsteiraError(error) ? error.status : 500)
            .end(JSON.stringify(isEsteiraError(error) ? error : { message: messageOf(error) })),
      );
    });
  });
  after(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/push`;
}

async function createRepository(
  repository: string,
  url: string,
): Promise<{ readonly workTree: string; readonly run: World["git"] }> {
  const workTree = join(await temporaryFolder(), "greeter");
  await mkdir(workTree);
  await cp(EXAMPLE, workTree, { recursive: true, filter: (path) => !/\/(dist|\.esteira|junit[^/]*\.xml)$/.test(path) });
  await writeFile(join(workTree, ".gitignore"), "dist/\njunit*.xml\n");
  const run = async (...args: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await promisify(execFile)("git", args, {
      cwd: workTree,
      env: { PATH, HOME: workTree, GIT_CONFIG_NOSYSTEM: "1", ESTEIRA_PUSHER: "ana" },
    });
    return stdout + stderr;
  };
  await run("init", "--quiet", "--bare", repository);
  await installPushHook(repository, url, SECRET);
  await run("init", "--quiet", "--initial-branch=main");
  await run("config", "user.name", "Ana");
  await run("config", "user.email", "ana@example.org");
  await run("remote", "add", "origin", repository);
  return { workTree, run };
}

async function waitFor(world: World, id: string): Promise<PipelineRun> {
  return world.engine.runToEnd(id, undefined, { untilWaiting: true });
}

/** The one who did not push approves what waits. */
async function approvePending({ store }: World): Promise<void> {
  for (const { digest, environment, subjectKind } of await listPendingApprovals(
    store,
    { project: PROJECT },
    { clock: systemClock },
  )) {
    await assert.rejects(
      approve(
        store,
        { project: PROJECT, subjectKind, digest, environment, identity: await callerOf(store, "ana") },
        { clock: systemClock },
      ),
      (error) => isEsteiraError(error, "GOVERNANCE_AUTHOR_CANNOT_APPROVE"),
    );
    await approve(
      store,
      { project: PROJECT, subjectKind, digest, environment, identity: await callerOf(store, "rui") },
      { clock: systemClock },
    );
  }
}

describeStores("a pushed service", (kind) => {
  it(
    "is tested, built and deployed; a broken commit leaves the old release; rollback goes back",
    { timeout: 300_000 },
    async () => {
      const world = await open(kind);
      const first = await world.push("First version");
      assert.equal((await waitFor(world, first)).status, "waiting");
      assert.equal(await world.greeting("staging"), "Hello, Ana!");
      await approvePending(world);
      assert.equal((await world.engine.runToEnd(first)).status, "succeeded");
      assert.equal(await world.greeting("production"), "Hello, Ana!");

      const commit = (await world.git("rev-parse", "HEAD")).trim();
      const detail = await getPipelineRun(world.store, first);
      assert.ok(JSON.stringify(detail).includes(commit), "the pipeline run names the pushed commit");

      await writeFile(
        join(world.workTree, "src", "greeting.mjs"),
        (await readFile(join(world.workTree, "src", "greeting.mjs"), "utf8")).replace('"Hello"', '"Welcome"'),
      );
      const second = await world.push("Say welcome");
      await waitFor(world, second);
      await approvePending(world);
      assert.equal((await world.engine.runToEnd(second)).status, "succeeded");
      assert.deepEqual(
        [await world.greeting("staging"), await world.greeting("production")],
        ["Welcome, Ana!", "Welcome, Ana!"],
      );

      await writeFile(
        join(world.workTree, "src", "health.mjs"),
        'export function isHealthy() {\n  throw new Error("the database is gone");\n}\n',
      );
      const broken = await world.engine.runToEnd(await world.push("Break the health check"));
      assert.equal(broken.status, "failed");
      const [failed] = await world.store.read((tx) =>
        listDeployments(tx, { project: PROJECT, environment: "staging", status: "failed" }),
      );
      assert.match(JSON.stringify(failed?.error), /the database is gone/);
      assert.equal(await world.greeting("staging"), "Welcome, Ana!");

      await world.delivery.rollback({ project: PROJECT, environment: "production", asset: "app", actor: "rui" });
      assert.equal(await world.greeting("production"), "Hello, Ana!");

      await writeFile(join(world.workTree, "src", "greeting.mjs"), "export const greet = () => 'wrong';\n");
      assert.equal((await world.engine.runToEnd(await world.push("Break a test"))).status, "failed");
      assert.equal(await world.greeting("staging"), "Welcome, Ana!");
    },
  );

  it(
    "is not started by an unsigned push event, nor twice by the same one, nor by a mistake in its pipeline",
    { timeout: 180_000 },
    async () => {
      const world = await open(kind);
      const unsigned = await fetch(world.url, { method: "POST", body: "{}" });
      assert.deepEqual(
        [unsigned.status, ((await unsigned.json()) as { code: string }).code],
        [401, "DELIVERY_PUSH_UNSIGNED"],
      );
      const forged = await fetch(world.url, {
        method: "POST",
        body: "{}",
        headers: { "x-hub-signature-256": `sha256=${"0".repeat(64)}` },
      });
      assert.equal(forged.status, 401);

      const pipeline = join(world.workTree, "pipelines", "web.yaml");
      const text = await readFile(pipeline, "utf8");
      await writeFile(pipeline, text.replace("deploy: app", "deploy: ap"));
      await world.git("add", "-A");
      await world.git("commit", "-qm", "Misspell the asset");
      const output = await world.git("push", "origin", "HEAD:main");
      assert.match(output, /pipelines\/web\.yaml:\d+:\d+/);
      assert.equal((await listPipelineRuns(world.store, { project: PROJECT })).length, 0);

      await writeFile(pipeline, text);
      const id = await world.push("Spell it right");
      const commit = (await world.git("rev-parse", "HEAD")).trim();
      const before = (await world.git("rev-parse", "HEAD~1")).trim();
      const body = JSON.stringify({ ref: "refs/heads/main", before, after: commit, pusher: { name: "ana" } });
      const headers = {
        "x-github-event": "push",
        "x-github-delivery": `refs/heads/main ${before} ${commit}`,
        "x-hub-signature-256": signPush(body, SECRET),
      };
      assert.deepEqual(await (await fetch(world.url, { method: "POST", body, headers })).json(), {
        commit,
        pipelineRuns: [id],
      });
      assert.equal((await listPipelineRuns(world.store, { project: PROJECT })).length, 1);
      await world.engine.cancel(id, "ana");
      await world.engine.runToEnd(id);
    },
  );
});

it("the example's folder is committed without what esteira and the build leave in it", async () => {
  const folder = join(await temporaryFolder(), "service");
  await cp(EXAMPLE, folder, { recursive: true });
  for (const left of [".esteira/metadata.sqlite", "dist/server.mjs", "junit-server.xml"]) {
    await mkdir(join(folder, left, ".."), { recursive: true });
    await writeFile(join(folder, left), "left");
  }
  const git = async (...words: readonly string[]): Promise<string> =>
    (await promisify(execFile)("git", ["-C", folder, ...words])).stdout;
  await git("init", "-q", ".");
  await git("add", ".");
  assert.doesNotMatch(await git("ls-files"), /\.esteira|dist|junit/);
  // The steps of its README, in the order in which they work.
  assert.match(
    await readFile(join(folder, "README.md"), "utf8"),
    /git remote add origin.*esteira hook install.*esteira up.*git push/s,
  );
});

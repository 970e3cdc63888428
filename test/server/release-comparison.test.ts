// What differs between two releases, down to files, metrics and parts of the recipe.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { Page, Release, ReleaseComparison } from "#api";
import { canonicalJson, type Digest, digestOf, newId } from "#base";
import { recordAssetVersion } from "#metadata-store";
import { endDeployment, insertDeployment, insertRelease, setDeployed } from "#metadata-store/delivery";
import { insertPipelineRun } from "#metadata-store/engine";
import { recordVerdict } from "#metadata-store/governance";
import { runEsteira } from "../setup/command-line.ts";
import { openTestServer, type OpenedServer } from "../setup/opened-server.ts";
import { createPostgresSchema, describeStores } from "../setup/stores.ts";

const PROJECT = "p";
const UNKNOWN = "0".repeat(40);

interface Made {
  readonly id: string;
  readonly asset: string;
  readonly kind: "code" | "model" | "data";
  readonly digest: Digest;
}

interface World extends OpenedServer {
  readonly commits: readonly [string, string];
  code(files: Readonly<Record<string, string>>, commit: string | undefined): Promise<Made>;
  model(facts: { readonly roc: number; readonly measured: number; readonly depth: number }): Promise<Made>;
  data(text: string): Promise<Made>;
  /** Deploys the first of them. */
  release(environment: string, versions: readonly [Made, ...Made[]], settings?: object): Promise<string>;
  compare(query: string): Promise<ReleaseComparison>;
}

/** A repository of two commits below the project's folder, and `esteira.yaml` in it. */
function commitTwice(folder: string): readonly [string, string] {
  const git = (...words: readonly string[]): string =>
    execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@example", ...words], {
      encoding: "utf8",
    }).trim();
  git("init", "-q");
  git("add", "src");
  git("commit", "-qm", "one");
  const first = git("rev-parse", "HEAD");
  execFileSync("sh", ["-c", "echo two > src/a.mjs; echo new > 'src/ü b.mjs'"], { cwd: folder });
  git("add", "src");
  git("commit", "-qm", "two");
  return [first, git("rev-parse", "HEAD")];
}

async function open(kind: string): Promise<World> {
  const store = kind === "sqlite" ? "" : `store: { metadata: ${JSON.stringify(await createPostgresSchema())} }\n`;
  const opened = await openTestServer({
    yaml: `environments: { staging: {}, production: {}, empty: {} }\n${store}`,
    prepare: async (folder) => {
      await mkdir(join(folder, "src"));
      await writeFile(join(folder, "src/a.mjs"), "one\n");
    },
  });
  const { platform, folder, url } = opened;
  const commits = commitTwice(folder);
  const keep = async (value: object): Promise<Digest> => (await platform.objects.put(canonicalJson(value))).digest;
  const record = async (
    made: Omit<Made, "id">,
    content: object,
    facts: { readonly commit?: string | undefined; readonly measured?: number } = {},
  ): Promise<Made> =>
    platform.store.write(async (transaction) => {
      const runId = newId();
      await insertPipelineRun(transaction, {
        id: runId,
        project: PROJECT,
        pipeline: "web",
        definitionDigest: digestOf("web"),
        params: {},
        selection: {},
        trigger: { kind: "manual" },
        actor: "ana",
        source: facts.commit === undefined ? undefined : { folder: "/nowhere", commit: facts.commit },
        atMs: Date.now(),
        concurrency: undefined,
        steps: [],
      });
      const { version } = await recordAssetVersion(transaction, {
        project: PROJECT,
        ...made,
        madeAtMs: Date.now(),
        actor: "ana",
        pipelineRunId: runId,
        content,
        inputs: [],
      });
      if (facts.measured !== undefined)
        await recordVerdict(transaction, {
          versionId: version.id,
          project: PROJECT,
          passed: true,
          atMs: 1,
          stepRunId: undefined,
          content: { metrics: { accuracy: facts.measured, rows: 10 } },
        });
      return { ...made, id: version.id };
    });
  return {
    ...opened,
    commits,
    code: (files, commit) => {
      const tree = Object.entries(files).map(([path, text]) => ({ path, digest: digestOf(text), sizeBytes: 1 }));
      const content = { format: "tree/1", files: tree };
      return record({ asset: "app", kind: "code", digest: digestOf(canonicalJson(content)) }, content, { commit });
    },
    model: async ({ roc, measured, depth }) => {
      const step = await keep({
        format: "step-recipe/1",
        kind: "python",
        declaration: { python: "train.py" },
        params: { depth },
        env: {},
        files: { "train.py": digestOf("train") },
        code: null,
      });
      const recipe = await keep({
        format: "recipe/1",
        steps: { delay: [step] },
        environments: {},
        versions: {},
      });
      const content = {
        format: "model/1",
        tree: { format: "tree/1", files: [{ path: "model.onnx", digest: digestOf(String(depth)), sizeBytes: 1 }] },
        model: {},
        record: { metrics: { roc_auc: roc, log_loss: 0.5, odd: "NaN" } },
        recipe,
      };
      return record({ asset: "delay", kind: "model", digest: digestOf(canonicalJson(content)) }, content, { measured });
    },
    data: (text) => record({ asset: "flights", kind: "data", digest: digestOf(text) }, {}),
    release: async (environment, versions, settings = {}) => {
      const [{ id: versionId, asset }] = versions;
      return platform.store.write(async (transaction) => {
        const of = { project: PROJECT, environment, asset };
        const atMs = Date.now();
        const release = await insertRelease(transaction, {
          ...of,
          id: newId(),
          versionId,
          createdAtMs: atMs,
          createdBy: "ana",
          settings: { target: "process", environment: {}, ...settings },
          versions: versions.map((version, index) => ({
            versionId: version.id,
            asset: version.asset,
            kind: version.kind,
            digest: version.digest,
            role: index === 0 ? ("deployed" as const) : ("made_from" as const),
          })),
        });
        const deployment = await insertDeployment(transaction, {
          ...of,
          id: newId(),
          releaseId: release.id,
          reason: "deploy",
          idempotencyKey: newId(),
          stepRunId: undefined,
          actor: "ana",
          startedAtMs: atMs,
        });
        await endDeployment(transaction, { id: deployment.id, status: "succeeded", atMs });
        await setDeployed(transaction, {
          ...of,
          deploymentId: deployment.id,
          releaseId: release.id,
          versionId,
          atMs,
        });
        return release.id;
      });
    },
    compare: async (query) => {
      const answer = await fetch(`${url}/api/v1/releases/compare?${query}`);
      assert.equal(answer.status, 200, await answer.clone().text());
      return (await answer.json()) as ReleaseComparison;
    },
  };
}

it("a release that was brought back says why", async () => {
  const { release, code, platform, url } = await open("sqlite");
  const id = await release("staging", [await code({ a: "1" }, undefined)]);
  await platform.store.write((transaction) =>
    insertDeployment(transaction, {
      project: PROJECT,
      environment: "staging",
      asset: "app",
      id: newId(),
      releaseId: id,
      reason: "rollback",
      comment: "too slow",
      idempotencyKey: newId(),
      stepRunId: undefined,
      actor: "ana",
      startedAtMs: 2,
    }),
  );
  const { items } = (await (await fetch(`${url}/api/v1/releases`)).json()) as Page<Release>;
  assert.deepEqual(
    items.map(({ isRollback, reason }) => [isRollback, reason]),
    [[true, "too slow"]],
  );
});

describeStores("the difference of two releases", (kind) => {
  it("names files, commits, metrics, parts of the recipe, data and settings, also on the command line", async () => {
    const world = await open(kind);
    const { compare, folder } = world;
    const [first, second] = world.commits;
    const oldApp = await world.release("production", [
      await world.code({ "server.mjs": "1", "gone.mjs": "x", "same.mjs": "s" }, first),
    ]);
    const model = { roc: 0.8, measured: 0.7, depth: 3 };
    await world.release("production", [await world.model(model), await world.data("old")]);
    const newApp = await world.release(
      "production",
      [await world.code({ "server.mjs": "2", "more.mjs": "y", "same.mjs": "s" }, second)],
      { health: "/healthz", environment: { LEVEL: "2" } },
    );
    const newModel = await world.release("production", [
      await world.model({ roc: 0.9, measured: 0.75, depth: 4 }),
      await world.data("new"),
    ]);

    const app = await compare(`from=${oldApp}&to=${newApp}`);
    assert.deepEqual(app.differences[0]?.inside, {
      commit: { before: first, after: second },
      sources: ["src/a.mjs", "src/ü b.mjs"],
      sourceCount: 2,
      files: [
        { path: "gone.mjs", change: "removed" },
        { path: "more.mjs", change: "added" },
        { path: "server.mjs", change: "changed" },
      ],
      fileCount: 3,
      metrics: [],
    });
    assert.deepEqual(
      app.settings.map(({ key, before, after }) => [key, before, after]),
      [
        ["env.LEVEL", undefined, '"2"'],
        ["health", undefined, '"/healthz"'],
      ],
    );

    // A release alone is compared to the one before it.
    assert.deepEqual(await compare(`to=${newApp}`), app);
    const delay = await compare(`to=${newModel}`);
    assert.deepEqual(
      delay.differences.map(({ kind: of, asset, before, after }) => [of, asset, before[0]?.version, after[0]?.version]),
      [
        ["model", "delay", 1, 2],
        ["data", "flights", 1, 2],
      ],
    );
    assert.deepEqual(delay.differences[0]?.inside?.metrics, [
      { name: "accuracy", before: 0.7, after: 0.75 },
      { name: "roc_auc", before: 0.8, after: 0.9 },
    ]);
    assert.deepEqual(delay.differences[0]?.inside?.recipe, [
      { step: "delay", part: "param", name: "depth", before: "3", after: "4" },
    ]);
    assert.equal(delay.differences[1]?.inside, undefined);
    // The first release of an asset replaced nothing: all of it is new.
    assert.deepEqual(
      (await compare(`to=${oldApp}`)).differences.map(({ asset, before, inside }) => [asset, before, inside]),
      [["app", [], undefined]],
    );
    // An environment alone: what its last change brought.
    const last = await compare("to=production");
    assert.deepEqual([last.differences.map(({ asset }) => asset), last.same], [["delay", "flights"], 1]);
    assert.deepEqual((await compare("from=production&to=production")).differences, []);

    const said = await runEsteira(folder, ["release", "diff", oldApp, newApp], { ESTEIRA_LANG: "en" });
    assert.equal(said.code, 0, said.stderr);
    assert.match(
      said.stdout,
      new RegExp(
        `code +app +1 +2[^]*app\n  commit ${first.slice(0, 12)} → ${second.slice(0, 12)}\n    src/a.mjs\n    src/ü b.mjs\n  - gone.mjs\n  \\+ more.mjs\n  ~ server.mjs\n[^]*env.LEVEL`,
      ),
    );
    const alone = await runEsteira(folder, ["release", "diff", "production"], { ESTEIRA_LANG: "pt-BR" });
    assert.match(
      alone.stdout,
      /delay\n[^]*accuracy 0.7 → 0.75\n  roc_auc 0.8 → 0.9\n  receita de delay\n    param depth\n      - 3\n      \+ 4\n/,
    );
  });

  it("leaves out what nobody knows: commits, recipes, an environment where nothing ran", async () => {
    const world = await open(kind);
    const [first] = world.commits;
    const a = await world.release("staging", [await world.code({ a: "1" }, first)]);
    const b = await world.release("staging", [await world.code({ a: "2" }, UNKNOWN)]);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_none, index) => [`f${index}`, "x"]));
    const c = await world.release("staging", [await world.code(many, undefined)]);
    const { inside } = (await world.compare(`from=${a}&to=${b}`)).differences[0] ?? {};
    assert.deepEqual(inside, {
      commit: { before: first, after: UNKNOWN },
      files: [{ path: "a", change: "changed" }],
      fileCount: 1,
      metrics: [],
    });
    const d = await world.release("staging", [await world.code({ a: "3" }, UNKNOWN)]);
    const sameCommit = (await world.compare(`from=${b}&to=${d}`)).differences[0]?.inside;
    assert.deepEqual([sameCommit?.fileCount, sameCommit?.commit], [1, undefined]);
    const cut = (await world.compare(`from=${b}&to=${c}`)).differences[0]?.inside;
    assert.deepEqual([cut?.files.length, cut?.fileCount, cut?.commit], [200, 301, { before: UNKNOWN }]);
    for (const [query, status, code] of [
      ["to=empty", 404, "DELIVERY_ENVIRONMENT_EMPTY"],
      ["to=01JXAMPLE", 404, "DELIVERY_RELEASE_UNKNOWN"],
      ["from=staging", 400, "SERVER_REQUEST_INVALID"],
    ] as const) {
      const answer = await fetch(`${world.url}/api/v1/releases/compare?${query}`);
      const { error } = (await answer.json()) as { readonly error?: { readonly code?: string } };
      assert.deepEqual([answer.status, error?.code], [status, code], query);
    }
  });
});

// Pull requests as forges tell of them: pipelines, previews of code and data, statuses of commits, and strangers.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createServices } from "#executors";
import { runEsteira } from "../setup/command-line.ts";
import { startServer, type StartedServer } from "../setup/started-server.ts";
import { createPostgresSchema, storeKinds, temporaryFolder } from "../setup/stores.ts";

const TOKEN = "forge-token-of-the-test";
const SECRET = "a secret of the project";

const FILES: Readonly<Record<string, string>> = {
  ".gitignore": ".esteira/\ndist/\n",
  "data/orders.csv": "id,amount\n1,10\n2,20\n",
  "sql/totals.sql": "SELECT sum(amount) AS total FROM orders\n",
  "pipelines/ci.yaml": `on: { push: main, pull_request: main }
steps:
  orders: { capture: { files: data/orders.csv } }
  totals: { sql: sql/totals.sql }
  hostile:
    run: printf '%s|%s|%s\\n' "$TITLE" "$BRANCH" "\${DEPLOY_KEY:-none}" > "$ESTEIRA_OUTPUT_FOLDER/seen"; cat "$ESTEIRA_OUTPUT_FOLDER/seen"; env | grep -c '^ESTEIRA_T\\|^MLFLOW' || true
    env: { TITLE: '\${{ trigger.title }}', BRANCH: '\${{ trigger.branch }}' }
    secrets: [DEPLOY_KEY]
    when: trigger.kind == 'pull_request'
  app: { run: 'mkdir -p dist && cp server.mjs text.txt package.json dist/', makes: { code: dist/ } }
  web: { deploy: app, to: [staging, production], health: / }
`,
  "package.json": '{ "scripts": { "start": "node server.mjs" } }\n',
  "server.mjs": `import { createServer } from "node:http";
import { readFileSync } from "node:fs";
const text = readFileSync(new URL("text.txt", import.meta.url), "utf8").trim();
createServer((_, response) => response.end(text + " in " + process.env.ESTEIRA_ENVIRONMENT)).listen(process.env.PORT, process.env.HOST);
`,
  "text.txt": "first\n",
};

interface Told {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, string>>;
}

interface PullRequest {
  readonly number: number;
  readonly action: string;
  readonly branch: string;
  readonly commit: string;
  readonly title?: string;
  readonly isFork?: boolean;
  readonly merged?: boolean;
}

interface Preview {
  readonly number: number;
  readonly environment: string;
  readonly live: readonly { readonly asset: string; readonly address?: string }[];
  readonly runs: readonly { readonly pipelineRunId: string; readonly status: string; readonly told?: string }[];
}

for (const kind of storeKinds)
  describe(`pull requests (${kind})`, async () => {
    after(async () => {
      for (const { environment } of await previews().catch(() => [])) await esteira("preview", "remove", environment);
      for (const environment of ["staging", "production"])
        await createServices({ folder: join(folder, ".esteira/services") }).stop({
          project: "shop",
          environment,
          name: "app",
        });
      await server?.stop();
      forge?.close();
    });
    const folder = join(await temporaryFolder(), "shop");
    const metadata = kind === "sqlite" ? "" : `store: { metadata: "${await createPostgresSchema()}" }\n`;
    let server: StartedServer | undefined;
    let forge: Server | undefined;
    let secret = "";
    let deliveries = 0;
    let clones = 0;
    const told: Told[] = [];
    const answers: number[] = [];

    const git = (...words: readonly string[]): string =>
      execFileSync("git", ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", ...words], {
        cwd: folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      }).trim();
    const esteira = async (...words: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runEsteira(folder, words, { ESTEIRA_SECRET_DEPLOY_KEY: SECRET });
      assert.ok(code === 0 || code === 3, `esteira ${words.join(" ")}: ${stdout}${stderr}`);
      return stdout;
    };
    const previews = async (): Promise<readonly Preview[]> =>
      JSON.parse(await esteira("preview", "list", "--json")) as readonly Preview[];
    const send = async (event: string, payload: object, headers: Readonly<Record<string, string>> = {}) => {
      const body = JSON.stringify(payload);
      const signature = createHmac("sha256", secret).update(body).digest("hex");
      const response = await fetch(`${server?.url}/hooks/push`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-github-event": event,
          "x-github-delivery": `d-${++deliveries}`,
          "x-hub-signature-256": `sha256=${signature}`,
          ...headers,
        },
        body,
      });
      return {
        status: response.status,
        json: (await response.json()) as { pipelineRuns?: string[]; ignored?: string },
      };
    };
    const tell = (pull: PullRequest) =>
      send("pull_request", {
        action: pull.action,
        number: pull.number,
        pull_request: {
          title: pull.title ?? "A title",
          html_url: `https://forge.example/pull/${pull.number}`,
          state: pull.action === "closed" ? "closed" : "open",
          merged: pull.merged ?? false,
          user: { login: pull.isFork === true ? "mallory" : "ana" },
          head: {
            ref: pull.branch,
            sha: pull.commit,
            repo: { full_name: pull.isFork === true ? "mallory/shop" : "ana/shop" },
          },
          base: { ref: "main", repo: { full_name: "ana/shop" } },
        },
      });
    const ended = async (
      id: string,
    ): Promise<{ status: string; steps: { step: string; status: string; reason?: string }[] }> => {
      for (;;) {
        const run = JSON.parse(await esteira("status", id, "--json")) as {
          status: string;
          stepRuns: { step: string; status: string; reason?: string }[];
        };
        if (["succeeded", "failed", "cancelled"].includes(run.status))
          return { status: run.status, steps: run.stepRuns };
        await delay(300);
      }
    };
    const until = async <Value>(look: () => Promise<Value | undefined> | Value | undefined): Promise<Value> => {
      for (;;) {
        const found = await look();
        if (found !== undefined) return found;
        await delay(100);
      }
    };
    const commitOn = async (branch: string, files: Readonly<Record<string, string>>): Promise<string> => {
      // The server follows the project's folder: what others write is elsewhere.
      const clone = join(folder, `../clone-${++clones}`);
      git("clone", "-q", "-b", "main", "../shop.git", clone);
      for (const [path, content] of Object.entries(files)) await writeFile(join(clone, path), content);
      git("-C", clone, "commit", "-q", "-a", "-m", `On ${branch}`);
      git("-C", clone, "push", "-q", "-f", "origin", `HEAD:refs/heads/${branch}`);
      return git("-C", clone, "rev-parse", "HEAD");
    };

    before(async () => {
      const target = (forge = createServer((request, response) => {
        let body = "";
        request.on("data", (piece: Buffer) => (body += piece.toString()));
        request.on("end", () => {
          response.statusCode = answers.shift() ?? 201;
          if (response.statusCode === 201)
            told.push({
              path: request.url ?? "",
              authorization: request.headers.authorization,
              body: JSON.parse(body) as Told["body"],
            });
          response.end("{}");
        });
      }));
      await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
      const address = target.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const files = {
        ...FILES,
        "esteira.yaml": `name: shop
environments: { staging: {}, production: { approvals: 1 } }
forge: { kind: github, repository: ana/shop, url: "http://127.0.0.1:${port}", pages: "https://ci.example.org" }
pull_requests: { outside: run }
outbox: { private_networks: [127.0.0.0/8] }
${metadata}`,
      };
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), content);
      }
      git("init", "-q", "-b", "main");
      git("init", "-q", "--bare", "../shop.git");
      git("remote", "add", "origin", "../shop.git");
      git("add", "-A");
      git("commit", "-q", "-m", "First");
      git("push", "-q", "origin", "main");
      await esteira("run", "ci");
      await esteira("hook", "install", "../shop.git", "--url", "http://127.0.0.1:9");
      const hook = JSON.parse(await readFile(join(folder, "../shop.git/hooks/esteira-push.json"), "utf8")) as {
        secret: string;
      };
      ({ secret } = hook);
      server = await startServer(folder, { ESTEIRA_SECRET_FORGE_TOKEN: TOKEN, ESTEIRA_SECRET_DEPLOY_KEY: SECRET });
    });
    it(
      "run in an environment of their own that answers, tell their commit, and leave nothing behind",
      { timeout: 240_000 },
      async () => {
        answers.push(503);
        const before = JSON.parse(await esteira("release", "list", "--json")) as unknown[];
        const branch = "Feature/login";
        const commit = await commitOn(branch, {
          "text.txt": "second\n",
          "sql/totals.sql": "SELECT count(*) AS total FROM orders\n",
        });
        const first = await tell({ number: 7, action: "opened", branch, commit, title: "Log in" });
        assert.equal(first.status, 202, JSON.stringify(first.json));
        const [id = ""] = first.json.pipelineRuns ?? [];
        const { status, steps } = await ended(id);
        assert.equal(status, "succeeded", JSON.stringify(steps));
        // What reaches outside is taken as the project has it; what changed is made anew, beside it.
        assert.match(steps.find(({ step }) => step === "orders")?.reason ?? "", /takes what the project has/);
        const [preview] = await previews();
        assert.match(preview?.environment ?? "", /^preview\/feature-login\.[0-9a-f]{6}$/);
        const address = preview?.live[0]?.address ?? "";
        assert.equal(await (await fetch(address)).text(), `second in ${preview?.environment}`);
        const now = JSON.parse(await esteira("release", "list", "--json")) as { environment: string }[];
        assert.deepEqual(
          now.slice(0, now.length - before.length).map(({ environment }) => environment),
          [preview?.environment],
        );
        assert.match(await esteira("query", "SELECT total FROM totals"), /30/);
        // The commit's forge knows it, although it was away when it was told first.
        const last = await until(() => told.find(({ body }) => body["state"] === "success"));
        assert.deepEqual(last, {
          path: `/repos/ana/shop/statuses/${commit}`,
          authorization: `Bearer ${TOKEN}`,
          body: {
            state: "success",
            context: "esteira/ci",
            description: "succeeded",
            target_url: `https://ci.example.org/runs/${id}`,
          },
        });
        // The same delivery again is the same event; the next commit is deployed to the same place.
        const next = await commitOn(branch, { "text.txt": "third\n" });
        const second = await tell({ number: 7, action: "synchronize", branch, commit: next });
        assert.equal((await ended(second.json.pipelineRuns?.[0] ?? "")).status, "succeeded");
        assert.equal(await (await fetch(address)).text(), `third in ${preview?.environment}`);
        const closed = await tell({ number: 7, action: "closed", branch, commit: next, merged: true });
        assert.deepEqual(closed.json.pipelineRuns, []);
        await until(async () => ((await previews()).length === 0 ? true : undefined));
        await assert.rejects(fetch(address));
        const staging = JSON.parse(await esteira("release", "list", "--environment", "staging", "--json")) as unknown[];
        assert.equal(staging.length, 1);
      },
    );

    it(
      "of strangers see no secret, no platform and no environment, and their words run nothing",
      { timeout: 240_000 },
      async () => {
        const title = `$(touch /tmp/owned-$$); \`id\`; "'\n}}\${{ secrets.DEPLOY_KEY }}`;
        const branch = "$(touch${IFS}owned);x'\"&&id";
        const commit = await commitOn("stranger", {
          "server.mjs": "",
          "pipelines/ci.yaml": "on: { pull_request: main }\nsteps: { evil: { run: env, secrets: [DEPLOY_KEY] } }\n",
        });
        const answer = await tell({ number: 8, action: "opened", branch, commit, title, isFork: true });
        assert.equal(answer.status, 202, JSON.stringify(answer.json));
        const [id = ""] = answer.json.pipelineRuns ?? [];
        const { status, steps } = await ended(id);
        assert.equal(status, "succeeded", JSON.stringify(steps));
        assert.deepEqual(steps.map(({ step, status: one }) => `${step} ${one}`).toSorted(), [
          "app succeeded",
          "hostile succeeded",
          "orders succeeded",
          "totals succeeded",
          "web skipped",
        ]);
        const log = await esteira("logs", id);
        assert.ok(log.includes(`${title.split("\n")[0]}`), log);
        assert.ok(log.includes(`${branch}|none`), log);
        assert.ok(!log.includes(SECRET) && !log.includes(TOKEN), log);
        assert.match(log, /gets no secrets: DEPLOY_KEY/);
        assert.ok(!(await readdir("/tmp")).some((name) => name.startsWith("owned")));
        assert.deepEqual((await previews()).find(({ number }) => number === 8)?.live, []);
        await tell({ number: 8, action: "closed", branch, commit, isFork: true });
      },
    );

    it("that are not signed, cannot be read or change nothing of the code start nothing", async () => {
      const commit = git("rev-parse", "main");
      const unsigned = await send("pull_request", { number: 9 }, { "x-hub-signature-256": "sha256=00" });
      assert.equal(unsigned.status, 401);
      for (const payload of [{}, { number: 9, action: "opened" }, { number: "9", action: "opened", pull_request: {} }])
        assert.equal((await send("pull_request", payload)).status, 400);
      const labeled = await tell({ number: 9, action: "labeled", branch: "x", commit });
      assert.match(labeled.json.ignored ?? "", /nothing that starts pipelines/);
    });
  });

// The project's own repository, as a plain git client uses it.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "#base";
import { catchUpPushes } from "#delivery";
import { listPipelineRuns } from "#engine";
import { createGit, createGitServer, createRunKind } from "#executors";
import { openTestServer, type OpenedServer } from "../setup/opened-server.ts";
import { openTestStore, temporaryFolder } from "../setup/stores.ts";

interface Ended {
  readonly code: number;
  readonly said: string;
}

interface Client {
  readonly folder: string;
  git(...words: readonly string[]): Promise<Ended>;
  write(path: string, text: string): Promise<void>;
  commit(message: string): Promise<string>;
}

const PATH = process.env["PATH"] ?? "";
const environmentOf = (folder: string): Record<string, string> => ({
  PATH,
  HOME: folder,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  LC_ALL: "C",
});

function runGit(folder: string, words: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: environmentOf(folder), maxBuffer: 2 ** 24 };
    execFile("git", ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", ...words], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), said: `${out}${err}` }),
    );
  });
}

async function createClient(remote: string): Promise<Client> {
  const folder = await temporaryFolder();
  const git = (...words: readonly string[]): Promise<Ended> => runGit(folder, words);
  const client: Client = {
    folder,
    git,
    write: async (path, text) => {
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), text);
    },
    commit: async (message) => {
      await git("add", "-A");
      await git("commit", "-qm", message, "--allow-empty");
      return (await git("rev-parse", "HEAD")).said.trim();
    },
  };
  await git("init", "-q", "-b", "main");
  await git("remote", "add", "esteira", remote);
  await client.write("esteira.yaml", "name: p\n");
  await client.write("pipelines/ci.yaml", "on: { push: main }\nsteps:\n  test: { run: cat note.txt }\n");
  await client.write("note.txt", "one\n");
  return client;
}

interface Served extends OpenedServer {
  readonly repository: string;
  /** Address with a token of a new user. */
  remoteOf(name: string, role?: "viewer" | "contributor" | "reviewer" | "admin", only?: string): Promise<string>;
}

async function serve(yaml = ""): Promise<Served> {
  const opened = await openTestServer({ start: true, yaml: `isolation: none\n${yaml}` });
  const { access, project } = opened.platform;
  // The first user is an administrator, whatever role is asked for.
  await access.createUser({ name: "root", actor: "maria" });
  return {
    ...opened,
    repository: join(opened.folder, ".esteira/git/p.git"),
    async remoteOf(name, role = "contributor", only) {
      await access.createUser({ name, roles: [{ project, role }], actor: "maria" }).catch(() => undefined);
      const { token } = await access.createToken({
        user: name,
        label: "",
        actor: "maria",
        ...(only === undefined ? {} : { only }),
      });
      return opened.url.replace("//", `//${name}:${token}@`) + "/git/p.git";
    },
  };
}

describe("a plain git client", () => {
  it("pushes with a token, sees the run live, and clones what it pushed", async () => {
    const served = await serve();
    const client = await createClient(await served.remoteOf("bob"));
    const commit = await client.commit("First");
    const pushed = await client.git("push", "esteira", "main");
    assert.equal(pushed.code, 0, pushed.said);
    assert.match(pushed.said, /remote: esteira: pipeline run 01\w+/);
    assert.match(pushed.said, /remote: {3}✔ test {2}succeeded/);
    assert.match(pushed.said, /remote: esteira: ci succeeded in/);
    const [run] = await listPipelineRuns(served.platform.store, { project: "p" });
    assert.deepEqual([run?.actor, run?.source?.commit, run?.status], ["bob", commit, "succeeded"]);

    const again = await client.git("push", "esteira", "main");
    assert.match(again.said, /Everything up-to-date/);
    const cloned = await runGit(await temporaryFolder(), ["clone", "-q", await served.remoteOf("eve", "viewer"), "c"]);
    assert.equal(cloned.code, 0, cloned.said);

    await client.git("tag", "-a", "v1", "-m", "v1");
    const tagged = await client.git("push", "esteira", "v1");
    assert.match(tagged.said, /no pipeline is started by this push of v1/);

    // A run that fails does not take the push back.
    await client.git("rm", "-q", "note.txt");
    await client.commit("Without a note");
    const failing = await client.git("push", "esteira", "main");
    assert.equal(failing.code, 0, failing.said);
    assert.match(failing.said, /remote: {3}✖ test {2}failed .*ended with exit 1/);
    // Nor do pipelines that cannot be read.
    await client.write("pipelines/ci.yaml", "steps: { test: { run: } }\n");
    await client.commit("A mistake");
    const wrong = await client.git("push", "esteira", "main");
    assert.equal(wrong.code, 0, wrong.said);
    assert.match(wrong.said, /main is pushed, and starts nothing: .*pipelines\/ci\.yaml/s);
  });

  it("without a token, with another's or a lesser one is refused, on this machine too", async () => {
    const served = await serve();
    const plain = `${served.url}/git/p.git`;
    const client = await createClient(plain);
    await client.commit("First");
    const none = await client.git("push", "esteira", "main");
    assert.notEqual(none.code, 0);
    assert.match(none.said, /could not read Username/);
    assert.equal((await fetch(`${plain}/info/refs?service=git-receive-pack`)).status, 401);
    assert.equal((await fetch(`${plain}/git-receive-pack`, { method: "POST", body: "0000" })).status, 401);
    const asViewer = await client.git("push", await served.remoteOf("eve", "viewer"), "main");
    assert.match(asViewer.said, /403|may not run/);
    const limited = await client.git("push", await served.remoteOf("bob", "contributor", "read"), "main");
    assert.match(limited.said, /403|may not run/);
    await assert.rejects(stat(served.repository));
    const elsewhere = (await served.remoteOf("bob")).replace("p.git", "..%2f..%2fp.git");
    assert.match((await client.git("push", elsewhere, "main")).said, /no repository|not found/);
    const unknown = await client.git("ls-remote", (await served.remoteOf("bob")).replace("p.git", "q.git"));
    assert.match(unknown.said, /There is no repository "q\.git" here; this server has p\.git/);
    const empty = await client.git("ls-remote", await served.remoteOf("bob"));
    assert.match(empty.said, /Nothing was pushed to "p\.git" yet/);
    // What git never asks for is not there.
    const files = await fetch(`${plain}/config`, { headers: { authorization: "Basic eDp5" } });
    assert.equal(files.status, 404);
  });

  it("may only add commits to a protected branch, and does as it likes with others", async () => {
    const served = await serve("git: { protected: [main, release/*] }\n");
    const client = await createClient(await served.remoteOf("bob"));
    const first = await client.commit("First");
    for (const branch of ["main", "release/1", "feature"]) {
      const pushed = await client.git("push", "esteira", `HEAD:refs/heads/${branch}`);
      assert.equal(pushed.code, 0, pushed.said);
    }
    await client.git("commit", "-q", "--amend", "-m", "Rewritten");
    for (const branch of ["main", "release/1"]) {
      const forced = await client.git("push", "-f", "esteira", `HEAD:refs/heads/${branch}`);
      assert.match(forced.said, /is protected: a push may only add commits/);
      const gone = await client.git("push", "esteira", `:refs/heads/${branch}`);
      assert.match(gone.said, /is protected and cannot be deleted/);
      assert.equal((await client.git("ls-remote", "esteira", `refs/heads/${branch}`)).said.split("\t")[0], first);
    }
    assert.equal((await client.git("push", "-f", "esteira", "HEAD:refs/heads/feature")).code, 0);
    assert.equal((await client.git("push", "esteira", ":refs/heads/feature")).code, 0);
    const other = await client.git("push", "esteira", "HEAD:refs/pull/1/head");
    assert.match(other.said, /deny updating a hidden ref/);
    // A name is a name.
    const name = "x$(touch${IFS}owned)`touch${IFS}owned`;#";
    assert.equal((await client.git("push", "esteira", `HEAD:refs/heads/${name}`)).code, 0);
    assert.ok(!(await readdir(served.repository)).includes("owned"));
  });

  it("that pushes the same commit again after it was taken back starts its pipelines again", async () => {
    const served = await serve("git: { protected: [] }\n");
    const client = await createClient(await served.remoteOf("bob"));
    await client.write("pipelines/ci.yaml", "on: { push: main }\nsteps:\n  test: { run: 'true' }\n");
    const first = await client.commit("First");
    const second = await client.commit("Second");
    for (const commit of [first, second, first, second]) {
      const pushed = await client.git("push", "-f", "esteira", `${commit}:refs/heads/main`);
      assert.match(pushed.said, /remote: esteira: pipeline run 01\w+/, pushed.said);
    }
    const runs = await listPipelineRuns(served.platform.store, { project: "p" });
    assert.deepEqual(runs.map(({ source }) => source?.commit).reverse(), [first, second, first, second]);
  });

  it("cannot send more than it may", async () => {
    const served = await serve('git: { push: "20 KiB", limit: "40 KiB" }\n');
    const client = await createClient(await served.remoteOf("bob"));
    await client.commit("First");
    assert.equal((await client.git("push", "esteira", "main")).code, 0);
    const noise = async (size: number): Promise<void> =>
      client.write("noise.txt", Buffer.from(crypto.getRandomValues(new Uint8Array(size))).toString("base64"));
    await noise(30_000);
    await client.commit("Too much");
    const refused = await client.git("push", "esteira", "main");
    assert.notEqual(refused.code, 0);
    assert.match(refused.said, /exceeds maximum allowed size/);
    await client.git("reset", "-q", "--hard", "HEAD~1");
    let full = "";
    for (let index = 0; index < 5 && full === ""; index++) {
      await noise(9000);
      await client.commit(`Part ${index}`);
      const { code, said } = await client.git("push", "-o", "follow=no", "esteira", "main");
      if (code !== 0) full = said;
    }
    assert.match(full, /exceeds maximum allowed size/);
    assert.ok(!(await readdir(join(served.repository, "objects"))).some((entry) => entry.startsWith("incoming")));
  });

  it("that sends names, links and submodules which lead elsewhere gets nothing from there", async () => {
    const served = await serve();
    const client = await createClient(await served.remoteOf("bob"));
    const outside = await temporaryFolder();
    await mkdir(join(outside, "pipelines"));
    const secret = "on: { push: main }\nsteps:\n  stolen: { run: echo the outside }\n";
    for (const path of ["evil.yaml", "pipelines/evil.yaml"]) await writeFile(join(outside, path), secret);
    const commit = await client.commit("First");
    const tree = async (lines: string): Promise<string> => {
      const child = spawn("git", ["mktree"], { cwd: client.folder, env: environmentOf(client.folder) });
      child.stdin.end(lines);
      let out = "";
      for await (const piece of child.stdout) out += String(piece);
      return out.trim();
    };
    const blob = (await client.git("rev-parse", "HEAD:note.txt")).said.trim();
    await client.write("modules", '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n');
    const modules = (await client.git("hash-object", "-w", "modules")).said.trim();
    const bad = [
      `100644 blob ${blob}\t.git\n`,
      `100644 blob ${blob}\t.GIT\n`,
      `040000 tree ${await tree(`100644 blob ${blob}\tx\n`)}\t..\n`,
      `100644 blob ${modules}\t.gitmodules\n160000 commit ${commit}\tx\n`,
      `120000 blob ${blob}\t.gitmodules\n`,
    ];
    for (const lines of bad) {
      const made = await client.git("commit-tree", "-p", "HEAD", "-m", "bad", await tree(lines));
      const pushed = await client.git("push", "esteira", `${made.said.trim()}:refs/heads/bad`);
      assert.notEqual(pushed.code, 0, lines);
      assert.match(pushed.said, /fsck error|unpack/, lines);
    }
    await client.git("rm", "-q", "--cached", "modules");
    await symlink(join(outside, "evil.yaml"), join(client.folder, "pipelines/evil.yaml"));
    await client.commit("A link to a file");
    const link = await client.git("push", "esteira", "main");
    assert.doesNotMatch(link.said, /stolen|the outside/);
    await client.git("rm", "-q", "-r", "pipelines");
    await symlink(join(outside, "pipelines"), join(client.folder, "pipelines"));
    await client.commit("A link to a folder");
    const folder = await client.git("push", "esteira", "main");
    assert.doesNotMatch(folder.said, /stolen|the outside/);
    const runs = await listPipelineRuns(served.platform.store, { project: "p" });
    assert.ok(!runs.some(({ pipeline }) => pipeline === "evil"));
  });

  it("may go away: the run goes on, and others push meanwhile", async () => {
    const served = await serve();
    const go = join(await temporaryFolder(), "go");
    const client = await createClient(await served.remoteOf("bob"));
    await client.write(
      "pipelines/ci.yaml",
      `on: { push: main }\nsteps:\n  test: { run: "until [ -e ${go} ]; do sleep 0.1; done" }\n`,
    );
    await client.commit("Slow");
    const push = spawn("git", ["push", "esteira", "main"], {
      cwd: client.folder,
      env: environmentOf(client.folder),
      detached: true,
    });
    let said = "";
    push.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
    while (!/pipeline run/.test(said)) await delay(20);
    const ended = new Promise((done) => push.once("close", done));
    process.kill(-(push.pid ?? 0), "SIGKILL");
    await ended;
    const others = await Promise.all(
      ["one", "two", "three"].map((branch) => client.git("push", "esteira", `HEAD:refs/heads/${branch}`)),
    );
    assert.deepEqual(
      others.map(({ code }) => code),
      [0, 0, 0],
    );
    await writeFile(go, "");
    for (;;) {
      const [run] = await listPipelineRuns(served.platform.store, { project: "p" });
      if (run?.status === "succeeded") break;
      assert.notEqual(run?.status, "failed");
      await delay(50);
    }
  });
});

it("a push whose server ended before it started anything is started later, for the one who pushed", async () => {
  const served = await serve();
  const client = await createClient(await served.remoteOf("bob"));
  const commit = await client.commit("First");
  assert.equal((await client.git("push", "-o", "follow=no", "esteira", "main")).code, 0);
  const server = createGitServer({ searchPath: PATH, hooksFolder: join(served.folder, ".esteira/git/hooks") });
  assert.equal(await server.pusherOf(served.repository, "main", commit), "bob");
  assert.equal(await server.pusherOf(served.repository, "main", "0".repeat(40)), undefined);
  const { store, folder } = await openTestStore("sqlite");
  const caught = await catchUpPushes(
    {
      store,
      git: createGit({ environment: { PATH, HOME: folder } }),
      project: "p",
      repository: served.repository,
      mainBranch: "main",
      pusherOf: (branch, id) => server.pusherOf(served.repository, branch, id),
      folder: join(folder, "checkouts"),
      kinds: [createRunKind()] as unknown as Parameters<typeof catchUpPushes>[0]["kinds"],
      clock: systemClock,
    },
    {},
  );
  assert.deepEqual(
    caught.map(({ branch, commit: id, error }) => [branch, id, error]),
    [["main", commit, undefined]],
  );
  const [run] = await listPipelineRuns(store, { project: "p" });
  assert.equal(run?.actor, "bob");
});

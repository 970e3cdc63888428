// Code on hosts, deployed to a real sshd on loopback.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError, newId } from "#base";
import { createSshHosts, type SshSession } from "#executors";
import { runEsteira } from "../setup/command-line.ts";
import { lacksSsh, type SshServer, startSshServer } from "../setup/ssh-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

describe("a release on hosts", { skip: lacksSsh }, async () => {
  const folder = await temporaryFolder();
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "login")]);
  const key = await readFile(join(folder, "login"), "utf8");
  const publicKey = await readFile(join(folder, "login.pub"), "utf8");
  const server: SshServer = await startSshServer(join(folder, "sshd"), publicKey);
  const ssh = createSshHosts({ searchPath: process.env["PATH"] ?? "" });
  const sessionOf = (signal: AbortSignal = new AbortController().signal, host = server): SshSession => ({
    host,
    key,
    signal,
  });
  const makeRelease = async (name: string): Promise<string> => {
    const local = join(folder, "local", name);
    await mkdir(local, { recursive: true });
    await writeFile(join(local, "version"), name);
    await writeFile(join(local, "it's a file; $(id)"), name);
    return local;
  };
  const factsOf = (at: string, release: string, more: object = {}) => ({
    folder: at,
    deploymentId: newId(),
    release,
    restart: 'cat version > ../../running && echo "$ESTEIRA_ENVIRONMENT" >> ../../restarts',
    check: "grep -qv broken version",
    checkSeconds: 1,
    keep: 2,
    environment: { ESTEIRA_ENVIRONMENT: "pro'duction" },
    ...more,
  });
  const deploy = async (at: string, release: string, more: object = {}): Promise<void> => {
    const local = await makeRelease(release);
    const facts = factsOf(at, release, more);
    await ssh.upload(sessionOf(), facts, local);
    await ssh.switchTo(sessionOf(), facts);
  };
  const currentOf = async (at: string): Promise<string> => readFile(join(at, "current/version"), "utf8");

  it("is switched to when it is well, goes back when it is not, and old ones go", async () => {
    const at = join(folder, "host one");
    await deploy(at, "v1");
    assert.equal(await currentOf(at), "v1");
    assert.equal(await readFile(join(at, "restarts"), "utf8"), "pro'duction\n");
    assert.deepEqual((await readdir(join(at, "current"))).toSorted(), ["it's a file; $(id)", "version"]);
    await deploy(at, "v2");
    await assert.rejects(deploy(at, "broken"), (error) => isEsteiraError(error, "EXECUTORS_SSH_UNHEALTHY"));
    assert.equal(await currentOf(at), "v2");
    assert.equal(await readFile(join(at, "running"), "utf8"), "v2");
    for (const version of ["v3", "v4", "v5"]) await deploy(at, version);
    assert.equal(await ssh.current(sessionOf(), at), "v5");
    assert.ok((await readdir(join(at, "releases"))).length <= 3);
    await ssh.remove(sessionOf(), at, "echo ended > ../../running");
    assert.equal(await ssh.current(sessionOf(), at), undefined);
    assert.equal(await readFile(join(at, "running"), "utf8"), "ended\n");
  });

  it("is refused by a host with another key, and by one that does not know ours", async () => {
    const other = await startSshServer(join(folder, "other"), publicKey);
    const wrong = sessionOf(undefined, { ...server, hostKey: other.hostKey });
    await assert.rejects(ssh.current(wrong, folder), (error) => isEsteiraError(error, "EXECUTORS_SSH_FAILED"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "stranger")]);
    const stranger = { ...sessionOf(), key: await readFile(join(folder, "stranger"), "utf8") };
    await assert.rejects(
      ssh.current(stranger, folder),
      (error) => isEsteiraError(error, "EXECUTORS_SSH_FAILED") && !error.message.includes("PRIVATE"),
    );
  });

  it(
    "killed at any moment is the old one or the new one, whole, and the next deployment goes on",
    { timeout: 120_000 },
    async () => {
      const at = join(folder, "host-two");
      await deploy(at, "k0");
      for (let round = 1; round <= 30; round++) {
        const release = `k${round}`;
        const local = await makeRelease(release);
        const facts = factsOf(at, release);
        const killed = new AbortController();
        const pause = delay(Math.random() * 250).then(() => killed.abort());
        await ssh
          .upload(sessionOf(killed.signal), facts, local)
          .then(() => ssh.switchTo(sessionOf(killed.signal), facts))
          .catch(() => undefined);
        await pause;
        const now = await realpath(join(at, "current"));
        const content = await readFile(join(now, "version"), "utf8");
        assert.equal(content, now.split("/").at(-1));
        assert.equal((await readdir(now)).length, 2);
      }
      await deploy(at, "last");
      assert.equal(await currentOf(at), "last");
      assert.equal(await readFile(join(at, "running"), "utf8"), "last");
      assert.deepEqual(
        (await readdir(at)).filter((name) => name.startsWith(".current")),
        [],
      );
    },
  );

  it("is taken from every host when the first one ever is not well on one of them", { timeout: 60_000 }, async () => {
    const at = join(folder, "first");
    const project = join(folder, "first-project");
    const { user, port, hostKey } = server;
    const host = `{ address: "${user}@127.0.0.1:${port}", host_key: "${hostKey}" }`;
    const files = {
      "esteira.yaml": `name: shop\ntargets: { web: { ssh: { hosts: [${host}, ${host}], folder: ${at}, key: DEPLOY_KEY } } }\nenvironments: { staging: {} }\n`,
      // Well on the first host, and not on the second.
      "pipelines/web.yaml": `steps:
  app: { run: 'mkdir -p dist && echo one > dist/text', makes: { code: dist/ } }
  web: { deploy: app, to: staging, target: web, check: 'mkdir ../../seen', stop: 'touch ../../stopped', health_timeout: 1s }
`,
    };
    await mkdir(join(project, "pipelines"), { recursive: true });
    for (const [path, content] of Object.entries(files)) await writeFile(join(project, path), content);
    const { code, stdout, stderr } = await runEsteira(project, ["run", "web"], { ESTEIRA_SECRET_DEPLOY_KEY: key });
    assert.equal(code, 1, stdout + stderr);
    assert.deepEqual((await readdir(join(at, "staging/app"))).filter((name) => !name.startsWith(".")).sort(), [
      "releases",
      "seen",
      "stopped",
    ]);
  });

  it(
    "is what a deploy step names, is kept while it runs there, and is deployed again when somebody changed it",
    { timeout: 120_000 },
    async () => {
      const project = join(folder, "project");
      const at = join(folder, "srv");
      const other = await startSshServer(join(folder, "second"), publicKey);
      const hosts = [server, other].map(
        ({ user, port, hostKey }) => `{ address: "${user}@127.0.0.1:${port}", host_key: "${hostKey}" }`,
      );
      const files = {
        "esteira.yaml": `name: shop
environments: { staging: {}, locked: { sandbox: true } }
targets: { web: { ssh: { hosts: [${hosts.join(", ")}], folder: ${at}, key: DEPLOY_KEY } } }
`,
        "pipelines/web.yaml": `steps:
  app: { run: 'mkdir -p dist && cp text dist/', makes: { code: dist/ } }
  web: { deploy: app, to: staging, target: web, restart: 'cp text ../../live', check: 'test -s text', health_timeout: 1s }
`,
        text: "one",
      };
      await mkdir(join(project, "pipelines"), { recursive: true });
      for (const [path, content] of Object.entries(files)) await writeFile(join(project, path), content);
      const run = async (...words: readonly string[]) => {
        const { code, stdout, stderr } = await runEsteira(project, words, { ESTEIRA_SECRET_DEPLOY_KEY: key });
        assert.ok(!`${stdout}${stderr}`.includes("PRIVATE KEY"));
        return { code, said: stdout + stderr };
      };
      const live = (): Promise<string> => readFile(join(at, "staging/app/live"), "utf8");
      const first = await run("run", "web");
      assert.equal(first.code, 0, first.said);
      assert.equal(await live(), "one");
      await writeFile(join(project, "text"), "two");
      assert.equal((await run("run", "web")).code, 0);
      assert.equal(await live(), "two");
      await writeFile(join(project, "text"), "");
      const broken = await run("run", "web");
      assert.equal(broken.code, 1, broken.said);
      assert.match(broken.said, /EXECUTORS_SSH_UNHEALTHY|not well/);
      assert.equal(await live(), "two");
      // What runs is no longer what was released: the same version is deployed again.
      await writeFile(join(project, "text"), "two");
      const current = join(at, "staging/app/current");
      await rm(current);
      assert.equal((await run("run", "web")).code, 0);
      assert.equal(await readFile(join(current, "text"), "utf8"), "two");
      const back = await run("rollback", "app", "--environment", "staging", "--to", "1");
      assert.equal(back.code, 0, back.said);
      assert.equal(await live(), "one");
      await writeFile(
        join(project, "pipelines/web.yaml"),
        files["pipelines/web.yaml"].replaceAll("target: web", "target: wbe, port: 80"),
      );
      assert.match((await run("lint")).said, /no target "wbe"[^]*"port" is for a process/);
    },
  );
});

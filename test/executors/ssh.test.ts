// Workers that are started on hosts by SSH: a real sshd on loopback.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isEsteiraError, newId } from "#base";
import type { Executor } from "#engine";
import { runEsteira } from "../setup/command-line.ts";
import { startTestHost } from "../setup/ssh-box.ts";
import { lacksSsh, makeLoginKey, startSshServer } from "../setup/ssh-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

describe("a worker on a host", { skip: lacksSsh }, async () => {
  if (lacksSsh !== false) return;
  const { host, key, publicKey, yaml, open } = await startTestHost();
  const run = async (executor: Executor, shell: string): Promise<string> => {
    let said = "";
    const handle = await executor.submit(
      { attemptId: newId(), command: { shell }, workingFolder: await temporaryFolder(), environment: {} },
      (_, text) => void (said += text),
    );
    assert.equal((await handle.ended).exitCode, 0);
    return said;
  };
  const processesOf = (there: string): readonly string[] =>
    execFileSync("ps", ["-axo", "pid,stat,args"], { encoding: "utf8" })
      .split("\n")
      .filter(
        (line) => line.includes(`worker --folder ${there}`) && !line.includes("/bin/sh") && !/^\s*\d+ Z/.test(line),
      );

  it("is started again when it is killed, and ends with the server that started it", async () => {
    const opened = await open();
    assert.deepEqual(await opened.box.workers?.(), []);
    assert.equal((await opened.box.offer()).cpus, 16);
    const [line = ""] = processesOf(opened.there).filter((each) => each.includes("node"));
    process.kill(Number.parseInt(line, 10), "SIGKILL");
    assert.match(await run(opened.box, "echo again"), /^again$/m);
    assert.equal((await opened.box.workers?.())?.[0]?.name, `box-127.0.0.1-${host.port}`);
    await opened.box.close?.();
    assert.deepEqual(processesOf(opened.there), []);
  });

  it("is taken by no ordinary worker's place, and its token does nothing but its work", async () => {
    const opened = await open();
    await opened.box.offer();
    const [line = ""] = processesOf(opened.there).filter((each) => each.includes("node"));
    const pid = Number.parseInt(line, 10);
    const variables = execFileSync("tr", ["\\0", "\\n"], {
      input: execFileSync("cat", [`/proc/${pid}/environ`]),
    }).toString();
    const token = /^ESTEIRA_TOKEN=(.*)$/m.exec(variables)?.[1] ?? "";
    const url = /--url (\S+)/.exec(line)?.[1] ?? "";
    assert.match(token, /^esw_/);
    const statusOf = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}${path}`, { headers })).status;
    // This server trusts callers of its own machine: those of the host are not that.
    assert.equal((await fetch(`${opened.url}/api/v1/pipelines`)).status, 200);
    assert.equal(await statusOf("/api/v1/pipelines", {}), 401);
    assert.equal(await statusOf("/api/v1/pipelines", { authorization: `Basic ${btoa(":")}` }), 401);
    assert.equal(await statusOf("/api/v1/pipelines", { authorization: `Bearer ${token}` }), 403);
    await opened.box.close?.();
    await assert.rejects(fetch(`${url}/livez`, { headers: { authorization: `Bearer ${token}` } }));
  });

  it("runs steps of a command that has no server, with inputs and outputs, and is gone with it", async () => {
    const [project, there] = [await temporaryFolder(), await temporaryFolder()];
    await mkdir(join(project, "pipelines"));
    await writeFile(join(project, "esteira.yaml"), `name: p\n${yaml(there)}defaults: { executor: box }\n`);
    await writeFile(
      join(project, "pipelines/w.yaml"),
      `steps:
  a: { run: 'echo "where=$PWD" >> "$ESTEIRA_OUTPUT"; mkdir out; echo made > out/file', makes: { code: out } }
  b: { run: 'grep -q inputs "$ESTEIRA_CONTEXT"', inputs: [a] }
`,
    );
    const { code, stderr, stdout } = await runEsteira(project, ["run", "w"], { ESTEIRA_SECRET_BOX_KEY: key });
    assert.equal(code, 0, stderr + stdout);
    assert.deepEqual(processesOf(there), []);
  });

  it("that cannot be started is an error with its reason: another host key, another login, no key, no esteira", async () => {
    const other = await startSshServer(join(await temporaryFolder(), "other"), publicKey);
    const stranger = await makeLoginKey(await temporaryFolder());
    const failure = async (executor: Executor): Promise<string> => {
      const error: unknown = await executor.offer().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(isEsteiraError(error), String(error));
      assert.doesNotMatch(error.message, /PRIVATE/);
      return `${error.code}: ${error.message}`;
    };
    const wrongHost = await open({ hostKey: other.hostKey });
    assert.match(await failure(wrongHost.box), /EXECUTORS_SSH_FAILED.*Host key verification failed/s);
    const wrongLogin = await open({}, { ESTEIRA_SECRET_BOX_KEY: stranger.key });
    assert.match(await failure(wrongLogin.box), /EXECUTORS_SSH_FAILED.*Permission denied/s);
    const noKey = await open({}, { ESTEIRA_SECRET_BOX_KEY: "" });
    assert.match(await failure(noKey.box), /EXECUTORS_SSH_KEY_MISSING.*BOX_KEY/s);
    for (const each of [wrongHost, wrongLogin, noKey]) await each.box.close?.();
  });
});

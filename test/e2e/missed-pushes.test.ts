// Pushes that nobody announced: made while no server listened, or while the hook called a wrong address.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Run {
  readonly id: string;
  readonly status: string;
}

async function createProject(): Promise<{
  readonly folder: string;
  readonly git: (...words: string[]) => Promise<string>;
}> {
  const base = await temporaryFolder();
  const folder = join(base, "work");
  await mkdir(join(folder, "pipelines"), { recursive: true });
  await writeFile(join(folder, "esteira.yaml"), "name: ships\n");
  await writeFile(join(folder, ".gitignore"), ".esteira/\n");
  await writeFile(join(folder, "pipelines/ci.yaml"), "on: { push: main }\nsteps:\n  test: { run: cat note.txt }\n");
  await writeFile(join(folder, "note.txt"), "one\n");
  const git = async (...words: string[]): Promise<string> =>
    (
      await promisify(execFile)("git", ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", ...words], {
        cwd: folder,
      })
    ).stdout;
  await git("init", "--quiet", "--bare", "../ships.git");
  await git("init", "--quiet", "--initial-branch=main");
  await git("remote", "add", "origin", "../ships.git");
  return { folder, git };
}

/** The newest pipeline run, if there is one. */
async function lastRunOf(folder: string): Promise<Run | undefined> {
  const { stdout } = await runEsteira(folder, ["status", "--json"]);
  return (JSON.parse(stdout) as { readonly lastRun?: Run }[])[0]?.lastRun;
}

async function waitForRun(folder: string): Promise<Run> {
  for (;;) {
    const run = await lastRunOf(folder);
    if (run?.status === "succeeded") return run;
    await delay(300);
  }
}

it("a push made before the server listens starts its pipeline once the server does", { timeout: 180_000 }, async () => {
  const { folder, git } = await createProject();
  const push = async (message: string): Promise<void> => {
    await git("add", "-A");
    await git("commit", "-qm", message);
    await git("push", "-q", "origin", "main");
  };
  await push("Before the hook");
  assert.equal((await runEsteira(folder, ["hook", "install", "../ships.git", "--url", "http://127.0.0.1:9"])).code, 0);

  // What was pushed before the hook stands starts nothing.
  const first = await startServer(folder);
  await first.stop();
  assert.equal(await lastRunOf(folder), undefined);

  await writeFile(join(folder, "note.txt"), "two\n");
  await push("Nobody listens");
  await writeFile(join(folder, "note.txt"), "three\n");
  await push("Nobody listens, again");
  const second = await startServer(folder);
  const run = await waitForRun(folder);
  const log = await runEsteira(folder, ["logs", run.id]);
  assert.match(log.stdout, /three/);
  await second.stop();

  // The same commit is not pushed again by another start.
  const third = await startServer(folder);
  await third.stop();
  assert.equal((await lastRunOf(folder))?.id, run.id);
});

it(
  "a source that an earlier version remembered starts nothing that was pushed before",
  { timeout: 120_000 },
  async () => {
    const { folder, git } = await createProject();
    await git("add", "-A");
    await git("commit", "-qm", "First");
    await git("push", "-q", "origin", "main");
    assert.equal(
      (await runEsteira(folder, ["hook", "install", "../ships.git", "--url", "http://127.0.0.1:9"])).code,
      0,
    );
    const path = join(folder, ".esteira/push-source.json");
    const { heads, ...source } = JSON.parse(await readFile(path, "utf8")) as { readonly heads: Record<string, string> };
    assert.deepEqual(Object.keys(heads), ["main"]);
    const hook = join(folder, "../ships.git/hooks/esteira-push.json");
    const { secret } = JSON.parse(await readFile(hook, "utf8")) as { readonly secret: string };
    assert.ok(!(await readFile(path, "utf8")).includes(secret));
    await writeFile(path, JSON.stringify({ ...source, secret, format: "push-source/1" }));
    const server = await startServer(folder);
    await server.stop();
    assert.equal(await lastRunOf(folder), undefined);
    const text = await readFile(path, "utf8");
    const read = JSON.parse(text) as { readonly heads: object; readonly secret: string };
    assert.deepEqual(read.heads, heads);
    assert.match(read.secret, /^esteira\.sealed\/1:/);
    assert.ok(!text.includes(secret));

    // The hook that stands goes on: another installation keeps its secret, and so does another key.
    const install = ["hook", "install", "../ships.git", "--url", "http://127.0.0.1:9"];
    const hookSecret = async (): Promise<unknown> => JSON.parse(await readFile(hook, "utf8"));
    assert.equal((await runEsteira(folder, install)).code, 0);
    assert.deepEqual(await hookSecret(), { url: "http://127.0.0.1:9/hooks/push", secret });
    const rotated = await runEsteira(folder, ["secrets", "rotate", "--json"]);
    assert.deepEqual(JSON.parse(rotated.stdout), { sealed: 1 });
    const renewed = JSON.parse(await readFile(path, "utf8")) as { readonly secret: string };
    assert.notEqual(renewed.secret.split(":")[1], read.secret.split(":")[1]);
    assert.equal((await runEsteira(folder, install)).code, 0);
    assert.deepEqual(await hookSecret(), { url: "http://127.0.0.1:9/hooks/push", secret });
  },
);

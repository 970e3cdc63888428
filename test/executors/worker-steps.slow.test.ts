import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");

async function project(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

/** `esteira worker` as a process of its own. */
async function startWorker(url: string, words: readonly string[] = []): Promise<ChildProcess> {
  const folder = await temporaryFolder();
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(ROOT, "src/cli/main.ts"),
      "worker",
      "--url",
      url,
      "--folder",
      join(folder, "worker"),
      "--isolation",
      "none",
      "--json",
      ...words,
    ],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, HOME: folder } },
  );
  after(() => void child.kill("SIGKILL"));
  let said = "";
  await new Promise<void>((found, reject) => {
    child.stdout.on("data", (piece: Buffer) => {
      said += piece.toString();
      if (said.includes('"worker"')) found();
    });
    child.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
    child.once("exit", () => reject(new Error(`the worker did not start: ${said}`)));
  });
  return child;
}

interface Run {
  readonly id: string;
  readonly status: string;
  readonly stepRuns: readonly {
    readonly id: string;
    readonly step: string;
    readonly status: string;
    readonly attempts: readonly object[];
  }[];
}

async function ask<Answer>(url: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    headers: { "content-type": "application/json" },
  });
  const said: Answer = JSON.parse(await answer.text());
  assert.ok(answer.ok, JSON.stringify(said));
  return said;
}

const start = (url: string, pipeline: string): Promise<{ readonly id: string }> =>
  ask(url, `pipelines/${pipeline}/runs`, {});

async function ended(url: string, id: string): Promise<Run> {
  for (;;) {
    const run = await ask<Run>(url, `pipeline-runs/${id}`);
    if (["succeeded", "failed", "cancelled"].includes(run.status)) return run;
    await delay(200);
  }
}

async function whenThere(file: string): Promise<string> {
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text !== "") return text;
    await delay(50);
  }
}

const logOf = async (folder: string, id: string): Promise<string> => (await runEsteira(folder, ["logs", id])).stdout;

/** A connection that can be cut, and given back. */
async function openGate(target: string): Promise<{ readonly url: string; cut(): void; mend(): void }> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server: Server = createServer((socket) => {
    if (isCut) return void socket.destroy();
    const behind = connect(Number(port), hostname);
    for (const each of [socket, behind]) {
      sockets.add(each);
      each
        .on("error", () => {})
        .on("close", () => {
          sockets.delete(each);
          socket.destroy();
          behind.destroy();
        });
    }
    socket.pipe(behind).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    for (const each of sockets) each.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut: () => {
      isCut = true;
      for (const each of sockets) each.destroy();
    },
    mend: () => {
      isCut = false;
    },
  };
}

const yaml = (lease: string): string =>
  `name: p\nisolation: none\nexecutors: { pool: { worker: { lease: ${lease} } } }\ndefaults: { executor: pool }\n`;

describe("steps on workers", { timeout: 200_000 }, () => {
  it("get their project, inputs and environment by digest, and send back what they made", async () => {
    const folder = await project({
      "esteira.yaml": yaml("90s"),
      "src/read.py": `import esteira, os, pathlib
made = esteira.input("made")
text = (made.path / "deep" / "a.txt").read_text()
out = esteira.output("read")
(out / "report.txt").write_text(text.upper() + os.environ["ESTEIRA_URL"])
esteira.set_output("words", len(text.split()))
print("read", text)
`,
      "pipelines/both.yaml": `steps:
  made:
    run: mkdir -p dist/deep && printf 'olá mundo' > dist/deep/a.txt && echo "count=3" >> "$ESTEIRA_OUTPUT" && head -c 3000000 /dev/zero > dist/large
    makes: { code: dist }
  read: { python: src/read.py, inputs: [made], makes: report }
  told: { run: 'echo "\${{ steps.read.outputs.words }} words, \${{ steps.made.outputs.count }}"', needs: [read, made] }
`,
    });
    const server = await startServer(folder);
    after(() => server.stop());
    const { id } = await start(server.url, "both");
    // Nobody is there yet: the step says what it waits for.
    for (; !(await logOf(folder, id)).includes("has no worker");) await delay(500);
    await startWorker(server.url, ["--name", "first", "--cpus", "2"]);
    const listed = await runEsteira(folder, ["executor", "list"]);
    assert.match(listed.stdout, /first +pool/);
    const run = await ended(server.url, id);
    const log = await logOf(folder, id);
    assert.equal(run.status, "succeeded", log);
    assert.match(log, /read olá mundo/);
    assert.match(log, /2 words, 3/);
    await server.stop();
  });

  it("are started again elsewhere when their worker is killed, and nothing of them is left", async () => {
    const folder = await project({ "esteira.yaml": yaml("10s") });
    const began = join(folder, "began");
    await mkdir(join(folder, "pipelines"));
    await writeFile(
      join(folder, "pipelines/slow.yaml"),
      `steps:\n  slow: { run: 'echo "$$ begin" >> ${began}; sleep 4; echo end' }\n`,
    );
    const server = await startServer(folder);
    after(() => server.stop());
    const first = await startWorker(server.url, ["--name", "first"]);
    const { id } = await start(server.url, "slow");
    await whenThere(began);
    first.kill("SIGKILL");
    await startWorker(server.url, ["--name", "second"]);
    const run = await ended(server.url, id);
    assert.equal(run.status, "succeeded");
    assert.equal(run.stepRuns[0]?.attempts.length, 2);
    const pids = (await readFile(began, "utf8"))
      .trim()
      .split("\n")
      .map((line) => Number(line.split(" ")[0]));
    assert.equal(pids.length, 2);
    for (const pid of pids) assert.throws(() => process.kill(pid, 0));
    await server.stop();
  });

  it("go on through a loss of the network, and are ended by their worker before the lease is", async () => {
    const folder = await project({ "esteira.yaml": yaml("20s") });
    const began = join(folder, "began");
    await mkdir(join(folder, "pipelines"));
    await writeFile(
      join(folder, "pipelines/slow.yaml"),
      `steps:\n  slow: { run: 'echo "$$" >> ${began}; for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 1; done' }\n`,
    );
    await writeFile(
      join(folder, "pipelines/long.yaml"),
      `steps:\n  long: { run: 'echo "$$" >> ${began}.long; test -e ${began}.mended || sleep 600' }\n`,
    );
    const server = await startServer(folder);
    after(() => server.stop());
    const gate = await openGate(server.url);
    await startWorker(gate.url, ["--name", "first"]);
    const { id } = await start(server.url, "slow");
    await whenThere(began);
    gate.cut();
    await delay(10_000);
    gate.mend();
    const run = await ended(server.url, id);
    assert.equal(run.status, "succeeded");
    assert.equal(run.stepRuns[0]?.attempts.length, 1);
    const lines = (await logOf(folder, id)).match(/line \d/g);
    assert.deepEqual(
      lines,
      [1, 2, 3, 4, 5, 6, 7, 8].map((number) => `line ${number}`),
    );

    const long = await start(server.url, "long");
    const pid = Number(await whenThere(`${began}.long`));
    gate.cut();
    const cutAt = performance.now();
    for (;;) {
      try {
        process.kill(pid, 0);
        await delay(100);
      } catch {
        break;
      }
    }
    assert.ok(performance.now() - cutAt < 20_000, "the worker ended it only after the lease");
    await writeFile(`${began}.mended`, "");
    gate.mend();
    const again = await ended(server.url, long.id);
    assert.deepEqual([again.status, again.stepRuns[0]?.attempts.length], ["succeeded", 2]);
    await server.stop();
  });

  it("outlive their server, which another one takes over from, and end with all they started when cancelled", async () => {
    const folder = await project({ "esteira.yaml": yaml("60s") });
    const began = join(folder, "began");
    await mkdir(join(folder, "pipelines"));
    await writeFile(
      join(folder, "pipelines/slow.yaml"),
      `steps:\n  slow: { run: 'echo "$$" >> ${began}; for i in 1 2 3 4 5 6; do echo "line $i"; sleep 2; done' }\n`,
    );
    await writeFile(
      join(folder, "pipelines/deep.yaml"),
      `steps:\n  deep: { run: '(setsid sleep 634.25 & echo $! > ${began}.deep; wait) & wait' }\n`,
    );
    const server = await startServer(folder);
    const port = new URL(server.url).port;
    await startWorker(server.url, ["--name", "first"]);
    const { id } = await start(server.url, "slow");
    await whenThere(began);
    server.child.kill("SIGKILL");
    await once(server.child, "exit");
    const next = await startServer(folder, {}, ["--port", port]);
    after(() => next.stop());
    const run = await ended(next.url, id);
    assert.equal(run.status, "succeeded");
    assert.equal((await readFile(began, "utf8")).trim().split("\n").length, 1, "it was started twice");
    const lines = (await logOf(folder, id)).match(/line \d/g);
    assert.deepEqual(
      lines,
      [1, 2, 3, 4, 5, 6].map((number) => `line ${number}`),
    );

    const deep = await start(next.url, "deep");
    const pid = Number(await whenThere(`${began}.deep`));
    await ask(next.url, `pipeline-runs/${deep.id}/cancel`, {});
    assert.equal((await ended(next.url, deep.id)).status, "cancelled");
    for (let tries = 0; tries < 100; tries++) {
      try {
        process.kill(pid, 0);
        await delay(100);
      } catch {
        break;
      }
    }
    assert.throws(() => process.kill(pid, 0));
    await next.stop();
  });

  it("belong to one worker of a name: the one before gives up what it ran", async () => {
    const folder = await project({ "esteira.yaml": yaml("90s") });
    const server = await startServer(folder);
    after(() => server.stop());
    const first = await startWorker(server.url, ["--name", "same"]);
    const gone = once(first, "exit");
    await startWorker(server.url, ["--name", "same"]);
    const [code] = await gone;
    assert.equal(code, 1);
    await server.stop();
  });
});

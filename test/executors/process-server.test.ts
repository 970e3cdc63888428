import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError, newId } from "#base";
import { createIsolation, createLocalExecutor } from "#executors";

const folder = mkdtempSync(join(tmpdir(), "esteira-starter-"));
after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Programs that start processes for this one. */
const findServers = (parent: number): readonly number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const isChild = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(parent);
        return isChild && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("_processes.py");
      } catch {
        return false;
      }
    });

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

it(
  "calls a process lost whose starter was killed, ends it, and starts the next by another",
  { timeout: 60_000 },
  async () => {
    const executor = createLocalExecutor({
      workFolder: join(folder, "work"),
      isolation: createIsolation({ level: "none" }),
    });
    let said = "";
    const start = (shell: string) =>
      executor.submit(
        {
          attemptId: newId(),
          command: { shell },
          workingFolder: folder,
          environment: {},
          secretFiles: { KEY: "x".repeat(9) },
        },
        (_, text) => {
          said += text;
        },
      );
    const lost = await start("echo $$; setsid sleep 61234.5 & echo $!; wait");
    while (said.split("\n").length < 3) await delay(10);
    const pids = said.trim().split("\n").map(Number);
    const [server = 0, ...others] = findServers(process.pid);
    assert.deepEqual(others, []);
    process.kill(server, "SIGKILL");
    await assert.rejects(lost.ended, (error) => isEsteiraError(error, "PIPELINE_PLACE_LOST"));
    assert.deepEqual(pids.map(isAlive), [false, false]);

    said = "";
    const next = await start("echo again");
    assert.equal((await next.ended).exitCode, 0);
    assert.equal(said, "again\n");
    assert.notDeepEqual(findServers(process.pid), [server]);
  },
);

it(
  "gives scripts an empty input, and outputs that they can open by name, whole to the last byte",
  { timeout: 60_000 },
  async () => {
    for (const level of ["none", "auto"] as const) {
      const executor = createLocalExecutor({ workFolder: join(folder, "work"), isolation: createIsolation({ level }) });
      const said = { stdout: "", stderr: "" };
      const started = await executor.submit(
        {
          attemptId: newId(),
          command: {
            shell: "echo one | tee /dev/stderr; echo two > /dev/stdout; head -c 3000000 /dev/zero | tr '\\0' x",
          },
          workingFolder: folder,
          environment: {},
        },
        (stream, text) => {
          said[stream] += text;
        },
      );
      assert.equal((await started.ended).exitCode, 0, said.stderr);
      assert.equal(said.stderr, "one\n");
      assert.match(said.stdout, /^one\ntwo\nx+$/);
      assert.equal(said.stdout.length, 8 + 3_000_000);
    }
  },
);

const ENGINE = `
  const { createLocalExecutor, createIsolation } = await import("#executors");
  const executor = createLocalExecutor({
    workFolder: process.argv[1] + "/work", isolation: createIsolation({ level: "none" }),
  });
  for (let n = 0; n < 30; n++) {
    void executor.submit(
      { attemptId: "a" + n, command: ["sh", "-c", "echo $$; exec sleep 300"], workingFolder: process.argv[1], environment: {} },
      (_, text) => { process.stdout.write(text); },
    );
  }
`;

it(
  "leaves nothing running of an engine that is killed while its processes are being started",
  { timeout: 60_000 },
  async () => {
    const engine = spawn(process.execPath, ["--input-type=module", "-e", ENGINE, folder], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: import.meta.dirname,
    });
    let said = "";
    engine.stdout.on("data", (piece: Buffer) => (said += piece.toString()));
    while (said.split("\n").length < 10) await delay(5);
    const servers = findServers(engine.pid ?? 0);
    assert.equal(servers.length, 1);
    engine.kill("SIGKILL");
    await once(engine, "close");
    const pids = [...said.trim().split("\n").map(Number), ...servers];
    while (pids.some(isAlive)) await delay(20);
    const left = readdirSync("/proc").filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, "utf8").includes(`TMPDIR=${folder}/`);
      } catch {
        return false;
      }
    });
    assert.deepEqual(
      left.filter((name) => isAlive(Number(name))),
      [],
    );
  },
);

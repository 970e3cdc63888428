import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

const SUPERVISOR = join(import.meta.dirname, "../../src/executors/drivers/local-supervisor.ts");

/** An engine that starts a process, prints its id and is killed before it can name the process to its watcher. */
const ENGINE = `
  const { LocalSupervisor } = await import(${JSON.stringify(SUPERVISOR)});
  const { spawn } = await import("node:child_process");
  const supervisor = new LocalSupervisor("mark-of-" + process.pid);
  supervisor.begin();
  const env = { PATH: process.env.PATH, ESTEIRA_ENGINE: "mark-of-" + process.pid };
  const child = spawn("sleep", ["300"], { detached: true, stdio: "ignore", env });
  process.stdout.write(String(child.pid), () => process.kill(process.pid, "SIGKILL"));
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it("ends a process that its engine had started and not yet named when it was killed", { timeout: 60_000 }, async () => {
  const engine = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", ENGINE],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let said = "";
  engine.stdout.on("data", (piece: Buffer) => (said += piece.toString()));
  const [, signal] = (await once(engine, "close")) as [number | null, string | null];
  assert.equal(signal, "SIGKILL");
  const pid = Number(said);
  assert.ok(pid > 0, said);
  try {
    while (isAlive(pid)) await delay(20);
  } finally {
    if (isAlive(pid)) process.kill(-pid, "SIGKILL");
  }
});

/**
 * Events a second that a whole server takes and keeps, with users and a token, from programs of other processes:
 *
 *   node bench/push.ts [--seconds 10] [--clients 8] [--batch 100] [--store postgres://…] [--ids]
 *
 * Every request is answered when it is durable; runs take the events meanwhile, as they do in production. Prints events
 * and requests a second, the times of answers, and whether the dataset holds as many rows as were answered.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runEsteira } from "../test/setup/command-line.ts";
import { startServer } from "../test/setup/started-server.ts";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    clients: { type: "string", default: "8" },
    batch: { type: "string", default: "100" },
    store: { type: "string" },
    ids: { type: "boolean", default: false },
    send: { type: "string" },
    token: { type: "string", default: "" },
  },
});
const [seconds, clients, batch] = [Number(flags.seconds), Number(flags.clients), Number(flags.batch)];

function post(url: string, of: { readonly agent: Agent; readonly body: string; readonly key: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${flags.token}`,
      "content-type": "application/x-ndjson",
      "content-length": Buffer.byteLength(of.body),
      "idempotency-key": of.key,
    };
    const sent = request(url, { method: "POST", agent: of.agent, headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("end", () =>
        answer.statusCode === 200
          ? resolve()
          : reject(new Error(`${answer.statusCode}: ${Buffer.concat(pieces).toString()}`)),
      );
    });
    sent.on("error", reject);
    sent.end(of.body);
  });
}

/** The programs that push; prints what was answered. */
async function send(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const endMs = performance.now() + seconds * 1000;
  const times: number[] = [];
  let number = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < endMs) {
        const lines = Array.from({ length: batch }, () => {
          const id = ++number;
          return `{"id":${id},"at":"2026-01-05T10:00:00Z","user":"user-${id % 1000}","page":"/products/${id % 50}","amount":${id % 97}.5}`;
        });
        const startMs = performance.now();
        await post(url, { agent, body: lines.join("\n"), key: crypto.randomUUID() });
        times.push(performance.now() - startMs);
      }
    }),
  );
  times.sort((left, right) => left - right);
  agent.destroy();
  console.log(
    JSON.stringify({
      events: number,
      requests: times.length,
      p50: times[Math.floor(times.length * 0.5)],
      p99: times[Math.floor(times.length * 0.99)],
    }),
  );
}

async function measure(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-push-"));
  try {
    await mkdir(join(folder, "pipelines"));
    await writeFile(
      join(folder, "esteira.yaml"),
      `name: p\n${flags.store === undefined ? "" : `store: { metadata: ${JSON.stringify(flags.store)} }\n`}`,
    );
    await writeFile(
      join(folder, "pipelines/clicks.yaml"),
      `steps:\n  clicks: { capture: { push: { ${flags.ids ? "id: id, " : ""}backlog: 100000000 } } }\n`,
    );
    await runEsteira(folder, ["user", "create", "root", "--role", "admin"]);
    await runEsteira(folder, ["user", "create", "ana", "--role", "contributor"]);
    const made = await runEsteira(folder, ["token", "create", "ana", "--only", "push", "--json"]);
    const { token } = JSON.parse(made.stdout) as { token: string };
    const server = await startServer(folder);
    const words = ["--seconds", flags.seconds, "--clients", flags.clients, "--batch", flags.batch, "--token", token];
    const child = spawn(
      process.execPath,
      [import.meta.filename, "--send", `${server.url}/api/v1/datasets/clicks/events`, ...words],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let output = "";
    for await (const piece of child.stdout) output += String(piece);
    const sent = JSON.parse(output) as { events: number; requests: number; p50: number; p99: number };
    await server.stop();
    await runEsteira(folder, ["run", "clicks"]);
    const counted = await runEsteira(folder, ["query", "select count(*) from clicks", "--json"]);
    const { rows } = JSON.parse(counted.stdout) as { rows: readonly (readonly unknown[])[] };
    console.log(
      `${Math.round(sent.events / seconds)} events/s, ${Math.round(sent.requests / seconds)} requests/s of ${batch}; answers p50 ${sent.p50.toFixed(1)} ms, p99 ${sent.p99.toFixed(1)} ms`,
    );
    console.log(`${sent.events} answered, ${String(rows[0]?.[0])} rows in the dataset`);
    if (Number(rows[0]?.[0]) !== sent.events) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await (flags.send === undefined ? measure() : send(flags.send));

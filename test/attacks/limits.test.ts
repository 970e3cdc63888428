// Steps that take too much of the machine, or what they were not to have of it.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { createSandbox } from "#executors";
import { type CommandEnd, listProcessesOf, runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const hasSandbox = (await createSandbox().problem()) === undefined;
const skip = hasSandbox ? false : "no sandbox on this machine";
const LEVELS = hasSandbox ? ["auto", "none"] : ["none"];

/** Asks ports of this machine, the platform, and a page of somebody else. */
const LOOK = `import os, socket, sys, urllib.request
for port in sys.argv[1:]:
    try:
        print(socket.create_connection(("127.0.0.1", int(port))).recv(9))
    except OSError:
        print("cut")
print(urllib.request.urlopen(os.environ["ESTEIRA_URL"] + "/livez").status)
try:
    urllib.request.urlopen("http://example.com/")
except Exception as error:
    print(error)
`;

async function run(
  step: string,
  config = "",
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandEnd & { readonly folder: string; readonly log: string }> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), `name: p\n${config}`);
  await writeFile(join(folder, "hog.py"), "kept = []\nwhile True: kept.append(bytearray(b'x') * (1 << 20))\n");
  await writeFile(join(folder, "look.py"), LOOK);
  await writeFile(join(folder, "pipelines/w.yaml"), `steps:\n  attack:\n${step}`);
  const ended = await runEsteira(folder, ["run", "w"], environment);
  return { ...ended, folder, log: (await runEsteira(folder, ["logs", "latest"])).stdout };
}

describe("a step with limits", () => {
  for (const level of LEVELS) {
    it(`that takes all memory is ended and named (isolation: ${level})`, { timeout: 60_000 }, async () => {
      const { code, stderr, folder } = await run(
        "    run: python3 hog.py\n    limits: { memory: 200 MiB }\n",
        `isolation: ${level}\n`,
      );
      assert.equal(code, 1);
      assert.match(stderr, /its processes took \d+ MiB of memory, and limits.memory allows 200 MiB/);
      assert.deepEqual(await listProcessesOf(folder), []);
    });

    it(`that starts processes without end is ended and named (isolation: ${level})`, { timeout: 60_000 }, async () => {
      // Two hundred in sessions of their own, which live longer than their parent.
      const bomb = "i=0; while [ $i -lt 200 ]; do setsid sleep 300 & i=$((i+1)); done; sleep 60";
      const { code, stderr, folder } = await run(
        `    run: '${bomb}'\n`,
        `isolation: ${level}\nlimits: { processes: 50 }\n`,
      );
      assert.equal(code, 1);
      assert.match(stderr, /it had \d+ processes at once, and limits.processes allows 50/);
      assert.deepEqual(await listProcessesOf(folder), []);
    });
  }

  it(
    "has as many open files as it may, and less than the project says where it says so",
    { timeout: 60_000 },
    async () => {
      const { code, log, stderr } = await run(
        "    run: ulimit -n; sh -c 'ulimit -n'\n    limits: { files: 64 }\n",
        "limits: { files: 128, processes: 100, memory: 1 GiB }\n",
      );
      assert.equal(code, 0, stderr);
      assert.deepEqual(log.match(/\b(64|128)\b/g), ["64", "64"]);
    },
  );
});

describe("a step without network", () => {
  it("reaches neither the platform, nor the machine, nor a resolver", { timeout: 60_000, skip }, async () => {
    const server = createServer((socket) => socket.end("GOT"));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const look = `python3 -c "import socket; print(socket.create_connection((\\"127.0.0.1\\", ${port})).recv(9))" || echo cut; ls /sys/class/net 2>/dev/null || true`;
    const open = await run(`    run: '${look}'\n`);
    assert.match(open.log, /GOT/, open.stderr);
    const { code, log, stderr } = await run(`    run: '${look}'\n    network: false\n`);
    assert.equal(code, 0, stderr);
    assert.match(log, /cut/);
    assert.doesNotMatch(log, /GOT|eth/);
  });

  it("reaches what it names and the platform, and hears what is refused", { timeout: 60_000, skip }, async () => {
    const servers = [createServer((socket) => socket.end("GOT")), createServer((socket) => socket.end("TAKEN"))];
    for (const server of servers) await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    after(() => servers.forEach((server) => server.close()));
    const [named, other] = servers.map((server) => (server.address() as AddressInfo).port);
    const look = (...ports: unknown[]): string => `    run: python3 look.py ${ports.join(" ")}\n`;
    const { code, log, stderr } = await run(
      `${look(named, other)}    network: ["127.0.0.1:${String(named)}", pypi.org]\n`,
    );
    assert.equal(code, 0, stderr);
    assert.match(log, /GOT[^]*cut[^]*200[^]*403/);
    assert.doesNotMatch(log, /TAKEN/);
    assert.match(log, /refused: example\.com:80 is not among the places/);
    const alone = await run(look(named), "isolation: { network: platform }\n");
    assert.match(alone.log, /cut[^]*200/, alone.stderr);
    const exempt = await run(look(named), "isolation: { network: platform, exempt: [w.attack] }\n");
    assert.match(exempt.log, /GOT/, exempt.stderr);
    const wrong = await run('    run: echo\n    network: ["http://pypi.org/"]\n');
    assert.match(wrong.stderr, /expected a host such as/);
  });

  it("does not run where nothing can cut it off, exempt or not", { timeout: 60_000 }, async () => {
    const { code, stderr } = await run(
      "    run: echo ran\n    network: false\n",
      "isolation: { level: none, exempt: [w.attack] }\n",
    );
    if (hasSandbox) return assert.equal(code, 0, stderr);
    assert.match(stderr, /A sandbox is required by network: false/);
  });
});

it("a secret that is too short to be masked is refused before anything runs", { timeout: 60_000 }, async () => {
  const step = "    run: echo $PIN ran\n    secrets: [PIN]\n";
  const short = await run(step, "", { ESTEIRA_SECRET_PIN: "1234567" });
  assert.equal(short.code, 1);
  assert.match(short.stderr, /PIPELINE_SECRET_TOO_SHORT/);
  assert.doesNotMatch(short.log + short.stderr, /1234567|ran$/m);
  assert.match((await run(step, "", { ESTEIRA_SECRET_PIN: "12345678" })).log, /\*\*\* ran/);
});

// The bundle that bin/esteira runs: the same command line, and the programs it starts.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { before, it } from "node:test";
import { buildCli } from "../../scripts/build-cli.ts";
import { listProcessesOf, runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");

before(() => buildCli());

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

it("is not made again while no source is younger", async () => {
  assert.equal(await buildCli(), false);
  const current = await readFile(join(ROOT, "dist/current"), "utf8");
  assert.match(current, /^[0-9a-f]{16}$/);
});

it("holds every program that a module starts in a process or thread of its own", async () => {
  const started = new Set<string>();
  for (const file of await readdir(join(ROOT, "src"), { recursive: true })) {
    if (!file.endsWith(".ts")) continue;
    const source = await readFile(join(ROOT, "src", file), "utf8");
    assert.doesNotMatch(source, /new Worker\(new URL/, `${file} starts a thread that a bundle does not find`);
    for (const [, name] of source.matchAll(/entryFile\("([^"]+)"/g)) started.add(`${name}.js`);
  }
  const current = await readFile(join(ROOT, "dist/current"), "utf8");
  const bundled = new Set(await readdir(join(ROOT, "dist", current)));
  assert.ok(started.size > 0);
  assert.deepEqual([...started.difference(bundled)], []);
});

it("runs a pipeline, deploys a service with its supervisor, and tells versions as the sources do", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: ships\nenvironments: { staging: {} }\n");
  await writeFile(
    join(folder, "server.mjs"),
    'import { createServer } from "node:http";\ncreateServer((request, response) => response.end("ahoy")).listen(process.env.PORT, "127.0.0.1");\n',
  );
  await writeFile(
    join(folder, "pipelines/web.yaml"),
    "steps:\n  app: { run: mkdir -p dist && cp server.mjs dist/, files: [server.mjs], makes: { code: dist } }\n" +
      "  staging: { deploy: app, to: staging, start: node server.mjs }\n",
  );
  const run = await runEsteira(folder, ["run", "web"]);
  // A deployed service outlives the command.
  const left = (await listProcessesOf(folder)).map((line) => line.split(" ")[0] ?? "");
  const commands = await Promise.all(left.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  for (const pid of left) killIfThere(Number(pid));
  assert.ok(
    commands.some((command) => command.includes("/dist/") && command.includes("/service-supervisor.js")),
    commands.join("\n"),
  );
  assert.equal(run.code, 0, run.stdout + run.stderr);
  const bundled = await runEsteira(folder, ["--version"]);
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { readonly version: string };
  assert.equal(bundled.stdout, `esteira ${version}\n`);
});

// The whole cycle on real data: `npm run demo`, `npm run demo -- --exit --report FILE`, `npm run demo -- --fresh`.
import { spawn, spawnSync } from "node:child_process";
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createApiClient } from "../examples/flights/demo/api-client.ts";
import { formatReport, writeReport } from "../examples/flights/demo/report.ts";
import { openSourceFiles } from "../examples/flights/demo/source-files.ts";
import { playCycle } from "../examples/flights/demo/story.ts";

const root = resolve(import.meta.dirname, "..");
const example = join(root, "examples/flights");
const esteira = join(root, "bin/esteira");
const startedMs = Date.now();

const { values } = parseArgs({
  options: {
    exit: { type: "boolean", default: false },
    report: { type: "string" },
    fresh: { type: "boolean", default: false },
    port: { type: "string", default: "4740" },
    folder: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (values.help) {
  say(`npm run demo -- [--exit] [--report FILE] [--fresh] [--port N] [--folder DIR]

  --exit         end when the cycle is done, instead of staying up with the page
  --report FILE  write what happened as JSON
  --fresh        forget what an earlier demo made
  --port N       port of the page and the API; default 4740, 0 picks a free one
  --folder DIR   play it in a copy of the example in this folder, made when it is not there`);
  process.exit(0);
}

const callerFolder = process.env["INIT_CWD"] ?? process.cwd();
const project = values.folder === undefined ? example : resolve(callerFolder, values.folder);
const storeFolder = join(project, ".esteira");

await main().catch((error: unknown) => {
  say(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});

async function main(): Promise<void> {
  if (project !== example) await copyExample();
  if (values.fresh) {
    await rm(storeFolder, { recursive: true, force: true });
    await rm(join(project, "data"), { recursive: true, force: true });
  }
  for (const [what, script, ...words] of [
    ["the web page", "build-web.ts"],
    ["the command line", "build-cli.ts", "--quiet"],
  ] as const) {
    const { status } = spawnSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(root, "scripts", script), ...words],
      { stdio: "inherit" },
    );
    if (status !== 0) throw new Error(`${what} could not be built; the lines above say why`);
  }
  const reviewerToken = await createReviewer();
  const server = await startServer(values.port);
  const stop = (): void => void server.stop();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    const api = createApiClient(server.url);
    say(`The page: ${server.url}`);
    await playCycle({ api, files: await openSourceFiles(join(project, "data")), reviewerToken, say });
    const report = await writeReport(api, startedMs);
    say(formatReport(report));
    if (values.report !== undefined)
      await writeFile(resolve(callerFolder, values.report), `${JSON.stringify(report, undefined, 2)}\n`);
    if (values.exit) return;
    say(`\nThe page stays up at ${server.url}. Ctrl-C ends it.`);
    await server.ended;
  } finally {
    await server.stop();
  }
}

/** The project's own files; what a demo in the example's folder made or captured stays there. */
async function copyExample(): Promise<void> {
  const there = await readdir(project).catch(() => []);
  const played = await readFile(join(storeFolder, "demo-reviewer.json"), "utf8").then(
    () => true,
    () => false,
  );
  if (there.length > 0 && !played)
    throw new Error(`${project} holds other things, and no demo: name an empty folder, or one that is not there`);
  const left = [join(example, ".esteira"), join(example, "data")];
  await cp(example, project, { recursive: true, force: false, filter: (place) => !left.includes(place) });
}

/** The one who approves, and is not the author. The token is kept beside the store, for the demo's next run. */
async function createReviewer(): Promise<string> {
  const file = join(storeFolder, "demo-reviewer.json");
  const known = await readFile(file, "utf8").catch(() => undefined);
  if (known !== undefined) return (JSON.parse(known) as { token: string }).token;
  await mkdir(storeFolder, { recursive: true });
  const run = (...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync(esteira, [...words, "--json"], { cwd: project, encoding: "utf8" });
    if (status !== 0) throw new Error(`esteira ${words.join(" ")} failed: ${stdout}${stderr}`);
    return stdout;
  };
  run("user", "create", "admin", "--role", "admin");
  const created = run("user", "create", "rita", "--role", "reviewer");
  await writeFile(file, created, { mode: 0o600 });
  await chmod(file, 0o600);
  return (JSON.parse(created) as { token: string }).token;
}

interface RunningServer {
  readonly url: string;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

async function startServer(port: string): Promise<RunningServer> {
  const child = spawn(esteira, ["up", "--port", port, "--json"], {
    cwd: project,
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  const lines = createInterface({ input: child.stdout });
  let output = "";
  const url = await new Promise<string>((found, failed) => {
    lines.on("line", (line) => {
      output += line;
      try {
        const answer = JSON.parse(output) as { url?: string; error?: { message: string; hint?: string } };
        if (answer.url !== undefined) found(answer.url);
        if (answer.error !== undefined) failed(new Error(`${answer.error.message}\n  ${answer.error.hint ?? ""}`));
      } catch {
        // Not whole yet.
      }
    });
    child.once("exit", (code) => failed(new Error(`esteira up ended with ${code}: ${output}`)));
  });
  let stopping: Promise<void> | undefined;
  return {
    url,
    ended,
    stop() {
      stopping ??= (child.kill("SIGTERM"), ended);
      return stopping;
    },
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

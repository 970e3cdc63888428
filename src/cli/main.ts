import { readFileSync } from "node:fs";

const [first] = process.argv.slice(2);

if (first === "--version" || first === "-v") {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  process.stdout.write(`esteira ${version}\n`);
} else void run();

// No `await` at the top: the bundle is CommonJS, which starts in less time.
async function run(): Promise<void> {
  const { runCommandLine } = await import("./run-command-line.ts");
  process.exitCode = await runCommandLine(process.argv.slice(2));
}

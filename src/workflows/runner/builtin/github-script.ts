import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { callProcess } from "../step-process.ts";
import type { BuiltinStep } from "./builtins.ts";

/**
 * Runs a script with the parts of GitHub's toolkit that need no network: `core`, `context`, `exec`, `io`, `glob`. What
 * asks GitHub itself fails, and says so.
 */
export async function runGithubScript(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const script = inputs["script"] ?? "";
  const file = join(job.plan.folders.temporary, `github-script-${++job.counter}.mjs`);
  const encoding = inputs["result-encoding"] === "string" ? "string" : "json";
  await writeFile(
    file,
    `${TOOLKIT}\nconst encoding = ${JSON.stringify(encoding)};\nconst script = ${JSON.stringify(script)};\n${RUN}`,
  );
  const { exitCode, outputs } = await callProcess(step, {
    command: [process.execPath, file],
    folder: job.plan.folders.workspace,
  });
  if (exitCode !== 0) throw new Error(`the script ended with exit code ${exitCode}`);
  return outputs;
}

const TOOLKIT = String.raw`import { appendFileSync, cpSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";
const asText = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));
const put = (variable, name, value) => {
  const word = "esteira-" + randomUUID();
  appendFileSync(process.env[variable], name + "<<" + word + "\n" + asText(value) + "\n" + word + "\n");
};
const escape = (text) => asText(text).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const property = (text) => escape(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
const say = (name) => (message, properties = {}) => {
  const { title, file, startLine: line } = properties;
  const stated = Object.entries({ title, file, line }).filter(([, value]) => value !== undefined);
  console.log("::" + name + (stated.length === 0 ? "" : " " + stated.map(([key, value]) => key + "=" + property(value)).join(",")) + "::" + escape(message instanceof Error ? message.message : message));
};
class Summary {
  #text = "";
  addRaw(text, newLine) { this.#text += text + (newLine ? "\n" : ""); return this; }
  addEOL() { return this.addRaw("\n"); }
  addHeading(text, level = 1) { return this.addRaw("#".repeat(Number(level)) + " " + text + "\n\n"); }
  addCodeBlock(text, language = "") { return this.addRaw("~~~" + language + "\n" + text + "\n~~~\n"); }
  addList(items, ordered) { return this.addRaw(items.map((item, index) => (ordered ? index + 1 + ". " : "- ") + item).join("\n") + "\n"); }
  addLink(text, href) { return this.addRaw("[" + text + "](" + href + ")"); }
  addQuote(text) { return this.addRaw("> " + text + "\n"); }
  addSeparator() { return this.addRaw("\n---\n"); }
  addBreak() { return this.addRaw("\n\n"); }
  addDetails(label, content) { return this.addRaw("**" + label + "**\n\n" + content + "\n"); }
  addTable(rows) {
    const cells = rows.map((row) => row.map((cell) => (typeof cell === "object" ? cell.data : String(cell))));
    const [head = [], ...rest] = cells;
    return this.addRaw(["| " + head.join(" | ") + " |", "|" + head.map(() => " --- |").join(""), ...rest.map((row) => "| " + row.join(" | ") + " |")].join("\n") + "\n");
  }
  async write() { appendFileSync(process.env.GITHUB_STEP_SUMMARY, this.#text); this.#text = ""; return this; }
  stringify() { return this.#text; }
  isEmptyBuffer() { return this.#text === ""; }
  emptyBuffer() { this.#text = ""; return this; }
}
const summary = new Summary();
const core = {
  getInput: (name) => (process.env["INPUT_" + name.replaceAll(" ", "_").toUpperCase()] ?? "").trim(),
  getBooleanInput: (name) => core.getInput(name).toLowerCase() === "true",
  getMultilineInput: (name) => core.getInput(name).split("\n").filter((line) => line !== ""),
  setOutput: (name, value) => put("GITHUB_OUTPUT", name, value),
  exportVariable: (name, value) => { process.env[name] = asText(value); put("GITHUB_ENV", name, value); },
  addPath: (path) => { process.env.PATH = path + ":" + process.env.PATH; appendFileSync(process.env.GITHUB_PATH, path + "\n"); },
  setSecret: (value) => console.log("::add-mask::" + escape(value)),
  saveState: (name, value) => put("GITHUB_STATE", name, value),
  getState: (name) => process.env["STATE_" + name] ?? "",
  setFailed: (message) => { process.exitCode = 1; core.error(message); },
  info: (message) => console.log(asText(message)), debug: () => {}, isDebug: () => false,
  notice: say("notice"), warning: say("warning"), error: say("error"),
  startGroup: (name) => console.log("::group::" + name), endGroup: () => console.log("::endgroup::"),
  group: async (name, work) => { core.startGroup(name); try { return await work(); } finally { core.endGroup(); } },
  summary,
};
const exec = {
  exec: async (command, args = [], options = {}) => run(command, args, options).exitCode,
  getExecOutput: async (command, args = [], options = {}) => run(command, args, options),
};
function run(command, args, { cwd, env, input, ignoreReturnCode, silent } = {}) {
  const [program, ...first] = args.length > 0 ? [command] : command.split(" ");
  const { status, stdout, stderr, error } = spawnSync(program, [...first, ...args], { cwd, env: { ...process.env, ...env }, input, encoding: "utf8" });
  if (error) throw error;
  if (!silent) { process.stdout.write(stdout); process.stderr.write(stderr); }
  if (status !== 0 && !ignoreReturnCode) throw new Error("The process '" + program + "' failed with exit code " + status);
  return { exitCode: status, stdout, stderr };
}
const io = {
  mkdirP: async (path) => void mkdirSync(path, { recursive: true }),
  rmRF: async (path) => rmSync(path, { recursive: true, force: true }),
  cp: async (from, to, options = {}) => cpSync(from, to, { recursive: options.recursive ?? false }),
  mv: async (from, to) => renameSync(from, to),
  which: async (name) => spawnSync("sh", ["-c", 'command -v "$0"', name], { encoding: "utf8" }).stdout.trim(),
};
const glob = { create: async (patterns) => ({ glob: async () => patterns.split("\n").filter(Boolean).flatMap((pattern) => globSync(pattern)) }) };
const event = JSON.parse(readFileSync(process.env.GITHUB_EVENT_PATH, "utf8"));
const [owner = "", repo = ""] = process.env.GITHUB_REPOSITORY.split("/");
const context = {
  payload: event, eventName: process.env.GITHUB_EVENT_NAME, sha: process.env.GITHUB_SHA, ref: process.env.GITHUB_REF,
  workflow: process.env.GITHUB_WORKFLOW, action: process.env.GITHUB_ACTION, actor: process.env.GITHUB_ACTOR, job: process.env.GITHUB_JOB,
  runNumber: Number(process.env.GITHUB_RUN_NUMBER), runId: Number(process.env.GITHUB_RUN_ID), apiUrl: process.env.GITHUB_API_URL, serverUrl: process.env.GITHUB_SERVER_URL,
  repo: { owner, repo }, issue: { owner, repo, number: event.pull_request?.number ?? event.number },
};
const offline = (path) => new Proxy(() => {}, {
  get: (_, name) => (typeof name === "symbol" || name === "then" ? undefined : offline(path + "." + name)),
  apply: () => { throw new Error(path + "() asks GitHub, which is not possible here"); },
});
const github = offline("github");
`;

const RUN = String.raw`const AsyncFunction = (async () => {}).constructor;
const names = { core, context, exec, io, glob, github, octokit: github, require: createRequire(process.cwd() + "/"), fetch: offline("fetch") };
try {
  const result = await new AsyncFunction(...Object.keys(names), script)(...Object.values(names));
  core.setOutput("result", encoding === "json" ? JSON.stringify(result) ?? "" : asText(result));
} catch (error) {
  core.setFailed(error);
}
`;

import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { quoteWord } from "#executors";
import { hookExists } from "./errors.ts";

const MARK = "# esteira push hook";

/** Sends one signed push event per pushed branch and tag; the push itself never fails because of it. */
const SENDER = `import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
const { url, secret } = JSON.parse(readFileSync(new URL("esteira-push.json", import.meta.url), "utf8"));
const lines = readFileSync(0, "utf8").split("\\n").filter((line) => line !== "");
for (const line of lines) {
  const [before, after, ref] = line.split(" ");
  if (!/^refs\\/(heads|tags)\\//.test(ref)) continue;
  const body = JSON.stringify({ ref, before, after, deleted: /^0+$/.test(after), pusher: { name: process.env.ESTEIRA_PUSHER ?? process.env.USER ?? "git" } });
  const headers = {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-delivery": [ref, before, after].join(" "),
    "x-hub-signature-256": "sha256=" + createHmac("sha256", secret).update(body).digest("hex"),
  };
  try {
    const response = await fetch(url, { method: "POST", body, headers });
    const answer = await response.json().catch(() => ({}));
    const runs = answer.pipelineRuns ?? [];
    if (response.ok) console.log(runs.length === 0 ? "esteira: no pipeline is started by this push" : runs.map((id) => "esteira: pipeline run " + id).join("\\n"));
    else console.log("esteira: " + (answer.message ?? answer.error?.message ?? "status " + response.status) + (answer.hint ? "\\n  " + answer.hint : ""));
  } catch (error) {
    console.log("esteira: " + url + " cannot be reached (" + (error.cause?.message ?? error.message) + "); the push is kept, no pipeline was started");
  }
}
`;

/**
 * Makes a repository announce its pushes: a `post-receive` hook that sends signed push events.
 *
 * @param repository folder of a bare repository, or of a work tree
 * @param url address of the push handler
 * @param secret the handler's secret; kept beside the hook, readable by its owner alone
 * @throws DELIVERY_HOOK_EXISTS when another hook is there
 * Idempotent; a new address or secret replaces the old one.
 */
export async function installPushHook(repository: string, url: string, secret: string): Promise<void> {
  const bare = (await stat(join(repository, "objects")).catch(() => undefined)) !== undefined;
  const hooks = join(repository, ...(bare ? [] : [".git"]), "hooks");
  const hook = join(hooks, "post-receive");
  const existing = await readFile(hook, "utf8").catch(() => undefined);
  if (existing !== undefined && !existing.includes(MARK)) throw hookExists({ path: hook });
  await mkdir(hooks, { recursive: true });
  await writeFile(join(hooks, "esteira-push.mjs"), SENDER);
  await writeFile(join(hooks, "esteira-push.json"), JSON.stringify({ url, secret }), { mode: 0o600 });
  await chmod(join(hooks, "esteira-push.json"), 0o600);
  await writeFile(hook, `#!/bin/sh\n${MARK}\nexec ${quoteWord(process.execPath)} "$(dirname "$0")/esteira-push.mjs"\n`);
  await chmod(hook, 0o755);
}

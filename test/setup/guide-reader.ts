import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { testCache } from "./cache-folder.ts";
import { endProcessesOf, runEsteira } from "./command-line.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FILE_EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  yaml: ["yaml"],
  sql: ["sql"],
  python: ["py"],
  json: ["json", "ndjson", "ipynb"],
  csv: ["csv"],
};
/** The guides name these ports; the reader has free ones instead. */
const PORTS = ["4740", "5000"];

export type Action =
  | { readonly kind: "write"; readonly path: string; readonly content: string; readonly isAdded: boolean }
  /** `shown`: what the guide says that the command prints. */
  | { readonly kind: "run"; readonly command: string; readonly exitCode: number; readonly shown: string };

/**
 * What a reader does: a block whose first line or the text before it names a file of its kind is that file (`# FILE,
 * further …` is added to it), `sh` and `bash` blocks and the lines after `$ ` of `text` blocks are commands, which end
 * with 0 or what a comment `# exit code N` says. A block under a comment `not run: REASON` is only read.
 */
export function readGuide(text: string): readonly Action[] {
  const actions: Action[] = [];
  for (const match of text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)) {
    const [, language = "", content = ""] = match;
    const before =
      text
        .slice(0, match.index)
        .trimEnd()
        .split(/\n\n|\n```\n/)
        .at(-1) ?? "";
    if (/<!-- not run: \S[^>]* -->$/.test(before)) continue;
    const extensions = FILE_EXTENSIONS[language];
    if (extensions !== undefined) {
      actions.push(readFileBlock(content, before, extensions));
      continue;
    }
    assert.ok(["sh", "bash", "text"].includes(language), `a block of ${language} is neither a file nor commands`);
    const commands = language === "text" ? commandsOf(content) : [{ command: content, shown: "" }];
    for (const { command, shown } of commands)
      actions.push({
        kind: "run",
        command,
        exitCode: Number(/# .*\bexit code (\d+)/.exec(command)?.[1] ?? 0),
        shown,
      });
  }
  return actions;
}

function readFileBlock(content: string, before: string, extensions: readonly string[]): Action {
  const heading = /^# (\S+\.\w+)(, further\b.*)?\n/.exec(content);
  const named =
    heading?.[1] ??
    [...before.matchAll(/`([\w./-]+)`/g)]
      .map(([, path]) => path ?? "")
      .findLast((path) => extensions.some((extension) => path.endsWith(`.${extension}`)));
  assert.ok(
    named !== undefined,
    `a block of ${extensions.join(" or ")} is of no file that the text before it names: ${content.slice(0, 80)}`,
  );
  return { kind: "write", path: named, content, isAdded: heading?.[2] !== undefined };
}

/** Lines after `$ `, with those that continue them: after a `\` at the end, or within quotes; the rest was printed. */
function commandsOf(content: string): readonly { readonly command: string; readonly shown: string }[] {
  const commands: { command: string; shown: string }[] = [];
  let isOpen = false;
  for (const line of content.split("\n")) {
    const last = commands.at(-1);
    if (isOpen && last !== undefined) last.command += `\n${line}`;
    else if (line.startsWith("$ ")) commands.push({ command: line.slice(2), shown: "" });
    else {
      if (last !== undefined) last.shown += `${line}\n`;
      continue;
    }
    const command = commands.at(-1)?.command ?? "";
    isOpen = command.endsWith("\\") || command.replace(/\s# .*$/, "").split("'").length % 2 === 0;
  }
  return commands;
}

/**
 * The reader's shell: everything of it stays from the first command to the last. A server goes on running in "another
 * terminal": until the next one is started there, or the reader leaves.
 */
const SHELL = `
exec 2>&1
set -eu -o pipefail
server=
esteira() {
  if [ "\${1:-} \${2:-}" = "hook install" ]; then set -- "$@" --url "http://127.0.0.1:$GUIDE_PORT"; fi
  if [ "\${1:-}" != up ]; then command esteira "$@"; return; fi
  stop_server
  case " $* " in *" --port "*) ;; *) set -- "$@" --port "$GUIDE_PORT" ;; esac
  # Emptied here: what the server before said must not pass for what this one says.
  : > "$HOME/.server-log"
  command esteira "$@" >> "$HOME/.server-log" 2>&1 &
  server=$!
  until grep -q http:// "$HOME/.server-log"; do
    if ! kill -0 $server 2> /dev/null; then cat "$HOME/.server-log"; wait $server; return; fi
    sleep 0.1
  done
  cat "$HOME/.server-log"
}
curl() { command curl --fail-with-body "$@"; }
stop_server() { if [ -n "$server" ]; then kill $server 2> /dev/null || true; wait $server || true; server=; fi; }
trap stop_server EXIT
while IFS= read -r -d '' guide_code <&3 && IFS= read -r -d '' guide_command <&3; do
  guide_found=0
  if [ "$guide_code" = 0 ]; then eval "$guide_command" < /dev/null; else eval "$guide_command" < /dev/null || guide_found=$?; fi
  printf '\\0%s %s\\0' $guide_found "$PWD"
done
`;

export interface GuideReader {
  /** Does what the guide says, from where the one before ended. */
  follow(guide: string): Promise<void>;
  /** Ends everything that the reader started. */
  leave(): Promise<void>;
}

/**
 * A reader with an empty folder. As soon as there is a store it has a user, unless the guide itself makes the first:
 * from then on nothing works for nobody, for `access.loopback` is none.
 */
export async function createGuideReader(
  options: { readonly python?: string; readonly hasUser?: boolean } = {},
): Promise<GuideReader> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-guide-"));
  const ports = await Promise.all(PORTS.map(findFreePort));
  const shell = startShell(folder, { port: ports[0] ?? "", ...options });
  const printed = new Map<RegExp, string>();
  const known = new Map<string, string>();
  const visited = new Set([folder]);
  let place = folder;

  async function run(guide: string, action: Extract<Action, { kind: "run" }>): Promise<void> {
    const end = await shell.run(fillIn(action.command), action.exitCode);
    assert.equal(end.code, action.exitCode, `${guide}: ${action.command}\n${end.output}`);
    place = end.place;
    for (const { shown, found, isKept } of PLACEHOLDERS) {
      const last = [...end.output.matchAll(found)].at(-1)?.[1];
      if (last === undefined) continue;
      printed.set(found, last);
      if (isKept) for (const [text] of action.shown.matchAll(shown)) known.set(text, last);
    }
    if (visited.has(place) || !existsSync(join(place, "esteira.yaml"))) return;
    visited.add(place);
    if (options.hasUser === false) return;
    const { code, stderr } = await runEsteira(place, ["user", "create", "eva"]);
    assert.equal(code, 0, stderr);
    const made = join(testCache(), "test-flights-python");
    await mkdir(made, { recursive: true });
    await symlink(made, join(place, ".esteira/python"));
  }

  /** What a reader reads off the screen: `est_…` is the token printed last; a digest keeps what it stood for. */
  function fillIn(text: string): string {
    const filled = PLACEHOLDERS.reduce(
      (before, { shown, found, isKept }) =>
        before.replace(shown, (name) => {
          const value =
            known.get(name) ?? printed.get(found) ?? assert.fail(`nothing was printed that is meant by ${text}`);
          if (isKept) known.set(name, value);
          return value;
        }),
      text,
    );
    return PORTS.reduce((before, port, index) => before.replaceAll(port, ports[index] ?? ""), filled);
  }

  async function follow(guide: string): Promise<void> {
    const actions = readGuide(await readFile(join(ROOT, "docs/guides", guide), "utf8"));
    assert.ok(actions.length > 3, `${guide} holds almost nothing to do`);
    for (const action of actions) {
      if (action.kind === "run") {
        await run(guide, action);
        continue;
      }
      const path = join(place, action.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, fillIn(action.content), { flag: action.isAdded ? "a" : "w" });
    }
  }

  async function leave(): Promise<void> {
    await shell.end();
    // What was deployed goes on running by itself.
    await endProcessesOf(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return { follow, leave };
}

const PLACEHOLDERS: readonly { readonly shown: RegExp; readonly found: RegExp; readonly isKept: boolean }[] = [
  { shown: /est_…/g, found: /(est_[\w-]{20,})/g, isKept: false },
  { shown: /sha256:\w{4}…/g, found: /(sha256:[0-9a-f]{64})/g, isKept: true },
  { shown: /\b01[0-9A-HJKMNP-TV-Z]{24}\b/g, found: /\b(01[0-9A-HJKMNP-TV-Z]{24})\b/g, isKept: false },
  { shown: /\b01[0-9A-HJKMNP-TV-Z]{2}…/g, found: /\b(01[0-9A-HJKMNP-TV-Z]{24})\b/g, isKept: true },
  { shown: /(?<=key revoke )\w{4}…/g, found: /(?<!sha256:)\b([0-9a-f]{64})\b/g, isKept: true },
];

async function findFreePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return String(port);
}

interface Shell {
  run(
    command: string,
    exitCode: number,
  ): Promise<{ readonly code: number | null; readonly output: string; readonly place: string }>;
  end(): Promise<void>;
}

function startShell(folder: string, { port, python }: { readonly port: string; readonly python?: string }): Shell {
  const path = [join(ROOT, "bin"), ...(python === undefined ? [] : [dirname(python)]), process.env["PATH"] ?? ""].join(
    ":",
  );
  const pip = Object.entries(process.env).filter(([name]) => /^(PIP_|UV_|PYENV_|SSL_CERT_)/.test(name));
  const env = {
    ...Object.fromEntries(pip),
    PATH: path,
    HOME: folder,
    ESTEIRA: ROOT,
    GUIDE_PORT: port,
    GIT_CONFIG_COUNT: "2",
    GIT_CONFIG_KEY_0: "user.name",
    GIT_CONFIG_VALUE_0: "Iris",
    GIT_CONFIG_KEY_1: "user.email",
    GIT_CONFIG_VALUE_1: "iris@example.org",
    ESTEIRA_LANG: "en",
    NO_COLOR: "1",
  };
  const child = spawn("bash", ["-c", SHELL], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit", "pipe"] });
  const asked = child.stdio[3] as NodeJS.WritableStream;
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const said = new EventEmitter();
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
    output += piece;
    said.emit("more");
  });
  return {
    async run(command, exitCode) {
      output = "";
      asked.write(`${exitCode}\0${command}\0`);
      for (;;) {
        const answer = /\0(\d+) ([^\0]*)\0/.exec(output);
        if (answer !== null)
          return { code: Number(answer[1]), output: output.replace(answer[0], ""), place: answer[2] ?? "" };
        const end = await Promise.race([once(said, "more").then(() => "more" as const), ended]);
        if (end !== "more") return { code: end === 0 ? null : end, output, place: folder };
      }
    },
    async end() {
      asked.end();
      await ended;
    },
  };
}

import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { chmod, mkdir, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf, newId } from "#base";
import { gitFailed } from "./git-errors.ts";

/** What a client of git asks a server to do: to give commits, or to take some. */
export const GIT_SERVICES = ["git-upload-pack", "git-receive-pack"] as const;
export type GitService = (typeof GIT_SERVICES)[number];

const MOST_ADVERTISED_BYTES = 64 * 2 ** 20;
const ADVERTISE_LIMIT_MS = 60_000;
const PROTOCOL = /^version=[012]$/;

/**
 * Asks of one ref whether it may move so. Patterns come in lines; a shell reads no value as a command, for none is
 * expanded twice. The new objects are looked at where git keeps them until the hook has agreed.
 */
const UPDATE_HOOK = `#!/bin/sh
ref=$1 old=$2 new=$3
case $ref in refs/heads/?*) branch=\${ref#refs/heads/} ;; *) exit 0 ;; esac
protected=
while IFS= read -r pattern; do
  [ -n "$pattern" ] || continue
  case $branch in $pattern) protected=$pattern ;; esac
done <<END
$ESTEIRA_PROTECTED
END
[ -n "$protected" ] || exit 0
case $old in *[!0]*) ;; *) exit 0 ;; esac
case $new in
  *[!0]*) ;;
  *) echo "esteira: $branch is protected and cannot be deleted" >&2; exit 1 ;;
esac
if ! git merge-base --is-ancestor "$old" "$new"; then
  echo "esteira: $branch is protected: a push may only add commits to it, and this one would remove some" >&2
  exit 1
fi
`;

/** Mistakes of old tools in histories that cannot be changed any more. */
const FORGIVEN = ["badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode"];

/** One exchange with a client. */
export interface GitExchange {
  /** Absolute folder of the bare repository. */
  readonly repository: string;
  /** The client's header `Git-Protocol`. */
  readonly protocol?: string | undefined;
  readonly input: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** What a push may do. */
export interface PushLimits {
  /** Patterns of branches that only grow: `main`, `release/*`. */
  readonly protectedBranches: readonly string[];
  /** Of what is sent, compressed. */
  readonly largestBytes: number;
  /** Noted beside each moved branch. */
  readonly pusher: string;
}

/** Serves bare repositories of this machine to clients of git, whose transport is the caller's. */
export interface GitServer {
  /** Makes an empty bare repository where there is none. @throws EXECUTORS_GIT_FAILED */
  create(repository: string, branch: string): Promise<void>;
  exists(repository: string): Promise<boolean>;
  /** The branches and tags, as a client reads them first. @throws EXECUTORS_GIT_FAILED */
  advertise(
    service: GitService,
    options: { readonly repository: string; readonly protocol?: string | undefined },
  ): Promise<Buffer>;
  /** Answers what a client wants to have. @throws EXECUTORS_GIT_FAILED when git ends with an error */
  upload(exchange: GitExchange): AsyncGenerator<Buffer>;
  /** Takes what a client sends; hooks of the repository never run. @throws EXECUTORS_GIT_FAILED */
  receive(exchange: GitExchange, limits: PushLimits): AsyncGenerator<Buffer>;
  /** Bytes of all objects of a repository. @throws EXECUTORS_GIT_FAILED */
  sizeBytes(repository: string): Promise<number>;
  /** Who moved a branch to this commit, as `receive` noted it; undefined when it is not known. */
  pusherOf(repository: string, branch: string, commit: string): Promise<string | undefined>;
}

/**
 * @param options.hooksFolder where the hook is kept that protects branches; made when it is missing
 */
export function createGitServer(options: { readonly searchPath: string; readonly hooksFolder: string }): GitServer {
  const { hooksFolder } = options;
  const environment = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
    PATH: options.searchPath,
    // Settings of the user that the server runs as are not those of its repositories.
    HOME: hooksFolder,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    LC_ALL: "C",
    ...more,
  });
  const withProtocol = (protocol: string | undefined): Readonly<Record<string, string>> =>
    protocol !== undefined && PROTOCOL.test(protocol) ? { GIT_PROTOCOL: protocol } : {};
  const ask = (args: readonly string[], more?: Readonly<Record<string, string>>): Promise<Buffer> =>
    runToEnd([...settings(hooksFolder), ...args], environment(more));

  async function* serve(
    service: GitService,
    { repository, protocol, input, signal }: GitExchange,
    more: { readonly settings: readonly string[]; readonly environment: Readonly<Record<string, string>> },
  ): AsyncGenerator<Buffer> {
    const args = [...settings(hooksFolder), ...more.settings, commandOf(service), "--stateless-rpc", repository];
    const child = spawn("git", args, { env: environment({ ...withProtocol(protocol), ...more.environment }), signal });
    yield* exchange(child, input, commandOf(service));
  }

  return {
    async create(repository, branch) {
      await writeHook(hooksFolder);
      if (await isRepository(repository)) return;
      const partial = `${repository}.${newId()}.part`;
      await mkdir(dirname(repository), { recursive: true });
      await ask(["init", "--quiet", "--bare", "--template=", `--initial-branch=${branch}`, partial]);
      await rename(partial, repository).catch(async (error: unknown) => {
        if (!(await isRepository(repository))) throw error;
      });
    },
    exists: isRepository,
    async advertise(service, { repository, protocol }) {
      return ask([commandOf(service), "--stateless-rpc", "--advertise-refs", repository], withProtocol(protocol));
    },
    upload: (request) => serve("git-upload-pack", request, { settings: [], environment: {} }),
    receive: (request, { protectedBranches, largestBytes, pusher }) =>
      serve("git-receive-pack", request, {
        settings: ["-c", `receive.maxInputSize=${Math.max(1, Math.floor(largestBytes))}`],
        environment: {
          ESTEIRA_PROTECTED: protectedBranches.join("\n"),
          GIT_COMMITTER_NAME: pusher,
          GIT_COMMITTER_EMAIL: "pusher@esteira.invalid",
        },
      }),
    async sizeBytes(repository) {
      const counted = (await ask(["-C", repository, "count-objects", "-v"])).toString();
      const of = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(counted)?.[1] ?? 0);
      return (of("size") + of("size-pack") + of("size-garbage")) * 1024;
    },
    async pusherOf(repository, branch, commit) {
      const noted = await ask([
        "-C",
        repository,
        "log",
        "--walk-reflogs",
        "--max-count=1",
        "--format=%H %gn",
        `refs/heads/${branch}`,
        "--",
      ]).catch(() => Buffer.alloc(0));
      const [line = ""] = noted.toString().split("\n");
      const name = line.startsWith(`${commit} `) ? line.slice(commit.length + 1) : "";
      return name === "" ? undefined : name;
    },
  };
}

function commandOf(service: GitService): string {
  return service.slice("git-".length);
}

function settings(hooksFolder: string): readonly string[] {
  const pairs = [
    `core.hooksPath=${hooksFolder}`,
    "core.logAllRefUpdates=true",
    // Trees with names that lead out of a work tree, and such addresses of submodules, are refused.
    "receive.fsckObjects=true",
    ...FORGIVEN.map((problem) => `receive.fsck.${problem}=ignore`),
    "receive.autogc=false",
    "receive.unpackLimit=1",
    "receive.advertisePushOptions=true",
    "receive.denyCurrentBranch=ignore",
    "receive.denyDeleteCurrent=ignore",
    // Only branches and tags are seen and moved.
    "transfer.hideRefs=refs/",
    "transfer.hideRefs=!refs/heads/",
    "transfer.hideRefs=!refs/tags/",
    "uploadpack.allowFilter=true",
  ];
  return pairs.flatMap((pair) => ["-c", pair]);
}

async function isRepository(repository: string): Promise<boolean> {
  return (await stat(join(repository, "objects")).catch(() => undefined))?.isDirectory() === true;
}

async function writeHook(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const partial = join(folder, `update.${newId()}.part`);
  await writeFile(partial, UPDATE_HOOK);
  await chmod(partial, 0o755);
  await rename(partial, join(folder, "update"));
}

/** Input and output move at once: git answers before it has read everything. */
async function* exchange(
  child: ChildProcessWithoutNullStreams,
  input: AsyncIterable<Uint8Array>,
  command: string,
): AsyncGenerator<Buffer> {
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  // Whoever reads the output hears of it below.
  ended.catch(() => undefined);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (said = (said + piece).slice(-2000)));
  // A client that goes away ends git; git that ends early does not wait for the client.
  const sent = pipeline(Readable.from(input), child.stdin).catch(() => child.kill("SIGTERM"));
  try {
    const output: AsyncIterable<Buffer> = child.stdout;
    yield* output;
    const code = await ended.catch((error: unknown) => {
      throw gitFailed({ command, reason: reasonOf(error) }, error);
    });
    if (code !== 0) throw gitFailed({ command, reason: said.trim() || `it ended with ${code}` });
  } finally {
    if (child.exitCode === null) child.kill("SIGTERM");
    child.stdin.destroy();
    await sent;
  }
}

function reasonOf(error: unknown): string {
  const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
  return isMissing ? "there is no git on the search path" : messageOf(error);
}

function runToEnd(args: readonly string[], env: Record<string, string>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    execFile(
      "git",
      [...args],
      { env, encoding: "buffer", maxBuffer: MOST_ADVERTISED_BYTES, timeout: ADVERTISE_LIMIT_MS },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const command = args.find((arg) => /^[a-z]+(-[a-z]+)*$/.test(arg)) ?? "git";
        reject(gitFailed({ command, reason: stderr.toString().trim() || reasonOf(error) }, error));
      },
    );
  });
}

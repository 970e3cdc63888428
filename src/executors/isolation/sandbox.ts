import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Readable, Writable } from "node:stream";
import type { ProcessSpec } from "#pipeline";
import { sandboxUnavailable } from "../errors.ts";
import { findProgram } from "../program-path.ts";
import { readSandboxStatus, type SandboxStatus } from "./sandbox-status.ts";
import { terminalFilter } from "./terminal-filter.ts";
import { copyConfiguration, deviceView, isSystem, resolverView, systemView } from "./system-view.ts";

/** Never the step's own PATH: what it runs in is not chosen by what runs in it. */
const SEARCHED = "/usr/local/bin:/usr/bin:/bin";
/** Descriptor on which bubblewrap tells the sandbox's first process and how the command ended. */
const STATUS = 3;
/** Descriptor of which bubblewrap reads what a command with a terminal may not call. */
const FILTER = 4;
/** What `stdio` of `spawn` has behind its first three entries for a wrapped command; then {@link enterSandbox}. */
export const SANDBOX_PIPES = ["pipe"] as const;
/** The same for one with a terminal. */
export const SANDBOX_TERMINAL_PIPES = [...SANDBOX_PIPES, "pipe"] as const;
/** Where a sandboxed process finds its secrets. */
export const SECRETS_INSIDE = "/run/secrets";
/** What every sandbox sees of the machine is looked at no more often: steps that start together see the same. */
const MACHINE_SEEN_MS = 1000;
/** No account of this machine has it. An engine of another user keeps its own number. */
const USER_INSIDE = 65532;
const LARGEST_TMP_BYTES = 512 * 2 ** 20;
const LARGEST_SHARED_MEMORY_BYTES = 2 * 2 ** 30;

/** What a sandboxed process sees beside the system's programs. */
export interface SandboxView {
  /** Absolute; in one of the folders that are seen. */
  readonly workingFolder: string;
  /** Absolute; seen and written. */
  readonly writable: readonly string[];
  /** Absolute; seen, and not written. What is not there is left out. */
  readonly readable?: readonly string[];
  /** Absolute folders that stay closed although one that holds them is seen: the store. */
  readonly hidden?: readonly string[];
  /** Absolute folder of secrets, seen in {@link SECRETS_INSIDE}. */
  readonly secrets?: string | undefined;
  /** `false` or a list: no network of its own, the machine's own addresses included. */
  readonly network?: ProcessSpec["network"];
  /** It stays in the session of a terminal, whose keys it gets; see {@link terminalFilter}. */
  readonly isInteractive?: boolean;
}

/** What stands in the way of a sandbox. */
export interface SandboxProblem {
  /** Another system than Linux, no bubblewrap, or one that the machine lets make none. */
  readonly cause: "system" | "program" | "machine";
  readonly reason: string;
}

/**
 * Runs commands so that they see the system's programs, what they are shown, and nothing else: no home, no store, no
 * other process. The network stays reachable unless it is refused: the platform is on it.
 */
export interface Sandbox {
  /** Why none can be made here; undefined when one can. Found out once, by making one. */
  problem(): Promise<SandboxProblem | undefined>;
  /**
   * @param requiredBy what asks for a sandbox, as people say it: `environment "production"`
   * @throws EXECUTORS_SANDBOX_UNAVAILABLE with the cure
   */
  assertAvailable(requiredBy: string): Promise<void>;
  /**
   * The command, wrapped, to be started with {@link SANDBOX_PIPES}. Only where there is no {@link problem}.
   */
  wrap(command: readonly [string, ...string[]], view: SandboxView): readonly [string, ...string[]];
}

/**
 * @param searched folders that may hold bubblewrap, separated as in PATH; default the system's
 * @param cacheFolder absolute; keeps what every sandbox sees of /etc. Default: a temporary folder of this process
 */
export function createSandbox(searched: string = SEARCHED, cacheFolder?: string): Sandbox {
  const program = findProgram("bwrap", searched);
  let probed: Promise<SandboxProblem | undefined> | undefined;
  let system: readonly string[] | undefined;
  const base = (): readonly string[] => {
    const configuration = copyConfiguration(cacheFolder ?? ownFolder(), numbersInside());
    system ??= [...ISOLATION, ...identity(), ...SYSTEM, ...systemView()];
    return [...system, "--ro-bind", configuration, "/etc", ...resolverView()];
  };
  let seen: { readonly args: readonly string[]; readonly atMs: number } | undefined;
  const machine = (): readonly string[] => {
    const atMs = performance.now();
    if (seen === undefined || atMs - seen.atMs > MACHINE_SEEN_MS) seen = { args: [...base(), ...deviceView()], atMs };
    return seen.args;
  };
  const find = async (): Promise<SandboxProblem | undefined> => {
    if (program === undefined)
      return {
        cause: process.platform === "linux" ? "program" : "system",
        reason: `bubblewrap (bwrap) is not installed; searched: ${searched.split(delimiter).join(", ")}`,
      };
    const reason = await probe([program, ...base(), ...END, "--", "true"]);
    return reason === undefined ? undefined : { cause: "machine", reason };
  };
  const problem = (): Promise<SandboxProblem | undefined> => (probed ??= find());
  return {
    problem,
    async assertAvailable(requiredBy) {
      const found = await problem();
      if (found !== undefined) throw sandboxUnavailable({ requiredBy, reason: found.reason });
    },
    wrap: (command, view) => [
      program ?? "bwrap",
      ...inSession(machine(), view.isInteractive === true),
      ...bindsOf(view),
      ...(view.secrets === undefined ? [] : ["--ro-bind", view.secrets, SECRETS_INSIDE]),
      ...(view.network !== undefined ? ["--unshare-net"] : []),
      ...END,
      "--json-status-fd",
      String(STATUS),
      "--chdir",
      view.workingFolder,
      "--",
      ...command,
    ],
  };
}

/** A terminal's keys reach only the session that it belongs to; without a filter for this machine it has none. */
function inSession(args: readonly string[], isInteractive: boolean): readonly string[] {
  if (!isInteractive || terminalFilter() === undefined) return args;
  return [...args.filter((arg) => arg !== "--new-session"), "--seccomp", String(FILTER)];
}

/** Hears what becomes of a wrapped command, right after its start. */
export function enterSandbox(child: ChildProcess, isInteractive = false): SandboxStatus {
  const status = child.stdio[STATUS];
  const filter = isInteractive ? child.stdio[FILTER] : undefined;
  if (filter instanceof Writable) filter.on("error", () => {}).end(terminalFilter());
  return readSandboxStatus(status instanceof Readable ? status : Readable.from([]));
}

let temporary: string | undefined;

function ownFolder(): string {
  if (temporary === undefined) {
    const made = mkdtempSync(join(tmpdir(), "esteira-etc-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    temporary = made;
  }
  return temporary;
}

function numbersInside(): { readonly id: number; readonly group: number } {
  const user = process.getuid?.() ?? 0;
  const group = process.getgid?.() ?? 0;
  // A tool that believes to be root changes owners and fails.
  return user === 0 ? { id: USER_INSIDE, group: USER_INSIDE } : { id: user, group };
}

function identity(): readonly string[] {
  const { id, group } = numbersInside();
  return ["--uid", String(id), "--gid", String(group)];
}

// --disable-userns is refused without an explicit --unshare-user.
const ISOLATION = [
  "--unshare-user",
  "--disable-userns",
  "--unshare-pid",
  "--unshare-ipc",
  "--unshare-uts",
  "--unshare-cgroup-try",
  "--new-session",
  "--die-with-parent",
  "--cap-drop",
  "ALL",
] as const;
const SYSTEM = [
  "--dev",
  "/dev",
  "--size",
  String(LARGEST_SHARED_MEMORY_BYTES),
  "--perms",
  "1777",
  "--tmpfs",
  "/dev/shm",
  "--proc",
  "/proc",
  "--size",
  String(LARGEST_TMP_BYTES),
  "--perms",
  "1777",
  "--tmpfs",
  "/tmp",
  "--dir",
  "/var",
  "--symlink",
  "/tmp",
  "/var/tmp",
  "--dir",
  "/run",
] as const;
/** The root is a file system in memory, which is filled by now. */
const END = ["--remount-ro", "/"] as const;

const isBelow = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

/** A later bind hides an earlier one below it, so a folder comes after those that hold it. */
function bindsOf({ writable, readable = [], hidden = [] }: SandboxView): readonly string[] {
  const binds = new Map<string, string>();
  for (const folder of new Set(readable)) {
    const isSeen = readable.some(
      (other) => isBelow(folder, other) && !hidden.some((one) => isBelow(one, other) && isBelow(`${folder}/`, one)),
    );
    if (!isSeen && !isSystem(folder) && existsSync(folder)) binds.set(folder, "--ro-bind");
  }
  for (const folder of hidden) {
    const isShown = [...binds.keys(), ...writable].some((other) => folder === other || folder.startsWith(`${other}/`));
    if (isShown && existsSync(folder)) binds.set(folder, "--tmpfs");
  }
  for (const folder of writable) binds.set(folder, "--bind");
  const sorted = [...binds].sort(([one], [other]) => one.length - other.length);
  const closed = sorted.filter(([, bind]) => bind === "--tmpfs").flatMap(([folder]) => ["--remount-ro", folder]);
  return [
    ...sorted.flatMap(([folder, bind]) => (bind === "--tmpfs" ? [bind, folder] : [bind, folder, folder])),
    ...closed,
  ];
}

function probe([program, ...args]: readonly [string, ...string[]]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { PATH: SEARCHED } });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) =>
      resolve(code === 0 ? undefined : said.trim() || `bwrap ended with exit code ${String(code)}`),
    );
  });
}

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { sandboxUnavailable } from "../errors.ts";

/** Never the step's own PATH: what it runs in is not chosen by what runs in it. */
const SEARCHED = "/usr/local/bin:/usr/bin:/bin";

/** Folders as a sandboxed process sees them. */
export interface SandboxFolders {
  readonly workingFolder: string;
  /** Absolute; seen and written, like the working folder. */
  readonly writable: readonly string[];
  /** Absolute; seen, also below the working folder or /tmp, and not written. */
  readonly readable?: readonly string[];
  /** `false`: no network, the machine's own addresses included. */
  readonly network?: boolean | undefined;
}

/**
 * Runs commands so that they see the system read-only, no other process, and a private /tmp. The network stays
 * reachable unless it is refused: the platform is on it.
 */
export interface Sandbox {
  /**
   * @param requiredBy what asks for a sandbox, as people say it: `environment "production"`
   * @throws EXECUTORS_SANDBOX_UNAVAILABLE with the cure
   */
  assertAvailable(requiredBy: string): Promise<void>;
  /** The command, wrapped. Call `assertAvailable` first. */
  wrap(command: readonly [string, ...string[]], folders: SandboxFolders): readonly [string, ...string[]];
}

/** @param searched folders that may hold bubblewrap, separated as in PATH; default the system's */
export function createSandbox(searched: string = SEARCHED): Sandbox {
  const program = searched
    .split(delimiter)
    .map((folder) => join(folder, "bwrap"))
    .find(isExecutable);
  let probed: Promise<string | undefined> | undefined;
  return {
    async assertAvailable(requiredBy) {
      if (program === undefined)
        throw sandboxUnavailable({
          requiredBy,
          reason: `bubblewrap (bwrap) is not installed; searched: ${searched.split(delimiter).join(", ")}`,
        });
      // Found out once, by making one.
      probed ??= probe(program);
      const reason = await probed;
      if (reason !== undefined) throw sandboxUnavailable({ requiredBy, reason });
    },
    wrap: (command, folders) => [
      program ?? "bwrap",
      ...SYSTEM,
      ...bindsOf(folders),
      ...(folders.network === false ? ["--unshare-net"] : []),
      "--chdir",
      folders.workingFolder,
      "--",
      ...command,
    ],
  };
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
  ...ISOLATION,
  "--ro-bind",
  "/",
  "/",
  "--dev",
  "/dev",
  "--proc",
  "/proc",
  "--size",
  "536870912",
  "--tmpfs",
  "/tmp",
] as const;

/** A later bind hides an earlier one below it, so a folder comes after those that hold it. */
function bindsOf({ workingFolder, writable, readable = [] }: SandboxFolders): readonly string[] {
  const binds = new Map<string, string>(readable.map((folder) => [folder, "--ro-bind"]));
  for (const folder of [workingFolder, ...writable]) binds.set(folder, "--bind");
  return [...binds]
    .sort(([one], [other]) => one.length - other.length)
    .flatMap(([folder, bind]) => [bind, folder, folder]);
}

function probe(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, [...SYSTEM, "--", "true"], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: SEARCHED },
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) =>
      resolve(code === 0 ? undefined : said.trim() || `bwrap ended with exit code ${String(code)}`),
    );
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

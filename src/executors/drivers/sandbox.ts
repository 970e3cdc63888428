import { spawn } from "node:child_process";
import { sandboxUnavailable } from "../errors.ts";

let probed: Promise<string | undefined> | undefined;

/** Why no sandbox can be made here; undefined when one can. Found out once, by making one. */
export function sandboxProblem(): Promise<string | undefined> {
  probed ??= probe();
  return probed;
}

/** @throws EXECUTORS_SANDBOX_UNAVAILABLE with the cure */
export async function assertSandbox(): Promise<void> {
  const problem = await sandboxProblem();
  if (problem !== undefined) throw sandboxUnavailable({ reason: problem });
}

/**
 * Wraps a command so that it sees the system read-only, its working folder writable, no other process, and a private /tmp.
 * The network stays reachable: the platform is.
 */
export function sandboxCommand(command: readonly [string, ...string[]], options: { readonly workingFolder: string; readonly writable: readonly string[] }): readonly [string, ...string[]] {
  const binds = [...new Set([options.workingFolder, ...options.writable])].flatMap((folder) => ["--bind", folder, folder]);
  return ["bwrap", ...ISOLATION, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--size", "536870912", "--tmpfs", "/tmp", ...binds, "--chdir", options.workingFolder, "--", ...command];
}

// --disable-userns is refused without an explicit --unshare-user.
const ISOLATION = ["--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--new-session", "--die-with-parent", "--cap-drop", "ALL"] as const;

function probe(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const [program, ...args] = sandboxCommand(["true"], { workingFolder: "/", writable: [] });
    const child = spawn(program, args.filter((_, index, all) => !(all[index] === "--bind" || all[index - 1] === "--bind" || all[index - 2] === "--bind")), { stdio: ["ignore", "ignore", "pipe"], env: { PATH: "/usr/local/bin:/usr/bin:/bin" } });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
    child.on("error", () => resolve("bubblewrap (bwrap) is not installed"));
    child.on("close", (code) => resolve(code === 0 ? undefined : said.trim() || `bwrap ended with exit code ${String(code)}`));
  });
}

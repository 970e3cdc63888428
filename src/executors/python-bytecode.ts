import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";

/** Its own end, or that of whoever started it, ends it; what it has made until then stays. */
const SCRIPT = `
import compileall, os, sys, sysconfig, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
os.nice(19)
compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2)
open(sys.argv[1], "w").close()
`;

const started = new Set<string>();

/**
 * Makes the byte code of an environment's packages, once, beside and behind whatever else is done: an isolated
 * process reads the environment and cannot write there, so each would compile what it imports anew.
 */
export function compilePackages(folder: string): void {
  const done = join(folder, "compiled");
  if (started.has(folder) || existsSync(done)) return;
  started.add(folder);
  const child = spawn(join(folder, "bin", "python"), ["-I", "-c", SCRIPT, done], {
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
    env: { LANG: "C.UTF-8" },
  });
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.unref();
  // The pipe stays open as long as this process lives, and does not keep it alive.
  const pipe: unknown = child.stdin;
  if (pipe instanceof Socket) pipe.unref();
}

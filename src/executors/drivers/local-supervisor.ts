import { type ChildProcess, spawn } from "node:child_process";
import { writeSync } from "node:fs";

/**
 * Ends the process groups of this engine when the engine dies, however it dies: a shell that waits for the end of its
 * standard input. Lines it reads: `+ GROUP` and `- GROUP`. At the end it kills every group it still knows, and then
 * whatever carries the engine's mark in its environment: a grandchild in a session of its own, or a process that the
 * engine had started and not yet named. It looks twice: a process between fork and exec shows the engine's environment.
 */
const SCRIPT = `
groups=" "
while read -r change group; do
  case "$change" in
    +) groups="$groups$group " ;;
    -) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;;
  esac
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
scan() {
  for file in $(grep -lasz "^ESTEIRA_ENGINE=$1\\$" /proc/[0-9]*/environ 2>/dev/null); do
    pid=\${file#/proc/}; pid=\${pid%/environ}
    [ "$pid" = "$$" ] || kill -KILL "$pid" 2>/dev/null
  done
}
if [ -d /proc/self ]; then scan "$1"; sleep 0.2; scan "$1"; fi
`;

/** One watcher process per engine; costs a pipe write per process started. */
export class LocalSupervisor {
  readonly #mark: string;
  readonly #groups = new Set<number>();
  #child: ChildProcess | undefined;
  #pipe: number | undefined;

  /** @param mark value of `ESTEIRA_ENGINE` in every process of this engine */
  constructor(mark: string) {
    this.#mark = mark;
  }

  /** Called before the start of a process: an engine that dies before `watch` leaves nothing behind either. */
  begin(): void {
    this.#ensureStarted();
  }

  /** Called right after the start of a group's first process. */
  watch(group: number): void {
    this.#groups.add(group);
    this.#ensureStarted();
    this.#tell(`+ ${group}\n`);
  }

  release(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`- ${group}\n`);
  }

  #ensureStarted(): void {
    if (this.#child !== undefined) return;
    const child = spawn("/bin/sh", ["-c", SCRIPT, "esteira-supervisor", this.#mark], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      // It holds no folder of the project, and no process of it looks like one that works there.
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
    });
    this.#child = child;
    // The pipe's descriptor is written to directly: a line must be on its way before anything else can happen.
    this.#pipe = (child.stdin as unknown as { _handle?: { fd?: number } } | null)?._handle?.fd;
    child.stdin?.on("error", () => {});
    child.on("error", () => this.#restart(child));
    child.on("exit", () => this.#restart(child));
    child.unref();
    (child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
    for (const group of this.#groups) this.#tell(`+ ${group}\n`);
  }

  /** Someone killed the watcher: another one learns of all groups that still run. */
  #restart(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#pipe = undefined;
    if (this.#groups.size > 0) this.#ensureStarted();
  }

  #tell(line: string): void {
    if (this.#pipe !== undefined && this.#pipe >= 0) {
      try {
        writeSync(this.#pipe, line);
        return;
      } catch {
        // A full or closed pipe: the stream below waits, or its end restarts the watcher.
      }
    }
    this.#child?.stdin?.write(line);
  }
}

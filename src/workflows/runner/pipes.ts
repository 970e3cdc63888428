import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The two ends of a pipe. */
export interface Pipe {
  readonly read: Socket;
  /** Descriptor for the process that writes; to be closed here when that runs. */
  readonly write: number;
}

/**
 * Makes pipes for the outputs of a process. Node's own are sockets, which a script cannot open: `echo failed >
 * /dev/stderr` and `tee /dev/stderr` fail with them. Undefined where this machine cannot make any.
 */
export function makePipes(count: number): readonly Pipe[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), "pipes-"));
  const pipes: Pipe[] = [];
  try {
    const paths = Array.from({ length: count }, (_, index) => join(folder, String(index)));
    execFileSync("mkfifo", ["-m", "600", ...paths], { stdio: "ignore" });
    for (const path of paths) {
      // In this order: who opens for writing alone waits for a reader.
      const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const write = openSync(path, constants.O_WRONLY);
      pipes.push({ read: new Socket({ fd: read, readable: true, writable: false }), write });
    }
    return pipes;
  } catch {
    for (const { read, write } of pipes) {
      read.destroy();
      closeSync(write);
    }
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

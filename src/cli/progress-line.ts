import { formatCount, formatSize } from "./format.ts";
import type { Terminal } from "./terminal.ts";

const EVERY_MS = 200;

/** Draws how far a copy is, a few times a second. */
export function progressLine(
  terminal: Terminal,
): (progress: { readonly files: number; readonly of: number; readonly bytes: number }) => void {
  let drawnAt = 0;
  return ({ files, of, bytes }) => {
    const now = performance.now();
    if (now - drawnAt < EVERY_MS) return;
    drawnAt = now;
    terminal.draw([
      terminal.say("copying", { files: formatCount(files), of: formatCount(of), size: formatSize(bytes) }),
    ]);
  };
}

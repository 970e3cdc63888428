import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Folder in the user's own cache for what tests make once and keep: Python environments, a browser. Never a fixed place
 * that another user may own.
 */
export function testCache(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "esteira");
}

import { type FSWatcher, watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { digestOf, formatProblems, type LocatedProblem, type Log, messageOf } from "#base";
import type { LoadedProject } from "#pipeline";

/** Folders that hold no file of the project: the store, repositories, what package managers made. */
const IGNORED: ReadonlySet<string> = new Set([
  ".git",
  ".esteira",
  "node_modules",
  "__pycache__",
  ".ipynb_checkpoints",
  ".venv",
]);
/** What a project is written in; data are no files of the project in this sense. */
const WRITTEN: ReadonlySet<string> = new Set([
  ".yaml",
  ".yml",
  ".sql",
  ".ipynb",
  ".py",
  ".js",
  ".mjs",
  ".cjs",
  ".ts",
  ".mts",
  ".sh",
  ".toml",
  ".txt",
  ".json",
  ".md",
]);
/** An editor writes a file in several moves. */
const SETTLE_MS = 150;
/**
 * Folders over a network tell nothing of their changes: they are looked through this often, or less often when that
 * takes long.
 */
const LOOK_EVERY_MS = 2000;
const LARGEST_SHARE = 0.01;
/** Watched folders, each of which costs the system a handle. */
const MOST_FOLDERS = 1000;

export interface ProjectWatchOptions {
  readonly folder: string;
  /** Not looked through, wherever it is. */
  readonly storeFolder: string;
  /** Reads and checks the files. */
  readonly load: () => Promise<LoadedProject>;
  /** Makes a project without mistakes the one in force. */
  readonly register: (loaded: LoadedProject) => Promise<void>;
  readonly log: Log;
}

/**
 * Keeps the project of a running process equal to its files.
 *
 * States: new → watching (after `start`) → ended. While watching, a change of a file is followed by one reading of the
 * project; one without mistakes is put in force, one with mistakes is told and leaves the last good one in force.
 */
export interface ProjectWatch {
  /** @param seen what is in force already, as it was read */
  start(seen: LoadedProject): Promise<void>;
  /** Mistakes of the files as they are now; empty when what is written is in force. */
  problems(): readonly LocatedProblem[];
  stop(): Promise<void>;
}

export function createProjectWatch(options: ProjectWatchOptions): ProjectWatch {
  const { folder, log } = options;
  const watchers = new Map<string, FSWatcher>();
  let problems: readonly LocatedProblem[] = [];
  let seen = "";
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let running = false;

  function schedule(afterMs: number): void {
    if (!running) return;
    clearTimeout(timer);
    timer = setTimeout(() => (looking = look()), afterMs);
    timer.unref();
  }

  async function look(): Promise<void> {
    const startMs = performance.now();
    try {
      const found = await readFingerprint(options);
      follow(found.folders);
      if (found.fingerprint !== seen) {
        seen = found.fingerprint;
        await reload();
      }
    } catch (error) {
      log.warn("the project's files could not be looked through", { folder, error: messageOf(error) });
    }
    schedule(Math.max(LOOK_EVERY_MS, (performance.now() - startMs) / LARGEST_SHARE));
  }

  async function reload(): Promise<void> {
    const loaded = await options.load();
    problems = loaded.problems;
    if (problems.length > 0) {
      log.error("the project's files have mistakes; what was read before stays in force", {
        count: problems.length,
        problems: formatProblems(problems),
      });
      return;
    }
    await options.register(loaded);
    log.info("the project's files changed and were read again", { pipelines: loaded.pipelines.length });
  }

  /** Watches exactly these folders. A folder that cannot be watched is only looked through. */
  function follow(folders: readonly string[]): void {
    const wanted = new Set(folders.slice(0, MOST_FOLDERS));
    for (const [path, watcher] of watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      watchers.delete(path);
    }
    for (const path of wanted) {
      if (watchers.has(path)) continue;
      try {
        const watcher = watch(path, { persistent: false }, () => schedule(SETTLE_MS));
        watcher.on("error", () => {
          watcher.close();
          watchers.delete(path);
        });
        watchers.set(path, watcher);
      } catch (error) {
        log.debug("a folder of the project cannot be watched", { path, error: messageOf(error) });
      }
    }
  }

  return {
    async start(loaded) {
      problems = loaded.problems;
      const found = await readFingerprint(options);
      seen = found.fingerprint;
      running = true;
      follow(found.folders);
      schedule(LOOK_EVERY_MS);
    },
    problems: () => problems,
    async stop() {
      running = false;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
      await looking;
    },
  };
}

/** What tells one state of the written files from another, and the folders that hold them. */
async function readFingerprint({ folder, storeFolder }: Pick<ProjectWatchOptions, "folder" | "storeFolder">): Promise<{
  readonly fingerprint: string;
  readonly folders: readonly string[];
}> {
  const facts: string[] = [];
  const folders: string[] = [];
  const open = [folder];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    // A folder that went away meanwhile holds nothing.
    const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
      throw error;
    });
    if (entries.some(({ name }) => name === "pyvenv.cfg")) continue;
    folders.push(path);
    const files: string[] = [];
    for (const entry of entries) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) {
        if (!IGNORED.has(entry.name) && inside !== storeFolder) open.push(inside);
      } else if (WRITTEN.has(extname(entry.name).toLowerCase())) files.push(inside);
    }
    facts.push(...(await Promise.all(files.map(factsOf))));
  }
  return { fingerprint: digestOf(facts.sort().join("\n")), folders };
}

async function factsOf(file: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(file);
    return `${file} ${size} ${mtimeMs} ${ino}`;
  } catch (error) {
    return `${file} ${String((error as NodeJS.ErrnoException).code)}`;
  }
}

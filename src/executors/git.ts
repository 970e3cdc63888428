import { execFile } from "node:child_process";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { newId } from "#base";
import { commitInvalid, gitFailed } from "./git-errors.ts";

const COMMAND_LIMIT_MS = 120_000;
const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** What the platform asks of git. */
export interface Git {
  /**
   * Commit of a work tree and whether files below the folder differ from it; undefined when it is not under git or has
   * no commit.
   */
  readCommit(folder: string): Promise<{ readonly id: string; readonly dirty: boolean } | undefined>;
  /**
   * Makes a work tree of exactly one commit. A folder that exists is whole and left as it is.
   *
   * @param checkout `repository` as git takes it (path or URL); `folder` absolute; `ref` where the repository has the
   *   commit, if no branch does
   * @throws EXECUTORS_COMMIT_INVALID, EXECUTORS_GIT_FAILED
   */
  checkout(checkout: {
    readonly repository: string;
    readonly commit: string;
    readonly folder: string;
    readonly ref?: string;
    readonly signal?: AbortSignal;
  }): Promise<void>;
  /**
   * Puts the files of one branch, tag or commit into a folder, without the repository. One that exists is whole and
   * refused.
   *
   * @param copy `repository` as git takes it; `folder` absolute
   * @returns the commit
   * @throws EXECUTORS_GIT_FAILED
   */
  copyRef(copy: {
    readonly repository: string;
    readonly ref: string;
    readonly folder: string;
    readonly signal?: AbortSignal;
  }): Promise<string>;
  /**
   * Paths below a folder that git ignores, relative to it and without a slash at the end; of an ignored folder only
   * itself. Empty where there is no repository.
   */
  ignoredPaths(folder: string): Promise<readonly string[]>;
  /**
   * Newest commit of every branch of a bare repository on this machine. Undefined for a work tree, whose branches move
   * with every commit made in it. @throws EXECUTORS_GIT_FAILED
   */
  branchHeads(repository: string): Promise<ReadonlyMap<string, string> | undefined>;
  /** Files that differ between two commits of a repository of this machine; undefined where it does not know both. */
  changedFiles(
    repository: string,
    commits: { readonly from: string; readonly to: string },
  ): Promise<readonly string[] | undefined>;
  /** Addresses of a commit's author, committer and co-authors; empty when the commit is not known there. */
  commitAuthors(folder: string, commit: string): Promise<readonly string[]>;
  /** The same of those who committed a file of the folder since a moment, epoch milliseconds, and last. */
  fileAuthors(folder: string, file: string, sinceMs: number): Promise<readonly string[]>;
  /** Puts one file as a commit on a ref of its own; the work tree is not touched. @throws EXECUTORS_GIT_FAILED */
  keepFile(file: KeptFile & { readonly text: string; readonly message: string }): Promise<void>;
  /** The file at the top of a ref; undefined when there is no such ref. @throws EXECUTORS_GIT_FAILED */
  readKeptFile(file: KeptFile): Promise<string | undefined>;
}

/** A file that a ref outside the branches holds. */
export interface KeptFile {
  /** Absolute folder in the repository. */
  readonly folder: string;
  /** `refs/…` in full. */
  readonly ref: string;
  readonly name: string;
}

export interface GitOptions {
  /** What git sees: `PATH`, and `HOME` or `SSH_AUTH_SOCK` where private repositories need them. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The git command line, without prompts. */
export function createGit(options: GitOptions): Git {
  const git = (args: readonly string[], signal?: AbortSignal): Promise<string> => run(args, options, { signal });
  return {
    async readCommit(folder) {
      const id = await git(["-C", folder, "rev-parse", "--verify", "--quiet", "HEAD"]).catch(() => undefined);
      if (id === undefined) return undefined;
      const changes = await git(["-C", folder, "status", "--porcelain", "--untracked-files=no", "--", "."]);
      return { id: id.trim(), dirty: changes.trim() !== "" };
    },
    async checkout({ repository, commit, folder, ref, signal }) {
      if (!COMMIT.test(commit)) throw commitInvalid({ commit });
      if ((await stat(folder).catch(() => undefined)) !== undefined) return;
      const partial = `${folder}.${newId()}`;
      await mkdir(dirname(folder), { recursive: true });
      try {
        await git(["init", "--quiet", partial], signal);
        await fetchCommit((args) => git(["-C", partial, ...args], signal), { repository, commit, ref });
        await git(["-C", partial, "checkout", "--quiet", "--detach", commit], signal);
        await rename(partial, folder);
      } catch (error) {
        await rm(partial, { recursive: true, force: true });
        // Another process was faster: the same commit, the same files.
        if ((await stat(folder).catch(() => undefined)) === undefined) throw error;
      }
    },
    async copyRef({ repository, ref, folder, signal }) {
      // Neither an option nor a pair of names.
      if (!/^[A-Za-z0-9_][A-Za-z0-9_./+-]*$/.test(ref))
        throw gitFailed({ command: "fetch", reason: `"${ref}" is no branch, tag or commit` });
      const partial = `${folder}.${newId()}`;
      await mkdir(dirname(folder), { recursive: true });
      try {
        const inFolder = (...args: string[]): Promise<string> => git(["-C", partial, ...args], signal);
        await git(["init", "--quiet", partial], signal);
        await inFolder("fetch", "--quiet", "--no-tags", "--depth=1", "--", repository, ref);
        const commit = (await inFolder("rev-parse", "--verify", "FETCH_HEAD^{commit}")).trim();
        await inFolder("checkout", "--quiet", "--detach", commit);
        await rm(join(partial, ".git"), { recursive: true, force: true });
        await rename(partial, folder);
        return commit;
      } finally {
        await rm(partial, { recursive: true, force: true });
      }
    },
    async ignoredPaths(folder) {
      const listed = await git([
        "-C",
        folder,
        "ls-files",
        "-z",
        "--others",
        "--ignored",
        "--exclude-standard",
        "--directory",
        "--",
        ".",
      ]).catch(() => "");
      return listed.split("\0").flatMap((path) => (path === "" ? [] : path.replace(/\/$/, "")));
    },
    async branchHeads(repository) {
      const bare = await git(["-C", repository, "rev-parse", "--is-bare-repository"]);
      if (bare.trim() !== "true") return undefined;
      const format = "--format=%(objectname) %(refname:strip=2)";
      const listed = await git(["-C", repository, "for-each-ref", format, "refs/heads/"]);
      const heads = listed.split("\n").filter((line) => line !== "");
      return new Map(heads.map((line) => [line.slice(line.indexOf(" ") + 1), line.slice(0, line.indexOf(" "))]));
    },
    async changedFiles(repository, { from, to }) {
      if (!COMMIT.test(from) || !COMMIT.test(to)) return undefined;
      const listed = await git(["-C", repository, "diff", "--name-only", "-z", "--no-renames", from, to, "--"]).catch(
        () => undefined,
      );
      return listed?.split("\0").filter((path) => path !== "");
    },
    async commitAuthors(folder, commit) {
      if (!COMMIT.test(commit)) return [];
      return readAddresses(await git(["-C", folder, "log", "-1", AUTHORS, commit, "--"]).catch(() => ""));
    },
    async fileAuthors(folder, file, sinceMs) {
      const log = (...options: string[]): Promise<string> =>
        git(["-C", folder, "log", AUTHORS, ...options, "--", file]).catch(() => "");
      const since = new Date(sinceMs).toISOString();
      return readAddresses((await Promise.all([log("-1"), log("-1000", `--since=${since}`)])).join("\n"));
    },
    async keepFile({ folder, ref, name, text, message }) {
      const inFolder = async (args: readonly string[], input?: string): Promise<string> =>
        (await run(["-C", folder, ...args], options, { input })).trim();
      const parent = await inFolder(["rev-parse", "--verify", "--quiet", ref]).catch(() => undefined);
      const blob = await inFolder(["hash-object", "-w", "--stdin"], text);
      const tree = await inFolder(["mktree"], `100644 blob ${blob}\t${name}\n`);
      const identity = ["-c", "user.name=esteira", "-c", "user.email=esteira@localhost"];
      const above = parent === undefined ? [] : ["-p", parent];
      const commit = await inFolder([...identity, "commit-tree", tree, ...above, "-m", message]);
      // Who else moved it meanwhile wins; what was not kept goes with the next.
      await inFolder(["update-ref", ref, commit, parent ?? "0".repeat(commit.length)]);
    },
    async readKeptFile({ folder, ref, name }) {
      const id = await git(["-C", folder, "rev-parse", "--verify", "--quiet", ref]).catch(() => undefined);
      return id === undefined ? undefined : git(["-C", folder, "cat-file", "blob", `${id.trim()}:${name}`]);
    },
  };
}

const AUTHORS = "--format=%ae%n%ce%n%(trailers:key=Co-authored-by,valueonly)";

function readAddresses(text: string): readonly string[] {
  const addresses = text
    .split("\n")
    .flatMap((line) => /<([^>]+)>/.exec(line)?.[1] ?? (line.includes("@") ? line.trim() : []));
  return [...new Set(addresses)];
}

/** One commit is enough; servers that give out branch tips only are asked for all branches. */
async function fetchCommit(
  git: (args: readonly string[]) => Promise<string>,
  {
    repository,
    commit,
    ref,
  }: { readonly repository: string; readonly commit: string; readonly ref?: string | undefined },
): Promise<void> {
  const fetch = (...words: readonly string[]): Promise<string> => git(["fetch", "--quiet", "--no-tags", ...words]);
  const all = "+refs/heads/*:refs/remotes/origin/*";
  await fetch("--depth=1", "--", repository, commit)
    .catch(() => fetch("--", repository, all, ...(ref === undefined ? [] : [`+${ref}:refs/remotes/pull`])))
    // It may be gone, and a branch may have the commit.
    .catch((error: unknown) => {
      if (ref === undefined) throw error;
      return fetch("--", repository, all);
    });
}

function run(
  args: readonly string[],
  { environment }: GitOptions,
  { signal, input }: { readonly signal?: AbortSignal | undefined; readonly input?: string | undefined },
): Promise<string> {
  const env = {
    ...environment,
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_OPTIONAL_LOCKS: "0",
    LC_ALL: "C",
  };
  return new Promise((resolve, reject) => {
    const child = execFile(
      "git",
      // `ext::` addresses run commands; hooks of a fetched repository and a monitor that a workspace names must not.
      ["-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", ...args],
      {
        env,
        timeout: COMMAND_LIMIT_MS,
        maxBuffer: MOST_OUTPUT_BYTES,
        encoding: "utf8",
        ...(signal === undefined ? {} : { signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
        reject(
          gitFailed(
            {
              command: args.find((arg) => /^[a-z-]+$/.test(arg)) ?? "git",
              reason: missing ? "there is no git on the search path" : stderr.trim() || error.message,
            },
            error,
          ),
        );
      },
    );
    if (input === undefined) return;
    // What ended without reading it says so itself.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

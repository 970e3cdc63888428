import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentScript, removeScript, type ScriptFacts, switchScript, uploadScript } from "./deploy-script.ts";
import { quoteWord } from "../shell-word.ts";
import { sshFailed, sshUnhealthy } from "./ssh-errors.ts";

const CONNECT_S = 15;
const LARGEST_OUTPUT = 64 * 1024;
/** Of a script that ran to its end and found the release not well. */
const NOT_WELL = 65;

/** One host as a project names it. */
export interface SshHost {
  readonly user: string;
  readonly address: string;
  readonly port: number;
  /** Its public key, as in known_hosts: `ssh-ed25519 AAAA…`; no other is accepted. */
  readonly hostKey: string;
}

/** One host at work. */
export interface SshSession {
  readonly host: SshHost;
  /** PEM or OpenSSH private key. */
  readonly key: string;
  readonly signal: AbortSignal;
}

/** Releases on hosts that are reached with the system's ssh client. */
export interface SshHosts {
  /** Sends the files of a folder as a release; nothing where it is there already. @throws EXECUTORS_SSH_FAILED */
  upload(session: SshSession, facts: ScriptFacts, folder: string): Promise<void>;
  /** Makes a release the current one, or leaves what was. @throws EXECUTORS_SSH_FAILED, EXECUTORS_SSH_UNHEALTHY */
  switchTo(session: SshSession, facts: ScriptFacts): Promise<string>;
  /** Name of the current release; undefined while there is none. @throws EXECUTORS_SSH_FAILED */
  current(session: SshSession, folder: string): Promise<string | undefined>;
  /** Idempotent. @throws EXECUTORS_SSH_FAILED */
  remove(session: SshSession, folder: string, stop: string | undefined): Promise<void>;
}

/** As people name a host. */
export function nameOfHost({ user, address, port }: SshHost): string {
  return `${user}@${address}${port === 22 ? "" : `:${port}`}`;
}

export function createSshHosts({ searchPath }: { readonly searchPath: string }): SshHosts {
  const run = (session: SshSession, script: string, from?: string): Promise<Ended> =>
    withFiles(session, (files) => runScript({ session, script, files, from }, searchPath));
  const assertDone = ({ host }: SshSession, what: string, ended: Ended): string => {
    if (ended.code === 0) return ended.stdout;
    const reason = ended.stderr.trim() || ended.stdout.trim() || `the command ended with ${ended.code}`;
    throw sshFailed({ host: nameOfHost(host), what, reason });
  };
  return {
    async upload(session, facts, folder) {
      assertDone(session, "take the release", await run(session, uploadScript(facts), folder));
    },
    async switchTo(session, facts) {
      const ended = await run(session, switchScript(facts));
      if (ended.code !== NOT_WELL) return assertDone(session, "switch to the release", ended);
      const reason = facts.check === undefined ? "its restart failed" : "its restart or its check failed";
      throw sshUnhealthy({ host: nameOfHost(session.host), reason, log: ended.stdout.trim() });
    },
    async current(session, folder) {
      const name = assertDone(session, "tell its release", await run(session, currentScript(folder)));
      return name === "" ? undefined : name;
    },
    async remove(session, folder, stop) {
      assertDone(session, "end the release", await run(session, removeScript(folder, stop)));
    },
  };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface KeyFiles {
  readonly key: string;
  readonly knownHosts: string;
}

/** The login key is in a file of its owner for as long as one command takes; arguments are seen by all. */
async function withFiles<Result>(
  { host, key }: SshSession,
  work: (files: KeyFiles) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-ssh-"));
  try {
    return await work(await writeFiles(folder, { host, key }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeFiles(folder: string, { host, key }: Pick<SshSession, "host" | "key">): Promise<KeyFiles> {
  const files = { key: join(folder, "key"), knownHosts: join(folder, "known_hosts") };
  await writeFile(files.key, key.endsWith("\n") ? key : `${key}\n`, { mode: 0o600 });
  await writeFile(
    files.knownHosts,
    `[${host.address}]:${host.port} ${host.hostKey}\n${host.address} ${host.hostKey}\n`,
  );
  return files;
}

/** Ports of the host that lead to this machine while a script runs there. */
interface ReversePort {
  /** Of the host's loopback. */
  readonly there: number;
  /** Of this machine's loopback. */
  readonly here: number;
}

function argumentsOf(
  host: SshHost,
  { key, knownHosts }: KeyFiles,
  { script, reverse }: { readonly script: string; readonly reverse?: ReversePort | undefined },
): readonly string[] {
  const forwards = reverse === undefined ? { ClearAllForwardings: "yes" } : { ExitOnForwardFailure: "yes" };
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    UpdateHostKeys: "no",
    IdentityFile: key,
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    PreferredAuthentications: "publickey",
    ConnectTimeout: String(CONNECT_S),
    ServerAliveInterval: "10",
    ServerAliveCountMax: "6",
    ForwardAgent: "no",
    ...forwards,
    LogLevel: "ERROR",
  };
  return [
    "-F",
    "/dev/null",
    "-T",
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...(reverse === undefined ? [] : ["-R", `127.0.0.1:${reverse.there}:127.0.0.1:${reverse.here}`]),
    "-p",
    String(host.port),
    "-l",
    host.user,
    "--",
    host.address,
    // Whatever the login shell is.
    `sh -c ${quoteWord(script)}`,
  ];
}

/** A script that runs on a host for as long as both sides want it to. */
export interface SshScript {
  readonly process: ChildProcessWithoutNullStreams;
  /** To be called once it wrote something: the files of the login are no more needed. */
  connected(): Promise<void>;
}

/**
 * Starts a script on a host that goes on until it ends or its input does: however this process ends, its input ends
 * with it.
 */
export async function startScript(
  { host, key, signal }: SshSession,
  given: { readonly script: string; readonly reverse?: ReversePort | undefined; readonly searchPath: string },
): Promise<SshScript> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-ssh-"));
  const forget = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const files = await writeFiles(folder, { host, key });
    const ssh = spawn("ssh", argumentsOf(host, files, given), {
      env: { PATH: given.searchPath, LC_ALL: "C" },
      stdio: ["pipe", "pipe", "pipe"],
      signal,
    });
    // What is written to one that has ended is told by its end.
    ssh.stdin.on("error", () => {});
    ssh.once("close", () => void forget());
    ssh.once("error", () => void forget());
    return { process: ssh, connected: forget };
  } catch (error) {
    await forget();
    throw error;
  }
}

function runScript(
  of: {
    readonly session: SshSession;
    readonly script: string;
    readonly files: KeyFiles;
    /** Folder whose files are its input. */
    readonly from: string | undefined;
  },
  searchPath: string,
): Promise<Ended> {
  const { session, script, files, from } = of;
  const env = { PATH: searchPath, LC_ALL: "C" };
  return new Promise((resolve, reject) => {
    const ssh = spawn("ssh", argumentsOf(session.host, files, { script }), {
      env,
      stdio: [from === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      signal: session.signal,
    });
    const out = { stdout: "", stderr: "" };
    let archived = 0;
    for (const name of ["stdout", "stderr"] as const)
      ssh[name]?.on("data", (piece: Buffer) => {
        if (out[name].length < LARGEST_OUTPUT) out[name] += piece.toString("utf8");
      });
    ssh.on("error", reject);
    ssh.on("close", (code) => resolve({ ...out, code: code === 0 && archived !== 0 ? archived : code }));
    if (from === undefined || ssh.stdin === null) return;
    const tar = spawn("tar", ["-cf", "-", "-C", from, "."], { env, stdio: ["ignore", "pipe", "ignore"] });
    tar.on("error", (error) => {
      ssh.kill();
      reject(error);
    });
    tar.on("exit", (code) => (archived = code ?? 1));
    // What ended without reading it says so itself.
    ssh.stdin.on("error", () => tar.kill());
    tar.stdout.pipe(ssh.stdin);
  });
}

import { EsteiraError, type Log, messageOf } from "#base";
import { pause } from "../pause.ts";
import { nameOfHost, type SshHost, startScript } from "./ssh-hosts.ts";
import { sshFailed, sshKeyMissing } from "./ssh-errors.ts";
import { openTokenFront, type TokenFront } from "./token-front.ts";
import { COMMAND_MISSING, SCRIPT_READY, type WorkerCommand, workerScript } from "./worker-script.ts";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** One that ran so long was well: what ended it is not what ended the one before. */
const WELL_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 2000;
const LARGEST_TAIL = 4000;
/** Ports of a host that no service has by habit. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];
/** How long a worker may take to end what it runs, once it is asked to. */
const END_MS = 15_000;

/** A right to call the server as a worker, for as long as it is lent. */
export interface LentToken {
  readonly token: string;
  revoke(): void;
}

export interface HostWorkerOptions {
  readonly executor: string;
  readonly host: SshHost;
  /** Name under which the worker is known: one on all machines has it. */
  readonly workerName: string;
  readonly command: Omit<WorkerCommand, "words">;
  /** Options of `esteira worker` beside its address and name. */
  readonly words: readonly string[];
  /** PEM or OpenSSH private key; undefined when the secret is not set. */
  readonly key: () => string | undefined;
  readonly keyName: string;
  /** Where the host reaches the server by itself; default through the connection. */
  readonly url: string | undefined;
  /** Where this process's server listens. */
  readonly ownUrl: () => Promise<string>;
  readonly lendToken: () => LentToken;
  /** True while a worker of the name works for another process: there is nothing to start. */
  readonly isElsewhere: () => Promise<boolean>;
  readonly searchPath: string;
  readonly log: Log;
}

/**
 * Keeps a worker running on a host, through one SSH connection.
 *
 * States: new → supervised (by `start`: connected, or waiting before the next try, or leaving it to another process
 * that has one there) → stopped. A worker ends with its connection, and the connection with this process.
 */
export class HostWorker {
  readonly #options: HostWorkerOptions;
  readonly #ending = new AbortController();
  #supervision: Promise<void> | undefined;
  #problem: EsteiraError | undefined;
  #tries = 0;

  constructor(options: HostWorkerOptions) {
    this.#options = options;
  }

  /** Why there is no worker; undefined while one is being started or runs. */
  get problem(): EsteiraError | undefined {
    return this.#problem;
  }

  /** Idempotent. */
  start(): void {
    if (!this.#ending.signal.aborted) this.#supervision ??= this.#supervise();
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#supervision;
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      if (await this.#options.isElsewhere().catch(() => false)) {
        this.#problem = undefined;
        await pause(LOOK_EVERY_MS, signal);
        continue;
      }
      const began = performance.now();
      try {
        await this.#connect();
      } catch (error) {
        if (!signal.aborted) this.#tell(error);
      }
      if (signal.aborted) return;
      this.#tries = performance.now() - began > WELL_AFTER_MS ? 0 : this.#tries + 1;
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, this.#tries - 1), LONGEST_PAUSE_MS), signal);
    }
  }

  #tell(error: unknown): void {
    const { host, executor, log } = this.#options;
    this.#problem =
      error instanceof EsteiraError
        ? error
        : sshFailed({ host: nameOfHost(host), what: "run a worker", reason: messageOf(error) }, error);
    log.warn("a host has no worker; it is tried again", { executor, reason: this.#problem.message });
  }

  /** One connection, from its beginning to its end. @throws EXECUTORS_SSH_FAILED, EXECUTORS_SSH_KEY_MISSING */
  async #connect(): Promise<void> {
    const { host, url, ownUrl, lendToken, executor, keyName } = this.#options;
    const key = this.#options.key();
    if (key === undefined || key === "") throw sshKeyMissing({ executor, secret: keyName });
    const front = url === undefined ? await openTokenFront(ownUrl) : undefined;
    const lent = lendToken();
    try {
      await this.#run({ key, front, token: lent.token });
    } finally {
      lent.revoke();
      await front?.close();
    }
    this.#options.log.info("the connection to a host has ended", { executor, host: nameOfHost(host) });
  }

  async #run(facts: {
    readonly key: string;
    readonly front: TokenFront | undefined;
    readonly token: string;
  }): Promise<void> {
    const { host, command, words, url, searchPath, workerName, executor } = this.#options;
    const { key, front, token } = facts;
    const there = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const address = url ?? `http://127.0.0.1:${there}`;
    const script = workerScript({
      ...command,
      words: ["--url", address, "--name", workerName, "--executor", executor, "--json", ...words],
    });
    const kill = new AbortController();
    const reverse = front === undefined ? undefined : { there, here: front.port };
    const started = await startScript({ host, key, signal: kill.signal }, { script, reverse, searchPath });
    const ssh = started.process;
    ssh.stdin.write(`${token}\n`);
    // Its input ends with this process too, however that ends.
    const end = (): void => void ssh.stdin.end();
    this.#ending.signal.addEventListener("abort", end, { once: true });
    if (this.#ending.signal.aborted) end();
    const late = (): NodeJS.Timeout => setTimeout(() => kill.abort(), END_MS);
    let timer: NodeJS.Timeout | undefined;
    ssh.stdin.once("finish", () => (timer = late()));
    const said = { out: "", err: "" };
    ssh.stdout.on("data", (piece: Buffer) => {
      said.out = (said.out + piece.toString("utf8")).slice(-LARGEST_TAIL);
      if (said.out.includes(SCRIPT_READY)) {
        void started.connected();
        this.#problem = undefined;
      }
    });
    ssh.stderr.on("data", (piece: Buffer) => (said.err = (said.err + piece.toString("utf8")).slice(-LARGEST_TAIL)));
    const code = await new Promise<number | null>((resolve) => {
      ssh.once("close", resolve);
      ssh.once("error", (error) => {
        said.err += messageOf(error);
        resolve(null);
      });
    });
    clearTimeout(timer);
    this.#ending.signal.removeEventListener("abort", end);
    if (this.#ending.signal.aborted) return;
    throw this.#endOf(code, said);
  }

  #endOf(code: number | null, { out, err }: { readonly out: string; readonly err: string }): EsteiraError {
    const host = nameOfHost(this.#options.host);
    const reason = err.trim() || lastLine(out) || `it ended with ${String(code)}`;
    return sshFailed({ host, what: code === COMMAND_MISSING ? "start a worker" : "run a worker", reason });
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.replace(SCRIPT_READY, "") ?? "";
}

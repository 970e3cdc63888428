import pg from "pg";

const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** A connection that a network swallowed tells nobody: it is asked this often, and has so long to answer. */
const ASK_EVERY_MS = 10_000;
const ANSWER_MS = 5000;

export interface ListenerOptions {
  readonly connection: pg.ClientConfig;
  readonly channel: string;
  /** Called for each notification, and when it hears again after it could not: something may have changed meanwhile. */
  readonly onNotify: () => void;
}

/**
 * Hears the notifications of one channel for as long as it is wanted.
 *
 * States: new → connecting (after `start`) → listening → lost (the connection ended or did not answer within 5 s) →
 * connecting again after 0.1 to 2 s … → closed.
 * Invariant: whatever was notified while it did not listen is made up for by one call of `onNotify`.
 */
export class PostgresListener {
  readonly #options: ListenerOptions;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = SHORTEST_PAUSE_MS;
  #isStarted = false;
  #isClosed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Begins to listen; later calls do nothing. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    void this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const { connection, channel, onNotify } = this.#options;
    const client = new pg.Client({ ...connection, keepAlive: true, connectionTimeoutMillis: ANSWER_MS });
    this.#client = client;
    client.on("notification", onNotify);
    client.on("error", () => this.#lose(client));
    client.on("end", () => this.#lose(client));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
    } catch {
      this.#lose(client);
      return;
    }
    if (this.#client !== client) return;
    this.#pauseMs = SHORTEST_PAUSE_MS;
    this.#askLater(client);
    onNotify();
  }

  #askLater(client: pg.Client): void {
    this.#timer = setTimeout(() => void this.#ask(client), ASK_EVERY_MS).unref();
  }

  async #ask(client: pg.Client): Promise<void> {
    this.#timer = setTimeout(() => this.#lose(client), ANSWER_MS).unref();
    try {
      await client.query(`listen ${this.#options.channel}`);
    } catch {
      this.#lose(client);
    }
    if (this.#client !== client) return;
    clearTimeout(this.#timer);
    this.#askLater(client);
  }

  #lose(client: pg.Client): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#client = undefined;
    clearTimeout(this.#timer);
    void client.end().catch(() => undefined);
    this.#timer = setTimeout(() => void this.#connect(), this.#pauseMs).unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

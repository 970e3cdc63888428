/* oxlint-disable no-await-in-loop -- what one connection asks is answered in its order */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { type Identity, isAllowed } from "#access";
import type { Platform } from "#app";
import { isEsteiraError, messageOf } from "#base";
import {
  listenFailed,
  portInUse,
  postgresConnectionsLimited,
  postgresDatabaseUnknown,
  postgresForbidden,
  postgresProtocol,
  postgresUnencrypted,
} from "../errors.ts";
import { isLoopback } from "../security/host-and-origin.ts";
import {
  type ClientMessage,
  type ClientPart,
  createMessageCutter,
  FieldReader,
  int32,
  message,
  text,
} from "./protocol.ts";
import { openSelects } from "./selects.ts";
import { openSession, toReport, type QueryLimits, type Session } from "./session.ts";

const PROTOCOL = 196_608;
const CANCEL = 80_877_102;
const ENCRYPT = 80_877_103;
const ENCRYPT_GSS = 80_877_104;
/** How long a client may take to say who it is. */
const START_MS = 15_000;
/** Clients at once that have not signed in; the oldest goes when another comes. */
const MOST_STRANGERS = 100;
/** What clients are told: the version whose catalogs and functions are spoken. */
const SERVER_VERSION = "16.0";

export interface PostgresOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: QueryLimits & { readonly connections: number; readonly memoryBytes: number | undefined };
  readonly tls: { readonly certificate: Buffer; readonly key: Buffer } | undefined;
}

/**
 * Serves the datasets of a project to PostgreSQL's clients, for reading. A user signs in with a token as password.
 *
 * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED, SERVER_POSTGRES_UNENCRYPTED when others could reach it without TLS
 */
export async function servePostgres(
  platform: Platform,
  options: PostgresOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { host, port } = options;
  if (!isLoopback(host) && options.tls === undefined) throw postgresUnencrypted({ host });
  const secure =
    options.tls === undefined
      ? undefined
      : createSecureContext({ cert: options.tls.certificate, key: options.tls.key });
  const open = new Map<number, Connection>();
  const server = createTcpServer({ noDelay: true }, (socket) => {
    const connection = new Connection(platform, { options, secure, open, socket });
    void connection.serve();
  });
  await listenOn(server, { host, port });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const connection of open.values()) connection.end();
      await closed;
    },
  };
}

async function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EADDRINUSE"
      ? portInUse({ host, port })
      : listenFailed({ host, port, reason: messageOf(error) }, error);
  }
}

/** One client, from its first byte to its last. */
class Connection {
  readonly #platform: Platform;
  readonly #options: PostgresOptions;
  readonly #secure: SecureContext | undefined;
  readonly #open: Map<number, Connection>;
  readonly #number = randomInt(1, 2 ** 31 - 1);
  readonly #secret = randomInt(1, 2 ** 31 - 1);
  readonly #loopback: boolean;
  #socket: Socket;
  #cutter = createMessageCutter();
  #session: Session | undefined;

  constructor(
    platform: Platform,
    facts: {
      readonly options: PostgresOptions;
      readonly secure: SecureContext | undefined;
      readonly open: Map<number, Connection>;
      readonly socket: Socket;
    },
  ) {
    this.#platform = platform;
    this.#options = facts.options;
    this.#secure = facts.secure;
    this.#open = facts.open;
    this.#socket = facts.socket;
    this.#loopback = isLoopback(facts.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "");
    this.#socket.on("error", () => this.end());
  }

  end(): void {
    this.#socket.destroy();
  }

  async serve(): Promise<void> {
    const late = setTimeout(() => this.end(), START_MS);
    const strangers = [...this.#open.values()].filter((other) => other.#session === undefined);
    if (strangers.length >= MOST_STRANGERS) strangers[0]?.end();
    this.#open.set(this.#number, this);
    try {
      const started = await this.#start();
      clearTimeout(late);
      if (started === undefined) return;
      this.#session = started;
      // A query stops with its client.
      this.#socket.once("close", () => started.cancel());
      for (let asked = await this.#next("query"); asked !== undefined; asked = await this.#next("query"))
        if ((await started.answer(asked)) === "end") break;
    } catch (error) {
      if (!this.#socket.destroyed) this.#socket.write(toReport(error, "FATAL"));
    } finally {
      clearTimeout(late);
      this.#open.delete(this.#number);
      this.#session?.close();
      // What the client still sends is not read: only its end would be waited for.
      this.#socket.end(() => this.#socket.destroy());
    }
  }

  /** Undefined when the client left, or only asked to cancel. */
  async #start(): Promise<Session | undefined> {
    for (let asked = await this.#next("start"); asked !== undefined; asked = await this.#next("start")) {
      const fields = new FieldReader(asked.body);
      const version = fields.int32();
      if (version === ENCRYPT || version === ENCRYPT_GSS) {
        if (version === ENCRYPT && this.#secure !== undefined) await this.#encrypt(this.#secure);
        else this.#socket.write("N");
      } else if (version === CANCEL) {
        this.#cancelOther(fields.int32(), fields.int32());
        return undefined;
      } else if (version >> 16 === PROTOCOL >> 16) return this.#signIn(fields, version);
      else throw postgresProtocol({ reason: `it asks for version ${version >> 16}.${version & 0xffff}` });
    }
    return undefined;
  }

  async #encrypt(secureContext: SecureContext): Promise<void> {
    this.#socket.write("S");
    const encrypted = new TLSSocket(this.#socket, { isServer: true, secureContext });
    encrypted.on("error", () => this.end());
    this.#socket = encrypted;
    // What came before the handshake was not encrypted and counts for nothing.
    this.#cutter = createMessageCutter();
    const gone = new AbortController();
    encrypted.once("close", () => gone.abort());
    await once(encrypted, "secure", { signal: gone.signal });
  }

  #cancelOther(number: number, secret: number): void {
    const other = this.#open.get(number);
    if (other !== undefined && other.#secret === secret) other.#session?.cancel();
  }

  async #signIn(fields: FieldReader, version: number): Promise<Session> {
    const asked = new Map<string, string>();
    while (!fields.isAtEnd) {
      const name = fields.text();
      if (name === "") break;
      asked.set(name, fields.text());
    }
    if (version !== PROTOCOL) this.#socket.write(message("v", int32(PROTOCOL & 0xffff), int32(0)));
    const identity = await this.#identify();
    const { project } = this.#platform;
    if (!isAllowed(identity, "read", { project })) throw postgresForbidden({ user: identity.name, project });
    const database = asked.get("database") ?? asked.get("user") ?? "";
    if (database !== project) throw postgresDatabaseUnknown({ database, project });
    const { connections } = this.#options.limits;
    const signedIn = [...this.#open.values()].filter((other) => other.#session !== undefined);
    if (signedIn.length >= connections) throw postgresConnectionsLimited({ connections });
    const settings = settingsOf(asked, identity);
    const told = ["server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone"];
    const more = ["integer_datetimes", "standard_conforming_strings", "is_superuser", "session_authorization"];
    await this.#send(
      Buffer.concat([
        message("R", int32(0)),
        ...[...told, ...more, "application_name", "default_transaction_read_only"].map((name) =>
          message("S", text(name), text(settings.get(name.toLowerCase()) ?? "")),
        ),
        message("K", int32(this.#number), int32(this.#secret)),
        message("Z", Buffer.from("I")),
      ]),
    );
    const { limits } = this.#options;
    return openSession({
      limits,
      settings,
      selects: openSelects(this.#platform, {
        identity,
        settings,
        version: `PostgreSQL ${SERVER_VERSION} (esteira), read-only`,
        memoryBytes: limits.memoryBytes,
        rows: limits.rows,
      }),
      send: (bytes) => this.#send(bytes),
    });
  }

  /** The token is the password. Whoever may call from this machine without one is not asked for it. */
  async #identify(): Promise<Identity> {
    const { access } = this.#platform;
    const local = this.#loopback
      ? await access.authenticate({ loopback: true }).catch((error: unknown) => {
          if (isEsteiraError(error) && error.code === "ACCESS_UNAUTHENTICATED") return undefined;
          throw error;
        })
      : undefined;
    if (local !== undefined) return local;
    this.#socket.write(message("R", int32(3)));
    const answer = await this.#next("sign-in");
    if (answer?.type !== "p") throw postgresProtocol({ reason: "it did not answer with a password" });
    const password = new FieldReader(answer.body).text();
    return access.authenticate({
      loopback: this.#loopback,
      ...(password === "" ? {} : { authorization: `Bearer ${password}` }),
    });
  }

  async #next(part: ClientPart): Promise<ClientMessage | undefined> {
    for (;;) {
      const found = this.#cutter.next(part);
      if (found !== undefined) return found;
      const chunk = await this.#read();
      if (chunk === undefined) return undefined;
      this.#cutter.push(chunk);
    }
  }

  async #read(): Promise<Buffer | undefined> {
    const socket = this.#socket;
    for (;;) {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) return chunk;
      if (socket.readableEnded || socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const event of ["readable", "end", "close"]) socket.off(event, done);
          resolve();
        };
        for (const event of ["readable", "end", "close"]) socket.once(event, done);
      });
    }
  }

  async #send(bytes: Buffer): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || bytes.length === 0 || socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.once("drain", done);
      socket.once("close", done);
    });
  }
}

function settingsOf(asked: ReadonlyMap<string, string>, { name }: Identity): Map<string, string> {
  return new Map([
    ["server_version", SERVER_VERSION],
    ["server_version_num", "160000"],
    ["server_encoding", "UTF8"],
    ["client_encoding", "UTF8"],
    ["datestyle", "ISO, MDY"],
    ["intervalstyle", "postgres"],
    ["timezone", "UTC"],
    ["integer_datetimes", "on"],
    ["standard_conforming_strings", "on"],
    ["is_superuser", "off"],
    ["session_authorization", name],
    ["application_name", asked.get("application_name") ?? ""],
    ["default_transaction_read_only", "on"],
    ["transaction_read_only", "on"],
    ["transaction_isolation", "repeatable read"],
    ["default_transaction_isolation", "repeatable read"],
    ["max_identifier_length", "63"],
    ["max_index_keys", "32"],
    ["search_path", "public"],
    ["lc_collate", "C"],
    ["statement_timeout", "0"],
    ["bytea_output", "hex"],
    ["extra_float_digits", "1"],
    ["row_security", "off"],
    ["jit", "off"],
  ]);
}

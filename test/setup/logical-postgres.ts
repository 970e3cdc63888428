import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, glob, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);
const DEADLINE_MS = 30_000;

export interface TestPostgresServer {
  /** Of a superuser, for the database `postgres`. */
  readonly url: string;
  query(sql: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
}

/**
 * A PostgreSQL server of its own, on a free port, ended after the current suite: the one that tests share has not
 * `wal_level = logical`.
 *
 * @returns why there is none
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestPostgresServer | { readonly problem: string }> {
  const programs = await findPrograms();
  if (programs === undefined) return { problem: "initdb of PostgreSQL is not installed" };
  const user = process.getuid?.() === 0 ? await userNamed("postgres") : {};
  if (user === undefined) return { problem: "PostgreSQL does not run as root, and there is no user postgres" };
  const folder = await mkdtemp("/tmp/esteira-pg-");
  await chmod(folder, 0o700);
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  const data = join(folder, "data");
  await run(
    join(programs, "initdb"),
    ["-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale", "C"],
    {
      ...user,
      cwd: folder,
    },
  );
  const port = await freePort();
  const all = {
    wal_level: "logical",
    fsync: "off",
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    shared_buffers: "16MB",
    wal_sender_timeout: "5s",
    max_replication_slots: "40",
    max_wal_senders: "40",
    ...settings,
  };
  const words = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(programs, "postgres"), ["-D", data, "-p", String(port), ...words], {
    ...user,
    cwd: folder,
    stdio: "ignore",
  });
  after(async () => {
    child.kill("SIGQUIT");
    if (child.exitCode === null) await once(child, "exit");
    await rm(folder, { recursive: true, force: true });
  });
  const url = `postgres://owner@127.0.0.1:${port}/postgres`;
  const query: TestPostgresServer["query"] = async (sql, values = []) => {
    const client = new pg.Client(url);
    await client.connect();
    try {
      return (await (values.length === 0 ? client.query(sql) : client.query(sql, [...values]))).rows;
    } finally {
      await client.end();
    }
  };
  for (const until = Date.now() + DEADLINE_MS; ;) {
    try {
      await query("select 1");
      return { url, query };
    } catch (error) {
      if (Date.now() > until || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function findPrograms(): Promise<string | undefined> {
  for await (const path of glob("/usr/lib/postgresql/*/bin/initdb")) return join(path, "..");
  return undefined;
}

async function userNamed(name: string): Promise<{ readonly uid?: number; readonly gid?: number } | undefined> {
  const entry = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m").exec(await readFile("/etc/passwd", "utf8"));
  return entry === null ? undefined : { uid: Number(entry[1]), gid: Number(entry[2]) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { dirname, join } from "node:path";
import type { Json } from "#base";
import { interpolateAll } from "../expression.ts";
import { asText, isMap, membersOf } from "../json.ts";
import { SERVER_FOLDERS, SERVICE_KINDS, type ServiceKind, serviceKindOf } from "../service-images.ts";
import { type Frame, type JobState, scopeOf } from "./job-state.ts";
import { findCommand, runProcess } from "./processes.ts";
import { environmentOf, pathOf } from "./step-process.ts";

const START_LIMIT_MS = 60_000;
const LOOK_MS = 100;
const STOP_LIMIT_MS = 5000;

interface RunningService {
  readonly name: string;
  readonly child: ChildProcess;
}

interface ServicePlan {
  readonly name: string;
  readonly kind: ServiceKind;
  readonly env: Readonly<Record<string, string>>;
  /** Port that it listens on, of this machine. */
  readonly port: number;
  readonly folder: string;
  readonly job: JobState;
  readonly frame: Frame;
}

/** Starts the services of a job as processes of this machine, and waits until they answer. */
export async function startServices(job: JobState, frame: Frame): Promise<{ stop(): Promise<void> }> {
  const running: RunningService[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(running.map(({ child }) => endProcess(child)));
  };
  try {
    for (const [name, stated] of Object.entries(readServices(job, frame))) {
      const plan = await planService(job, frame, name, stated);
      if (plan === undefined) continue;
      job.output.say(`● Service ${name}: ${plan.kind} on port ${plan.port}`);
      running.push({ name, child: await STARTERS[plan.kind](plan) });
      const own = String(SERVICE_KINDS[plan.kind].port);
      job.services[name] = { id: name, network: "host", ports: { [own]: String(plan.port) } };
    }
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function readServices(job: JobState, frame: Frame): Readonly<Record<string, Json>> {
  const value = interpolateAll(job.plan.content.services ?? {}, scopeOf(job, frame));
  return membersOf(value);
}

async function planService(job: JobState, frame: Frame, name: string, stated: Json): Promise<ServicePlan | undefined> {
  const members: Readonly<Record<string, Json>> = isMap(stated) ? stated : { image: stated };
  const image = asText(members["image"]);
  // An image that an expression leaves empty is no service.
  if (image === "") return undefined;
  const kind = serviceKindOf(image);
  if (kind === undefined)
    throw new Error(
      `service "${name}" is the image ${image}: as a process there are ${Object.keys(SERVICE_KINDS).join(", ")}`,
    );
  const given = members["env"];
  const env = Object.fromEntries(Object.entries(membersOf(given)).map(([key, value]) => [key, asText(value)]));
  const ports = Array.isArray(members["ports"]) ? members["ports"].map(String) : [];
  const fixed = ports
    .map((port) => /^(\d+):(\d+)/.exec(port))
    .find((found) => found !== null && Number(found?.[2]) === SERVICE_KINDS[kind].port);
  const port = fixed === undefined || fixed === null ? await freePort() : Number(fixed[1]);
  if (await answers(port))
    throw new Error(
      `service "${name}" needs port ${port}, which another program of this machine holds: stop that, or let the port be chosen (ports: [${SERVICE_KINDS[kind].port}]) and use job.services.${name}.ports`,
    );
  const folder = join(job.plan.folders.temporary, `service-${name}`);
  await mkdir(folder, { recursive: true });
  return { name, kind, env, port, folder, job, frame };
}

const STARTERS: Readonly<Record<ServiceKind, (plan: ServicePlan) => Promise<ChildProcess>>> = {
  postgres: startPostgres,
  redis: startRedis,
  mysql: startMysql,
};

async function startPostgres(plan: ServicePlan): Promise<ChildProcess> {
  const { env, folder, port } = plan;
  const user = env["POSTGRES_USER"] ?? "postgres";
  const database = env["POSTGRES_DB"] ?? user;
  const data = join(folder, "data");
  const password = join(folder, "password");
  await writeFile(password, `${env["POSTGRES_PASSWORD"] ?? ""}\n`, { mode: 0o600 });
  const trusts = env["POSTGRES_HOST_AUTH_METHOD"] === "trust" || (env["POSTGRES_PASSWORD"] ?? "") === "";
  const method = trusts ? ["--auth=trust"] : ["--auth=scram-sha-256", `--pwfile=${password}`];
  await need(plan, "initdb", ["-D", data, "-U", user, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", ...method]);
  const child = launch(plan, "postgres", [
    "-D",
    data,
    "-p",
    String(port),
    "-k",
    "/tmp",
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    "fsync=off",
  ]);
  await ready(plan, child);
  await takesQueries(plan);
  if (database !== "postgres") {
    const createdb = await commandOf(plan, "createdb");
    let created = "";
    for (const startedAt = performance.now(); performance.now() - startedAt < START_LIMIT_MS;) {
      const { exitCode, output } = await runProcess(plan.job, {
        command: [createdb, "-h", "127.0.0.1", "-p", String(port), "-U", user, "-T", "template0", database],
        folder,
        environment: {
          ...environmentOf({ job: plan.job, frame: plan.frame, env: {} }),
          PGPASSWORD: env["POSTGRES_PASSWORD"] ?? "",
        },
        isQuiet: true,
      });
      created = output;
      if (exitCode === 0 || output.includes("already exists")) return child;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error(`service "${plan.name}": the database ${database} could not be made: ${created.trim()}`);
  }
  return child;
}

/** It listens before it takes queries. */
async function takesQueries({ job, frame, port, folder, name }: ServicePlan): Promise<void> {
  const program = findCommand("pg_isready", pathOf(job), SERVER_FOLDERS);
  if (program === undefined) return;
  for (const startedAt = performance.now(); performance.now() - startedAt < START_LIMIT_MS;) {
    const { exitCode } = await runProcess(job, {
      command: [program, "-h", "127.0.0.1", "-p", String(port)],
      folder,
      environment: environmentOf({ job, frame, env: {} }),
      isQuiet: true,
    });
    if (exitCode === 0) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`service "${name}" takes no queries`);
}

async function startRedis(plan: ServicePlan): Promise<ChildProcess> {
  const child = launch(plan, "redis-server", [
    "--port",
    String(plan.port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--dir",
    plan.folder,
  ]);
  await ready(plan, child);
  return child;
}

async function startMysql(plan: ServicePlan): Promise<ChildProcess> {
  const { env, folder, port } = plan;
  const data = join(folder, "data");
  const socket = join("/tmp", `mysql-${port}.sock`);
  const password = env["MYSQL_ROOT_PASSWORD"] ?? env["MARIADB_ROOT_PASSWORD"] ?? "";
  const database = env["MYSQL_DATABASE"] ?? env["MARIADB_DATABASE"];
  const user = env["MYSQL_USER"] ?? env["MARIADB_USER"];
  const own = env["MYSQL_PASSWORD"] ?? env["MARIADB_PASSWORD"] ?? "";
  const path = pathOf(plan.job);
  const install = findCommand("mariadb-install-db", path) ?? findCommand("mysql_install_db", path);
  if (install === undefined)
    await need(plan, "mysqld", ["--no-defaults", "--initialize-insecure", `--datadir=${data}`]);
  else
    await need(plan, install, [
      "--no-defaults",
      `--datadir=${data}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
    ]);
  const statements = [
    ...(database === undefined ? [] : [`CREATE DATABASE IF NOT EXISTS ${quoteName(database)};`]),
    ...(user === undefined
      ? []
      : [`CREATE USER IF NOT EXISTS ${quoteText(user)}@'%' IDENTIFIED BY ${quoteText(own)};`]),
    ...(user === undefined || database === undefined
      ? []
      : [`GRANT ALL ON ${quoteName(database)}.* TO ${quoteText(user)}@'%';`]),
    `CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY ${quoteText(password)};`,
    "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
    `ALTER USER 'root'@'localhost' IDENTIFIED BY ${quoteText(password)};`,
  ];
  const file = join(folder, "init.sql");
  await writeFile(file, `${statements.join("\n")}\n`, { mode: 0o600 });
  const child = launch(plan, "mysqld", [
    "--no-defaults",
    `--datadir=${data}`,
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    `--socket=${socket}`,
    `--pid-file=${join(folder, "pid")}`,
    `--init-file=${file}`,
  ]);
  await ready(plan, child);
  return child;
}

function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

async function commandOf({ job, name }: ServicePlan, command: string): Promise<string> {
  const found = command.startsWith("/") ? command : findCommand(command, pathOf(job), SERVER_FOLDERS);
  if (found === undefined) throw new Error(`service "${name}" needs ${command}, which this machine does not have`);
  return found;
}

async function need(plan: ServicePlan, command: string, args: readonly string[]): Promise<void> {
  const { exitCode, output } = await runProcess(plan.job, {
    command: [await commandOf(plan, command), ...args],
    folder: plan.folder,
    environment: environmentOf({ job: plan.job, frame: plan.frame, env: {} }),
    isQuiet: true,
  });
  if (exitCode !== 0)
    throw new Error(`service "${plan.name}": ${command} ended with exit code ${exitCode}: ${output.trim()}`);
}

const said = new WeakMap<ChildProcess, string>();

function launch(plan: ServicePlan, command: string, args: readonly string[]): ChildProcess {
  const program = findCommand(command, pathOf(plan.job), SERVER_FOLDERS);
  if (program === undefined)
    throw new Error(`service "${plan.name}" needs ${command}, which this machine does not have`);
  const environment = environmentOf({ job: plan.job, frame: plan.frame, env: {} });
  const child = spawn(program, [...args], {
    cwd: plan.folder,
    env: { ...environment, PATH: `${dirname(program)}:${environment["PATH"] ?? ""}` },
    stdio: ["ignore", "pipe", "pipe"],
    // What ends the runner's group at a cancel leaves it running for the steps that clean up.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text: Buffer) =>
      said.set(child, ((said.get(child) ?? "") + text.toString("utf8")).slice(-2000)),
    );
  child.once("error", (error) => said.set(child, error.message));
  return child;
}

/** It answers, and it is the one that was started. */
async function ready({ name, port, job }: ServicePlan, child: ChildProcess): Promise<void> {
  for (const startedAt = performance.now(); performance.now() - startedAt < START_LIMIT_MS && !job.signal.aborted;) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await answers(port)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  await endProcess(child);
  throw new Error(`service "${name}" did not start: ${said.get(child)?.trim() ?? "it said nothing"}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // Databases take it as: end now, and leave nothing half written.
  child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await ended;
  clearTimeout(timer);
}

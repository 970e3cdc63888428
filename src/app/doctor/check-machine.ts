import { connect } from "node:net";
import { join } from "node:path";
import { messageOf } from "#base";
import { DEFAULT_PORT, type ProjectConfig, type Settings } from "#config";
import { createIsolation, createSandbox, findPython } from "#executors";
import { failed, failure, type Finding, ok, warning } from "./finding.ts";

const LEAST_NODE = 24;
const PROBE_MS = 1000;
const LONGEST_ANSWER = 16_384;
const IS_ALIVE = /^HTTP\/1\.[01] 200 [^]*"status":\s*"live"/;
const LOOPBACK: readonly string[] = ["127.0.0.1", "::1", "localhost"];

export function checkNode(version: string): Finding {
  const isNew = Number(process.versions.node.split(".")[0]) >= LEAST_NODE;
  const message = `esteira ${version}, Node ${process.versions.node}`;
  return isNew ? ok("versions", message) : failure("versions", message, `Install Node ${LEAST_NODE} or later.`);
}

export async function checkPython(settings: Settings): Promise<readonly Finding[]> {
  try {
    const { path, version } = await findPython({ environment: settings.installer });
    return [ok("python", `${version}, ${path}`)];
  } catch (error) {
    const cure = "Install Python 3.11 or later; projects without Python steps, notebooks and models need none.";
    return [warning("python", messageOf(error), cure)];
  }
}

/** What listens where a server would. */
export async function checkPorts({ sql }: ProjectConfig): Promise<readonly Finding[]> {
  const web = await askPort(DEFAULT_PORT);
  const said = {
    server: ok("port", `a server answers on ${DEFAULT_PORT}`),
    free: ok("port", `${DEFAULT_PORT} is free`),
    other: warning("port", `another program listens on ${DEFAULT_PORT}`, "esteira up --port N, or end that program."),
  };
  const findings = [said[web]];
  if (sql.port !== undefined && sql.port !== 0 && web !== "server" && (await askPort(sql.port)) !== "free")
    findings.push(
      warning("sql port", `another program listens on ${sql.port}`, "Name another one in sql.port of esteira.yaml."),
    );
  if (sql.port !== undefined && !LOOPBACK.includes(sql.host) && sql.tls === undefined)
    findings.push(
      warning(
        "sql port",
        `sql.host is ${sql.host}, and passwords and rows go over it unencrypted`,
        "Set sql.tls in esteira.yaml, or sql.host to 127.0.0.1.",
      ),
    );
  return findings;
}

/** Whether a server of esteira answers on a port of this machine, something else listens there, or nothing. */
function askPort(port: number): Promise<"server" | "other" | "free"> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let [listens, answer] = [false, ""];
    socket.setTimeout(PROBE_MS, () => socket.destroy());
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      listens = true;
      socket.write(`GET /livez HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`);
    });
    socket.on("data", (piece: string) => {
      answer += piece;
      if (answer.length > LONGEST_ANSWER) socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(IS_ALIVE.test(answer) ? "server" : listens ? "other" : "free"));
  });
}

export async function checkIsolation(
  { isolation, storeFolder }: ProjectConfig,
  isMissing: boolean,
): Promise<readonly Finding[]> {
  try {
    const sandbox = createSandbox(undefined, isMissing ? undefined : join(storeFolder, "cache/sandbox"));
    const { level, missing } = await createIsolation({ level: isolation.level, sandbox }).report();
    if (level === "sandbox") return [ok("isolation", level)];
    const reasons = missing.map(({ level: wanted, reason }) => `${wanted}: ${reason}`).join("; ");
    const cure = "Install bubblewrap (on Debian: apt-get install bubblewrap) and allow user namespaces.";
    return [warning("isolation", reasons === "" ? level : `${level}; ${reasons}`, cure)];
  } catch (error) {
    return [failed("isolation", error)];
  }
}

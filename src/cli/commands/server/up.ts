import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { SERVER_ROLES, type ServerRole } from "#api";
import type { StorePlatform } from "#app";
import { DEFAULT_PORT } from "#config";
import { listen, openServer, readServerRoles, serveGrpc, servePostgres } from "#server";
import { artifactOptions, readArtifactPlaces } from "../../artifact-root.ts";
import { type Command, type CommandContext, commonOptions, type OptionValues, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { tellIsolation } from "../../isolation-note.ts";
import { openFor } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export const command: Command = {
  usage: "up [--host H] [--port N] [--roles R,R] [--store DIR] [--artifact-root URI] [--artifacts-destination DIR]",
  summary: "Start the server: web page, API, MLflow, endpoints, triggers",
  description:
    "Inside a project it runs its pipelines' schedules and triggers and serves its endpoints. With --store outside a project it is an MLflow tracking server and registry.",
  options: {
    ...commonOptions,
    host: {
      type: "string",
      value: "HOST",
      help: "Address to listen on; default 127.0.0.1. Others need a user first: esteira user create.",
    },
    port: { type: "string", value: "PORT", help: `Port; default ${DEFAULT_PORT}, 0 picks a free one.` },
    roles: {
      type: "string",
      value: "R,R",
      help: `What this process does, of ${SERVER_ROLES.join(", ")}; default: ESTEIRA_ROLES, else all. The others are for other processes on the same store.`,
    },
    "allow-host": {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "Another host name that this server answers to, as behind a proxy; may be repeated.",
    },
    "sql-port": {
      type: "string",
      value: "PORT",
      help: "Serve datasets to PostgreSQL's clients on this port too, for reading; default: sql.port of esteira.yaml.",
    },
    "grpc-port": {
      type: "string",
      value: "PORT",
      help: "Serve endpoints by the Open Inference Protocol over gRPC on this port too, at the same host; 0 picks a free one.",
    },
    "grpc-certificate": {
      type: "string",
      value: "FILE",
      help: "PEM file with the certificate of that port; without it nothing is encrypted.",
    },
    "grpc-key": { type: "string", value: "FILE", help: "PEM file with its private key." },
    ...artifactOptions,
  },
  examples: [
    { line: "esteira up", does: "Serves the project of this folder at http://127.0.0.1:4740" },
    {
      line: "esteira up --store /data/tracking --port 5000",
      does: "An MLflow server: export MLFLOW_TRACKING_URI=http://127.0.0.1:5000",
    },
    {
      line: "esteira up --sql-port 5433",
      does: "And SQL: psql -h 127.0.0.1 -p 5433 -d PROJECT, a token as password once users exist",
    },
    {
      line: "esteira up --grpc-port 8001",
      does: "And endpoints over gRPC: tritonclient.grpc.InferenceServerClient('127.0.0.1:8001'), models as production/NAME",
    },
    {
      line: "esteira up --roles engine,serving",
      does: "Runs pipelines and answers endpoints; another process on the same PostgreSQL has page and API",
    },
    {
      line: "esteira up --artifacts-destination /data/mlartifacts",
      does: "Keeps the artifacts that clients send it in /data/mlartifacts",
    },
    {
      line: "esteira up --artifact-root s3://bucket/mlflow",
      does: "Clients write artifacts of new experiments there themselves",
    },
  ],
  async run(context, options) {
    const { terminal, signal } = context;
    const host = textOption(options, "host") ?? "127.0.0.1";
    const port = toPort(textOption(options, "port") ?? String(DEFAULT_PORT));
    const artifacts = readArtifactPlaces(options, { workingFolder: context.workingFolder, usage: command.usage });
    const hostNames = [options["allow-host"] ?? []].flat().filter((name) => typeof name === "string");
    const roles = readServerRoles(textOption(options, "roles") ?? context.settings.roles);
    assertPortsHaveRoles(options, roles);
    const platform = await openFor(context, options, { storeOnlyAllowed: true, artifacts, roles });
    try {
      // What is wrong with the project is said before anything is said to be up.
      await platform.check();
      const server = await openServer(platform, { host, hostNames });
      try {
        const url = await listen(server, { host, port });
        announce(terminal, platform, { url, asJson: options["json"] === true });
        // Steps ask the API: where this process has none for others, one of its own is started with the first of them.
        if (roles.includes("api")) platform.setUrl(url);
        const sql = await serveSql(context, platform, textOption(options, "sql-port"));
        const grpc = await serveInference(context, platform, { host, options }).catch(async (error: unknown) => {
          await sql?.close();
          throw error;
        });
        try {
          await platform.start();
          await tellIsolation(terminal, platform);
          if (!signal.aborted)
            await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
          if (options["json"] !== true) terminal.note(terminal.say("stopping"));
        } finally {
          await grpc?.close();
          await sql?.close();
        }
      } finally {
        await server.close();
      }
      return 0;
    } finally {
      await platform.close();
    }
  },
};

/** Where a port is named, datasets are served on it. */
async function serveSql(
  { terminal }: CommandContext,
  platform: StorePlatform,
  asked: string | undefined,
): Promise<{ close(): Promise<void> } | undefined> {
  const { sql } = platform.config;
  const port = asked === undefined ? sql.port : toPort(asked, "sql-port");
  if (port === undefined || !platform.isProject || !platform.roles.includes("api")) return undefined;
  const tls =
    sql.tls === undefined
      ? undefined
      : { certificate: await readFile(sql.tls.certificate), key: await readFile(sql.tls.key) };
  const served = await servePostgres(await platform.whole(), {
    host: sql.host,
    port,
    tls,
    limits: { seconds: sql.timeout, rows: sql.rows, connections: sql.connections, memoryBytes: sql.memory },
  });
  terminal.note(
    terminal.style(
      "dim",
      terminal.say("listeningSql", { host: sql.host, port: served.port, project: platform.project }),
    ),
  );
  return served;
}

/** Where a port for it is named, endpoints are served over gRPC. */
async function serveInference(
  { terminal, workingFolder }: CommandContext,
  platform: StorePlatform,
  { host, options }: { readonly host: string; readonly options: OptionValues },
): Promise<{ close(): Promise<void> } | undefined> {
  const asked = textOption(options, "grpc-port");
  const [certificate, key] = [textOption(options, "grpc-certificate"), textOption(options, "grpc-key")];
  if (asked === undefined || !platform.isProject) return undefined;
  if ((certificate === undefined) !== (key === undefined))
    throw usageWrong({ usage: command.usage, reason: "--grpc-certificate and --grpc-key go together" });
  const tls =
    certificate === undefined || key === undefined
      ? undefined
      : {
          certificate: await readFile(resolve(workingFolder, certificate)),
          key: await readFile(resolve(workingFolder, key)),
        };
  const served = await serveGrpc(await platform.whole(), { host, port: toPort(asked, "grpc-port"), tls });
  terminal.note(terminal.style("dim", terminal.say("listeningGrpc", { host, port: served.port })));
  return served;
}

function announce(
  terminal: Terminal,
  { isProject, project, config, roles }: StorePlatform,
  { url, asJson }: { readonly url: string; readonly asJson: boolean },
): void {
  if (asJson)
    return terminal.print(
      JSON.stringify({ url, project: isProject ? project : undefined, store: config.storeFolder, roles }),
    );
  terminal.print(terminal.style("bold", terminal.say("listening", { url })));
  terminal.print(
    terminal.style(
      "dim",
      terminal.say("listeningProject", { project: isProject ? project : "–", store: config.storeFolder }),
    ),
  );
  if (roles.length < SERVER_ROLES.length)
    terminal.print(terminal.style("dim", terminal.say("listeningRoles", { roles: roles.join(", ") })));
  terminal.print(terminal.style("dim", terminal.say("stopHint")));
}

/** A port that is asked for and not served would be looked for in vain. */
function assertPortsHaveRoles(options: OptionValues, roles: readonly ServerRole[]): void {
  for (const [option, role] of [
    ["sql-port", "api"],
    ["grpc-port", "serving"],
  ] as const)
    if (textOption(options, option) !== undefined && !roles.includes(role))
      throw usageWrong({
        usage: command.usage,
        reason: `--${option} needs the role ${role}; this process has ${roles.join(", ")}`,
      });
}

function toPort(text: string, option = "port"): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw usageWrong({
    usage: command.usage,
    reason: `--${option} is ${JSON.stringify(text)}; expected a whole number from 0 to 65535`,
  });
}

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import type { FastifyInstance } from "fastify";
import type { ServerRole } from "#api";
import { openStorePlatform, type StorePlatform } from "#app";
import { loadProjectConfig, readSettings } from "#config";
import { silentLog } from "#base";
import { listen, openServer } from "#server";
import { temporaryFolder } from "./stores.ts";

export interface OpenedServer {
  readonly url: string;
  readonly server: FastifyInstance;
  readonly platform: StorePlatform;
  readonly folder: string;
}

/**
 * The whole server of a project in this process, listening on a free port; closed after the current suite. `prepare`
 * writes the project's files.
 */
export async function openTestServer(
  options: {
    readonly yaml?: string;
    readonly prepare?: (folder: string) => Promise<void>;
    readonly start?: boolean;
    readonly environment?: Readonly<Record<string, string>>;
    readonly roles?: readonly ServerRole[];
  } = {},
): Promise<OpenedServer> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "esteira.yaml"), `name: p\n${options.yaml ?? ""}`);
  await options.prepare?.(folder);
  const settings = readSettings(
    { PATH: process.env["PATH"] ?? "", HOME: folder, ESTEIRA_USER: "maria", ...options.environment },
    false,
  );
  const platform = await openStorePlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    roles: options.roles,
    settings,
    log: silentLog,
  });
  const server = await openServer(platform, { host: "127.0.0.1" });
  after(async () => {
    await server.close();
    await platform.close();
  });
  const url = await listen(server, { host: "127.0.0.1", port: 0 });
  platform.setUrl(url);
  if (options.start === true) await platform.start();
  return { url, server, platform, folder };
}

/** A user with a role in the project, and the header that says so. */
export async function signIn(
  { platform }: Pick<OpenedServer, "platform">,
  name: string,
  role?: "viewer" | "contributor" | "reviewer" | "admin",
): Promise<Record<string, string>> {
  const { access, project } = platform;
  await access.createUser({ name, roles: role === undefined ? [] : [{ project, role }], actor: "maria" });
  const { token } = await access.createToken({ user: name, label: "test", actor: "maria" });
  return { authorization: `Bearer ${token}` };
}

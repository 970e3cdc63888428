import { join } from "node:path";
import { newId } from "#base";
import type { ProjectConfig, Settings } from "#config";
import type { Executor } from "#engine";
import { createRayExecutor, createSshExecutor, type Sealer, type WorkerPoolOptions } from "#executors";
import type { StorePlatform } from "./platform.ts";

type SshSettings = Extract<ProjectConfig["executors"][string], { readonly ssh: object }>["ssh"];

/** What a worker that this process starts is given. */
interface StartingFacts extends Pick<
  StorePlatform,
  "store" | "objects" | "project" | "access" | "url" | "log" | "version"
> {
  readonly config: ProjectConfig;
  readonly settings: Settings;
  readonly sealer: Sealer;
}

type RaySettings = Extract<ProjectConfig["executors"][string], { readonly ray: object }>["ray"];

/** What every pool of tasks is opened with, and who its workers call as. */
function poolOf(
  name: string,
  lease: number | undefined,
  { store, objects, project, access, url, log, config, sealer }: StartingFacts,
): WorkerPoolOptions & Pick<Parameters<typeof createSshExecutor>[0], "ownUrl" | "lender" | "lendToken" | "log"> {
  const lender = `executor:${name}:${newId()}`;
  return {
    name,
    store,
    objects,
    project,
    sealer,
    log,
    leaseMs: lease,
    workFolder: join(config.storeFolder, "work"),
    storeFolder: config.storeFolder,
    ownUrl: url,
    lender,
    lendToken: () => access.lendToken({ name: lender, project }),
  };
}

/** Its tasks see nothing of this machine, and are placed by Ray. */
export function createRay(name: string, ray: RaySettings, facts: StartingFacts): Executor {
  const settings = { lease: undefined, token: undefined, url: undefined, folder: undefined, ...ray };
  const { address, lease, token, url, folder } = settings;
  return createRayExecutor({
    ...poolOf(name, lease, facts),
    address,
    token: () => (token === undefined ? undefined : facts.settings.secret(token)),
    python: "python" in ray ? (ray.python ?? "python") : "python",
    command: "command" in ray ? ray.command : "esteira",
    folder,
    url,
    version: facts.version,
  });
}

/** Its workers see nothing of this machine, and are started by it. */
export function createSsh(name: string, ssh: SshSettings, facts: StartingFacts): Executor {
  const { hosts, key, command, folder, cpus, gpus, memory, lease, url } = ssh;
  const { settings } = facts;
  return createSshExecutor({
    ...poolOf(name, lease, facts),
    hosts,
    command,
    folder,
    share: { cpus, gpus, memoryBytes: memory },
    keyName: key,
    key: () => settings.secret(key),
    url,
    searchPath: settings.searchPath,
  });
}

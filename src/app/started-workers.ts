import { join } from "node:path";
import { newId } from "#base";
import type { ProjectConfig, Settings } from "#config";
import type { Executor } from "#engine";
import { createSshExecutor, type Sealer } from "#executors";
import type { StorePlatform } from "./platform.ts";

type SshSettings = Extract<ProjectConfig["executors"][string], { readonly ssh: object }>["ssh"];

/** What a worker that this process starts is given. */
interface StartingFacts extends Pick<StorePlatform, "store" | "objects" | "project" | "access" | "url" | "log"> {
  readonly config: ProjectConfig;
  readonly settings: Settings;
  readonly sealer: Sealer;
}

/** Its workers see nothing of this machine, and are started by it. */
export function createSsh(name: string, ssh: SshSettings, facts: StartingFacts): Executor {
  const { store, objects, project, access, url, log, config, settings, sealer } = facts;
  const { hosts, key, command, folder, cpus, gpus, memory, lease } = ssh;
  const lender = `executor:${name}:${newId()}`;
  return createSshExecutor({
    name,
    store,
    objects,
    project,
    sealer,
    log,
    leaseMs: lease,
    workFolder: join(config.storeFolder, "work"),
    storeFolder: config.storeFolder,
    hosts,
    command,
    folder,
    share: { cpus, gpus, memoryBytes: memory },
    keyName: key,
    key: () => settings.secret(key),
    url: ssh.url,
    ownUrl: url,
    lender,
    lendToken: () => access.lendToken({ name: lender, project }),
    searchPath: settings.searchPath,
  });
}

import type { CallName, ServerRole } from "#api";
import { assertAdministrator, type Identity, openStorePlatform, type Platform, type StorePlatform } from "#app";
import { findProjectFolder, loadProjectConfig, type ProjectConfig, storeOnlyConfig } from "#config";
import { type ApiCall, callApi, startLocalServer } from "#server";
import type { ArtifactPlaces } from "./artifact-root.ts";
import { type CommandContext, type OptionValues, textOption } from "./command.ts";
import { operatorLog } from "./operator-log.ts";

/** A project opened for one command. */
export interface CliSession {
  readonly platform: Platform;
  readonly identity: Identity;
  /** Calls the API in this process: the same answer that HTTP gives. */
  readonly call: <Name extends CallName>(
    name: Name,
    request?: Partial<ApiCall<Name>["request"]>,
  ) => Promise<ApiCall<Name>["response"]>;
}

/**
 * Opens the project that the user stands in (or `--project`), runs `work` and closes it again.
 *
 * @param artifacts of commands that make MLflow runs; default: in the store
 * @throws CONFIG_PROJECT_MISSING, CONFIG_PROJECT_INVALID, METADATA_STORE_UNREACHABLE, ACCESS_UNAUTHENTICATED
 */
export async function withProject<Result>(
  context: CommandContext,
  options: OptionValues,
  work: (session: CliSession) => Promise<Result>,
  artifacts?: ArtifactPlaces,
): Promise<Result> {
  const opened = await openFor(context, options, artifacts === undefined ? {} : { artifacts });
  try {
    const platform = await opened.whole();
    const identity = await identify(context, platform);
    await platform.useRegistered();
    return await work({
      platform,
      identity,
      call: (name, request) => callApi(platform, name, { identity, signal: context.signal, ...request }),
    });
  } finally {
    await opened.close();
  }
}

/**
 * Opens the project, or the bare store that `--store` names, for a command on users and tokens, and closes it again.
 *
 * @param work `assertAdministrator` refuses a token whose owner administers neither the project (default: this one;
 *   `*`: every project) nor all
 * @throws CONFIG_PROJECT_MISSING, CONFIG_PROJECT_INVALID, METADATA_STORE_UNREACHABLE, ACCESS_UNAUTHENTICATED
 */
export async function withAccess<Result>(
  context: CommandContext,
  options: OptionValues,
  work: (session: {
    readonly platform: StorePlatform;
    readonly identity: Identity;
    readonly assertAdministrator: (project?: string) => void;
  }) => Promise<Result>,
): Promise<Result> {
  const platform = await openFor(context, options, { storeOnlyAllowed: true });
  try {
    const identity = await identify(context, platform);
    return await work({
      platform,
      identity,
      assertAdministrator: (project = platform.project) => assertAdministrator(identity, project),
    });
  } finally {
    await platform.close();
  }
}

/** Opens the project, or the bare store when only `--store` is given. */
export async function openFor(
  context: CommandContext,
  options: OptionValues,
  facts: {
    readonly storeOnlyAllowed?: boolean;
    readonly artifacts?: ArtifactPlaces;
    readonly roles?: readonly ServerRole[];
  } = {},
): Promise<StorePlatform> {
  const { config, folder, storeFolder } = await findConfig(context, options, facts);
  facts.artifacts?.assertApart(config.storeFolder);
  if (folder !== undefined && storeFolder !== undefined)
    tellOverride(context, {
      config,
      named: await loadProjectConfig(folder),
      byOption: textOption(options, "store") !== undefined,
    });
  return openStorePlatform({
    config,
    isProject: folder !== undefined,
    artifacts: facts.artifacts,
    roles: facts.roles,
    settings: context.settings,
    log: operatorLog(context.terminal),
    startServer: startLocalServer,
  });
}

/**
 * What the project, or the bare store that `--store` names, is configured with; its store is left alone.
 *
 * @throws CONFIG_PROJECT_MISSING, CONFIG_PROJECT_INVALID
 */
export async function configFor(context: CommandContext, options: OptionValues): Promise<ProjectConfig> {
  return (await findConfig(context, options, { storeOnlyAllowed: true })).config;
}

async function findConfig(
  context: CommandContext,
  options: OptionValues,
  facts: { readonly storeOnlyAllowed?: boolean },
): Promise<{
  readonly config: ProjectConfig;
  readonly folder: string | undefined;
  readonly storeFolder: string | undefined;
}> {
  const storeFolder = textOption(options, "store") ?? context.settings.storeFolder;
  const start = textOption(options, "project") ?? context.workingFolder;
  const folder = await findProjectFolder(start).catch((error: unknown) => {
    if (facts.storeOnlyAllowed === true && textOption(options, "project") === undefined && storeFolder !== undefined)
      return undefined;
    throw error;
  });
  const config =
    folder === undefined ? storeOnlyConfig(storeFolder ?? start) : await loadProjectConfig(folder, storeFolder);
  return { config, folder, storeFolder };
}

/** A store folder brings its own SQLite file: whoever has named a database server is told that it is left out. */
function tellOverride(
  { terminal }: CommandContext,
  {
    config,
    named,
    byOption,
  }: { readonly config: ProjectConfig; readonly named: ProjectConfig; readonly byOption: boolean },
): void {
  const server = /^postgres(?:ql)?:\/\/(?:[^@/]*@)?([^?]*)/.exec(named.metadataAddress)?.[1];
  if (server === undefined) return;
  terminal.note(
    terminal.say("storeOverrides", {
      source: byOption ? "--store" : "ESTEIRA_STORE",
      address: config.metadataAddress,
      named: `PostgreSQL (${server})`,
    }),
  );
}

/** With a token, its owner; else the machine's user, whose files these are. */
async function identify({ settings }: CommandContext, platform: StorePlatform): Promise<Identity> {
  if (settings.token !== undefined)
    return platform.access.authenticate({ authorization: `Bearer ${settings.token}`, loopback: true });
  return { name: settings.user, kind: "local", roles: [{ project: "*", role: "admin" }] };
}

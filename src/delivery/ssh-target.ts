import { join } from "node:path";
import { messageOf } from "#base";
import type { AssetVersion } from "#metadata-store";
import { nameOfHost, type ScriptFacts, type SshHost, type SshHosts, type SshSession } from "#executors";
import { type Blobs, digestOfTree, type Tree } from "#storage";
import { type Environment, findEnvironment, isolationOf } from "./environment.ts";
import { targetKeyMissing, targetNotIsolated, targetUnknown } from "./errors.ts";
import { treeOf, unpack } from "./process-target.ts";
import type { ReleaseSettings } from "./release-settings.ts";

/** Hosts of a project, reached by SSH. */
export interface SshTarget {
  readonly hosts: readonly SshHost[];
  /** Absolute, on each host. */
  readonly folder: string;
  /** Name of the secret with the private key. */
  readonly key: string;
  /** Releases that stay on a host. */
  readonly keep: number;
}

export interface SshTargetOptions {
  readonly objects: Blobs;
  readonly ssh: SshHosts;
  readonly targets: Readonly<Record<string, SshTarget>>;
  /** Where releases are unpacked before they are sent. */
  readonly folder: string;
  readonly environments: readonly Environment[];
  /** Value of a secret by name; undefined when it is not set. */
  readonly secret: (name: string) => string | undefined;
}

export type SshSettings = Extract<ReleaseSettings, { target: "ssh" }>;

export interface SshDeployment {
  readonly deploymentId: string;
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly version: AssetVersion;
  readonly settings: SshSettings;
}

const CHECK_MS = 30_000;
const unwatched = new AbortController().signal;

/**
 * Puts code on hosts: every host gets the files first, then one after the other switches to them. A host that is not
 * well goes back by itself, and with it those that had switched before it. The same again changes nothing.
 *
 * @throws DELIVERY_TARGET_UNKNOWN, DELIVERY_TARGET_KEY_MISSING, EXECUTORS_SSH_FAILED, EXECUTORS_SSH_UNHEALTHY
 */
export async function deployToHosts(
  deployment: SshDeployment,
  watch: { readonly signal: AbortSignal; readonly log: (line: string) => void },
  options: SshTargetOptions,
): Promise<{ readonly address: string }> {
  const { project, environment, asset, version, settings, deploymentId } = deployment;
  const { name, sessions, target } = open(settings, watch.signal, options);
  if (isolationOf(findEnvironment(options.environments, environment)) !== undefined)
    throw targetNotIsolated({ target: name, environment });
  const tree = treeOf(version);
  const release = releaseOf(tree);
  const local = join(options.folder, project, environment, asset, release);
  await unpack(options.objects, tree, { folder: local, deploymentId });
  const facts: ScriptFacts = {
    folder: folderOn(target, deployment),
    deploymentId,
    release,
    restart: settings.restart,
    check: settings.check,
    checkSeconds: Math.ceil((settings.healthTimeoutMs ?? CHECK_MS) / 1000),
    keep: target.keep,
    environment: {
      ESTEIRA_PROJECT: project,
      ESTEIRA_ENVIRONMENT: environment,
      ESTEIRA_VERSION: String(version.version),
      ESTEIRA_DIGEST: version.digest,
    },
  };
  for (const session of sessions) {
    await options.ssh.upload(session, facts, local);
    watch.log(`${environment}: ${nameOfHost(session.host)} has the files`);
  }
  await switchAll(sessions, facts, { ...watch, environment, ssh: options.ssh, stop: settings.stop });
  return { address: `ssh://${target.hosts.map(nameOfHost).join(",")}${facts.folder}` };
}

async function switchAll(
  sessions: readonly SshSession[],
  facts: ScriptFacts,
  of: {
    readonly log: (line: string) => void;
    readonly environment: string;
    readonly ssh: SshHosts;
    readonly stop: string | undefined;
  },
): Promise<void> {
  const { log, environment, ssh, stop } = of;
  const done: { readonly session: SshSession; readonly before: string | undefined }[] = [];
  for (const session of sessions) {
    const name = nameOfHost(session.host);
    try {
      const before = await ssh.current(session, facts.folder);
      const said = (await ssh.switchTo(session, facts)).trim();
      if (said !== "") log(`${name}: ${said}`);
      log(`${environment}: ${name} runs the release`);
      done.push({ session, before });
    } catch (error) {
      // Whoever stopped it goes on with it: what is done stays done.
      if (session.signal.aborted) throw error;
      for (const { session: earlier, before } of done.toReversed())
        if (before !== facts.release)
          await takeBack({ ...earlier, signal: unwatched }, facts, { ssh, before, stop })
            .then(() => log(`${environment}: ${nameOfHost(earlier.host)} went back`))
            .catch((failure: unknown) =>
              log(`${environment}: ${nameOfHost(earlier.host)} did not go back: ${messageOf(failure)}`),
            );
      throw error;
    }
  }
}

/** Where nothing ran before, nothing runs again. */
async function takeBack(
  session: SshSession,
  facts: ScriptFacts,
  {
    ssh,
    before,
    stop,
  }: { readonly ssh: SshHosts; readonly before: string | undefined; readonly stop: string | undefined },
): Promise<void> {
  if (before === undefined) return ssh.remove(session, facts.folder, stop);
  await ssh.switchTo(session, { ...facts, release: before });
}

/** Whether every host has the version as its current release. */
export async function runsOnHosts(
  deployment: Omit<SshDeployment, "deploymentId">,
  options: SshTargetOptions,
): Promise<boolean> {
  const { sessions, target } = open(deployment.settings, unwatched, options);
  const release = releaseOf(treeOf(deployment.version));
  const found = await Promise.all(
    sessions.map((session) => options.ssh.current(session, folderOn(target, deployment))),
  );
  return found.every((current) => current === release);
}

/** Takes an asset from the hosts; its folders stay. */
export async function removeFromHosts(
  of: { readonly environment: string; readonly asset: string; readonly settings: SshSettings },
  options: SshTargetOptions,
): Promise<void> {
  const { sessions, target } = open(of.settings, unwatched, options);
  for (const session of sessions) await options.ssh.remove(session, folderOn(target, of), of.settings.stop);
}

/** Two assets, or environments, on one host do not meet. */
function folderOn({ folder }: SshTarget, of: { readonly environment: string; readonly asset: string }): string {
  return `${folder}/${of.environment}/${of.asset}`;
}

function releaseOf(tree: Tree): string {
  return digestOfTree(tree).slice("sha256:".length);
}

function open(
  settings: SshSettings,
  signal: AbortSignal,
  { targets, secret }: SshTargetOptions,
): { readonly name: string; readonly target: SshTarget; readonly sessions: readonly SshSession[] } {
  const { name } = settings;
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target === undefined) throw targetUnknown({ target: name, known: Object.keys(targets) });
  const key = secret(target.key);
  if (key === undefined || key === "") throw targetKeyMissing({ target: name, secret: target.key });
  return { name, target, sessions: target.hosts.map((host) => ({ host, key, signal })) };
}

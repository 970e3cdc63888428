import { z } from "zod";
import { type Json, nearestName } from "#base";
import { type AssetKind, type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { type Deployment, getDeployment, listDeployed } from "#metadata-store/delivery";
import { listAttempts } from "#metadata-store/engine";
import { readModelContent } from "#models";
import { environmentOfProject, homeProject, isPreviewEnvironment } from "#pipeline";
import type { AnalysisContext, AttemptContext, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import type { Delivery, FinishedDeployment } from "./delivery.ts";
import { findEnvironment } from "./environment.ts";
import { assetNotDeployable, notApproved, versionMissing } from "./errors.ts";
import { assertIsolated } from "./isolation-check.ts";
import type { ApprovalCheck } from "./ports.ts";
import { type ReleaseSettings, settingsAsJson } from "./release-settings.ts";
import { type StrategyDeclaration, strategySchema } from "./rollout/strategy.ts";

/** `deploy: ASSET` and where it goes. */
export interface DeployDeclaration {
  readonly deploy: string;
  readonly to: string | readonly string[];
  readonly endpoint?: string | undefined;
  readonly features?: string | undefined;
  readonly strategy?: StrategyDeclaration | undefined;
  readonly workers?: number | undefined;
  readonly log?: { readonly redact: readonly string[] } | undefined;
  readonly start?: string | undefined;
  readonly health?: string | undefined;
  readonly health_timeout?: string | undefined;
  readonly port?: number | Readonly<Record<string, number>> | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly openai?: true | { readonly model?: string | undefined } | undefined;
  readonly target?: string | Readonly<Record<string, string>> | undefined;
  readonly restart?: string | undefined;
  readonly check?: string | undefined;
  readonly stop?: string | undefined;
  readonly manifests?: string | readonly string[] | undefined;
  readonly values?: Readonly<Record<string, string | number | boolean | { readonly file: string }>> | undefined;
  readonly prune?: boolean | undefined;
  readonly force_conflicts?: boolean | undefined;
}

const port = z.int().min(1).max(65_535);

const targetName = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/);

/** Relative, and nowhere outside. */
const pathOfCode = z
  .string()
  .min(1)
  .max(500)
  .regex(
    /^(?!\/)(?!(.*\/)?\.\.(\/|$))[^\\\0]+$/,
    "expected a path below the folder of the code, with / and without ..",
  );

const schema: z.ZodType<DeployDeclaration> = z.strictObject({
  deploy: z.string().min(1).describe("The code or model to deploy."),
  to: z.union([z.string(), z.array(z.string()).min(1)]).describe("Environments, one after the other."),
  endpoint: z
    .string()
    .regex(/^[a-z][\w-]*$/i)
    .optional()
    .describe("Models: name of the endpoint; default: the asset's name."),
  features: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Models: feature service that the endpoint reads online, so that requests carry only join keys and what they know themselves.",
    ),
  strategy: strategySchema
    .optional()
    .describe("Models: how requests move to the new version (canary, shadow); default: all at once."),
  workers: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe("Python models: processes that compute the endpoint's requests; default 1."),
  log: z
    .strictObject({
      redact: z
        .array(z.string().min(1).max(200))
        .min(1)
        .max(1000)
        .describe("Columns of requests whose values are never written; the model still gets them."),
    })
    .optional()
    .describe("Models: what the prediction log keeps of requests."),
  start: z
    .string()
    .min(1)
    .optional()
    .describe("Code: command that serves on $HOST:$PORT; default: the start script of package.json."),
  health: z.string().startsWith("/").optional().describe("Code: path that answers 2xx when the release is ready."),
  health_timeout: z
    .string()
    .regex(/^\d+(ms|s|m)$/)
    .optional()
    .describe("Code: how long to wait for health; default 30s."),
  port: z
    .union([port, z.record(z.string(), port)])
    .optional()
    .describe("Code: stable port, or one per environment; default: a free one, kept."),
  env: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/), z.string())
    .optional()
    .describe("Code: variables of the process."),
  openai: z
    .union([z.literal(true), z.strictObject({ model: z.string().min(1).max(200).optional() })])
    .optional()
    .describe(
      "Code: it speaks OpenAI's API, and those who may predict reach it below /openai/v1 under the name of the asset; `model` is what it calls its model itself.",
    ),
  target: z
    .union([targetName, z.record(z.string(), targetName)])
    .optional()
    .describe(
      "Code: hosts or cluster of `targets` in esteira.yaml, or those of each environment; default a process of this machine.",
    ),
  restart: z
    .string()
    .min(1)
    .optional()
    .describe("Code on hosts: shell line that restarts what runs, in the folder of the release."),
  check: z
    .string()
    .min(1)
    .optional()
    .describe("Code on hosts: shell line that succeeds when the release is well; tried until health_timeout."),
  stop: z.string().min(1).optional().describe("Code on hosts: shell line that ends what runs, when it is removed."),
  manifests: z
    .union([pathOfCode, z.array(pathOfCode).min(1).max(50)])
    .optional()
    .describe("Code in a cluster: files of the code that are applied, such as k8s/*.yaml."),
  values: z
    .record(
      z.string().regex(/^[A-Za-z_]\w{0,62}$/),
      z.union([z.string().max(10_000), z.number(), z.boolean(), z.strictObject({ file: pathOfCode })]),
    )
    .optional()
    .describe(
      "Code in a cluster: what manifests name as ${{ values.NAME }}; { file: PATH } is the text of a file of the code.",
    ),
  prune: z
    .boolean()
    .optional()
    .describe("Code in a cluster: delete what earlier releases applied and this one has no more; default false."),
  force_conflicts: z
    .boolean()
    .optional()
    .describe("Code in a cluster: take over fields that others manage; default false, which fails."),
});

const HOST_KEYS = ["restart", "check", "stop"] as const;
const PROCESS_KEYS = ["start", "health", "port", "env", "openai"] as const;
const CLUSTER_KEYS = ["manifests", "values", "prune", "force_conflicts"] as const;
const CODE_KEYS = [...PROCESS_KEYS, "health_timeout", "target", ...HOST_KEYS, ...CLUSTER_KEYS] as const;
const MODEL_KEYS = ["endpoint", "features", "strategy", "workers", "log"] as const;

/** What a target of a project is. */
export type TargetKind = "ssh" | "kubernetes";

export interface DeployKindOptions {
  readonly store: MetadataStore;
  readonly delivery: Delivery;
  readonly approvals: ApprovalCheck;
  /** The project's targets by name. Default: it has none. */
  readonly targets?: Readonly<Record<string, TargetKind>>;
}

/**
 * Steps that put code or models into environments: `deploy: ASSET`. A protected environment waits for its approval,
 * holding nothing; what was deployed before the wait, before a crash, or by another run in the same way, is not
 * deployed again.
 */
export function createDeployKind(options: DeployKindOptions): StepKind<DeployDeclaration> {
  return {
    name: "deploy",
    load: "code",
    schema,
    describe: ({ deploy, to }) => `deploy ${deploy} to ${[to].flat().join(", then ")}`,
    analyse: (declaration, context) => analyse(declaration, context, options),
    execute: (attempt) => execute(attempt, options),
  };
}

async function analyse(
  declaration: DeployDeclaration,
  context: AnalysisContext,
  { store, delivery, targets = {} }: DeployKindOptions,
): Promise<StepAnalysis> {
  const kind = context.knownAssets.get(declaration.deploy);
  const known = delivery.environments.map(({ name }) => name);
  const problems: Problem[] = [];
  for (const [index, name] of [declaration.to].flat().entries()) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    problems.push({
      path: typeof declaration.to === "string" ? ["to"] : ["to", index],
      message: `There is no environment "${name}"; ${known.length === 0 ? "esteira.yaml names none" : `esteira.yaml names ${known.join(", ")}`}`,
      hint: nearest === undefined ? `Add it to esteira.yaml under environments.` : `Did you mean ${nearest}?`,
    });
  }
  if (kind !== undefined) problems.push(...explainKind(declaration, kind));
  problems.push(...explainTargets(declaration, targets));
  return {
    inputs: [{ asset: declaration.deploy, role: "deploy", path: ["deploy"] }],
    makes: [],
    files: [],
    fingerprint: await deployedFingerprint(store, {
      project: context.project,
      asset: declaration.deploy,
      environments: [declaration.to].flat(),
    }),
    problems,
  };
}

/** A target must be there, and each key belongs to a process of this machine, to hosts or to a cluster. */
function explainTargets(
  declaration: DeployDeclaration,
  targets: Readonly<Record<string, TargetKind>>,
): readonly Problem[] {
  const { target } = declaration;
  const named = typeof target === "object" ? Object.entries(target) : [[undefined, target ?? ""] as const];
  const missing = named.filter(([, name]) => target !== undefined && !Object.hasOwn(targets, name));
  const known = Object.keys(targets);
  return [
    ...missing.map(([environment, name]) => ({
      path: environment === undefined ? ["target"] : ["target", environment],
      message: `There is no target "${name}"; ${known.length === 0 ? "esteira.yaml names none" : `esteira.yaml names ${known.join(", ")}`}`,
      hint: `Add it to esteira.yaml: targets: { ${name}: { ssh: … } }, or { kubernetes: … }`,
    })),
    ...explainPlaces(declaration, targets),
  ];
}

const NOUNS = { process: "a process of this machine", ssh: "hosts", kubernetes: "a cluster" } as const;
const KEYS_OF = { process: PROCESS_KEYS, ssh: HOST_KEYS, kubernetes: CLUSTER_KEYS } as const;

/** Keys for a place that no environment of the step has, and what a cluster cannot do without. */
function explainPlaces(
  declaration: DeployDeclaration,
  targets: Readonly<Record<string, TargetKind>>,
): readonly Problem[] {
  const { target, to } = declaration;
  const names = [to].flat().map((environment) => (typeof target === "object" ? target[environment] : target));
  // A name that is unknown may be of any kind.
  if (names.some((name) => name !== undefined && !Object.hasOwn(targets, name)))
    return names.every((name) => name !== undefined) ? foreignKeys(declaration, ["ssh", "kubernetes"]) : [];
  const places = new Set(names.map((name) => (name === undefined ? "process" : (targets[name] ?? "process"))));
  const problems = foreignKeys(declaration, [...places]);
  if (!places.has("kubernetes") || declaration.manifests !== undefined) return problems;
  return [
    ...problems,
    { path: ["target"], message: "A cluster needs manifests", hint: "Add manifests: k8s/*.yaml, files of the code." },
  ];
}

function foreignKeys(declaration: DeployDeclaration, places: readonly (keyof typeof NOUNS)[]): readonly Problem[] {
  const given =
    declaration.target === undefined ? "names no target" : `names ${places.map((place) => NOUNS[place]).join(" and ")}`;
  return (["process", "ssh", "kubernetes"] as const)
    .filter((place) => !places.includes(place))
    .flatMap((place) =>
      KEYS_OF[place]
        .filter((key) => declaration[key] !== undefined)
        .map((key) => ({
          path: [key],
          message: `"${key}" is for ${NOUNS[place]}, and the step ${given}`,
          hint:
            place === "process"
              ? "Hosts have restart and check in its place, a cluster its manifests."
              : "Name a target of that kind, or remove it.",
        })),
    );
}

/** Only code and models can be deployed, each with its own keys. */
function explainKind(declaration: DeployDeclaration, kind: AssetKind): readonly Problem[] {
  const hint = "A step makes code with makes: { code: FOLDER }, and a model with makes: model.";
  if (kind !== "code" && kind !== "model")
    return [
      { path: ["deploy"], message: `"${declaration.deploy}" is ${kind}; only code and models can be deployed`, hint },
    ];
  const [keys, noun, other] = kind === "model" ? [CODE_KEYS, "a model", "code"] : [MODEL_KEYS, "code", "model"];
  return keys
    .filter((key) => declaration[key] !== undefined)
    .map((key) => ({
      path: [key],
      message: `"${key}" says nothing about ${noun}: it belongs to a ${other} deployment`,
      hint: "Remove it.",
    }));
}

/**
 * An environment that was rolled back, or given another version by hand, makes the step run again; its own deployment
 * does not.
 */
async function deployedFingerprint(
  store: MetadataStore,
  key: { readonly project: string; readonly asset: string; readonly environments: readonly string[] },
): Promise<Json> {
  const { latest, deployed } = await store.read(async (transaction) => ({
    latest: await getAssetVersion(transaction, key),
    deployed: await listDeployed(transaction, { project: key.project, asset: key.asset }),
  }));
  return deployed
    .filter(({ environment, versionId }) => key.environments.includes(environment) && versionId !== latest?.id)
    .map(({ environment, versionId }) => `${environment}:${versionId}`);
}

async function execute(attempt: AttemptContext<DeployDeclaration>, options: DeployKindOptions): Promise<StepOutcome> {
  const { declaration } = attempt;
  if (attempt.isOutside === true)
    return { status: "skipped", reason: "a pull request from another repository gets no environment" };
  const version = attempt.inputs.get(declaration.deploy);
  if (version === undefined) throw versionMissing({ asset: declaration.deploy });
  const facts: Record<string, Json> = {};
  const sinceMs = await firstStart(attempt, options.store);
  tellOfFeatures(attempt, version);
  for (const environment of environmentsOf(attempt)) {
    const known = await findOwnDeployment(attempt, environment, options.store);
    if (known?.status !== "succeeded") {
      const closed = await checkApproval(attempt, { version, environment }, options);
      if (closed !== undefined) return closed;
    }
    const done = await deployTo(attempt, { version, environment, known, sinceMs }, options);
    facts[environment] = {
      release: done.release.number,
      releaseId: done.release.id,
      version: version.version,
      address: done.state.address,
      ...(done.kept === true ? { alreadyDeployed: true } : {}),
    };
  }
  return { status: "succeeded", made: [], facts };
}

/** Where a step deploys to: a pull request to its own environment alone, whatever the step names. */
function environmentsOf({ declaration, project }: AttemptContext<DeployDeclaration>): readonly string[] {
  const own = environmentOfProject(project);
  return own === undefined ? [declaration.to].flat() : [own];
}

/** Who trained on features and deploys without a service has callers send them, which is seldom meant. */
function tellOfFeatures(attempt: AttemptContext<DeployDeclaration>, version: AssetVersion): void {
  if (version.kind !== "model" || attempt.declaration.features !== undefined) return;
  const { features = [] } = readModelContent(version).model;
  if (features.length > 0)
    attempt.log(
      `${version.asset} was trained on ${features.join(", ")}, and this step names no feature service (features: …): whoever asks the endpoint has to send them`,
      "stderr",
    );
}

/** undefined when the version may go there. */
async function checkApproval(
  attempt: AttemptContext<DeployDeclaration>,
  subject: { readonly version: AssetVersion; readonly environment: string },
  { store, delivery, approvals, targets = {} }: DeployKindOptions,
): Promise<StepOutcome | undefined> {
  const { version, environment } = subject;
  const rules = findEnvironment(delivery.environments, environment);
  await assertIsolated(version, rules, store);
  if (isPreviewEnvironment(environment)) return undefined;
  const decision = await approvals.check({
    project: attempt.project,
    environment,
    rules,
    version,
    deploy: settingsAsJson(settingsOf(attempt.declaration, { version, environment, targets })),
    requestedBy: attempt.actor,
  });
  if (decision.open) {
    if (decision.approvedBy.length > 0)
      attempt.log(`${environment}: approved by ${decision.approvedBy.join(", ")} (${decision.digest})`);
    return undefined;
  }
  if (decision.refused)
    throw notApproved({ asset: version.asset, version: version.version, environment, reason: decision.gate.reason });
  attempt.log(`${environment}: ${decision.gate.reason}`);
  return { status: "waiting", gate: decision.gate };
}

/** One deployment per step run and environment; a failed one leaves the next attempt its own. */
function keyOf(attempt: AttemptContext<unknown>, environment: string, attemptNumber: number): string {
  return `${attempt.stepRunId}:${environment}:${attemptNumber}`;
}

/** What an earlier attempt of this step run did for the environment, unless it failed. */
async function findOwnDeployment(
  attempt: AttemptContext<unknown>,
  environment: string,
  store: MetadataStore,
): Promise<Deployment | undefined> {
  return store.read(async (transaction) => {
    for (let number = attempt.attemptNumber; number > 0; number--) {
      const found = await getDeployment(transaction, {
        project: homeProject(attempt.project),
        idempotencyKey: keyOf(attempt, environment, number),
      });
      if (found !== undefined && found.status !== "failed") return found;
    }
    return undefined;
  });
}

/** When an earlier attempt of this step run began; undefined in the first. */
async function firstStart(
  { stepRunId, attemptNumber }: AttemptContext<unknown>,
  store: MetadataStore,
): Promise<number | undefined> {
  if (attemptNumber === 1) return undefined;
  return (await store.read((transaction) => listAttempts(transaction, stepRunId)))[0]?.startedAtMs;
}

async function deployTo(
  attempt: AttemptContext<DeployDeclaration>,
  facts: {
    readonly version: AssetVersion;
    readonly environment: string;
    readonly known: Deployment | undefined;
    readonly sinceMs: number | undefined;
  },
  { delivery, targets = {} }: DeployKindOptions,
): Promise<FinishedDeployment> {
  const { version, environment, known, sinceMs } = facts;
  return delivery.deploy(
    {
      project: homeProject(attempt.project),
      environment,
      version,
      settings: settingsOf(attempt.declaration, { version, environment, targets }),
      actor: attempt.actor,
      stepRunId: attempt.stepRunId,
      sinceMs,
      idempotencyKey: known?.idempotencyKey ?? keyOf(attempt, environment, attempt.attemptNumber),
    },
    { signal: attempt.signal, log: (line) => attempt.log(line) },
  );
}

interface DeployPlace {
  readonly environment: string;
  readonly targets: Readonly<Record<string, TargetKind>>;
}

function settingsOf(
  declaration: DeployDeclaration,
  { version, ...place }: DeployPlace & { readonly version: AssetVersion },
): ReleaseSettings {
  const { environment } = place;
  if (version.kind === "model") {
    return {
      target: "model",
      endpoint: declaration.endpoint ?? version.asset,
      ...(declaration.features === undefined ? {} : { featureService: declaration.features }),
      ...(declaration.strategy === undefined || isPreviewEnvironment(environment)
        ? {}
        : { strategy: declaration.strategy }),
      ...(declaration.workers === undefined ? {} : { workers: declaration.workers }),
      ...(declaration.log === undefined ? {} : { log: { redact: [...declaration.log.redact] } }),
    };
  }
  if (version.kind !== "code") throw assetNotDeployable({ asset: version.asset, kind: version.kind });
  return codeSettings(declaration, place);
}

function codeSettings(declaration: DeployDeclaration, place: DeployPlace): ReleaseSettings {
  const { environment } = place;
  const elsewhere = isPreviewEnvironment(environment) ? undefined : targetOf(declaration, place);
  if (elsewhere !== undefined) return elsewhere;
  // A preview keeps the port of no environment.
  const stable = isPreviewEnvironment(environment)
    ? undefined
    : typeof declaration.port === "object"
      ? declaration.port[environment]
      : declaration.port;
  return {
    target: "process",
    ...(declaration.start === undefined ? {} : { start: declaration.start }),
    ...(declaration.health === undefined ? {} : { health: declaration.health }),
    ...(declaration.health_timeout === undefined
      ? {}
      : { healthTimeoutMs: toMilliseconds(declaration.health_timeout) }),
    ...(stable === undefined ? {} : { port: stable }),
    ...openaiSetting(declaration),
    environment: declaration.env ?? {},
  };
}

function openaiSetting({ openai }: DeployDeclaration): { readonly openai?: { readonly model?: string } } {
  if (openai === undefined) return {};
  return { openai: openai === true || openai.model === undefined ? {} : { model: openai.model } };
}

/** Hosts or the cluster that an environment has; undefined: it is this machine. */
function targetOf(declaration: DeployDeclaration, { environment, targets }: DeployPlace): ReleaseSettings | undefined {
  const { target, restart, check, stop, health_timeout: timeout } = declaration;
  const name = typeof target === "object" ? target[environment] : target;
  if (name === undefined) return undefined;
  if (Object.hasOwn(targets, name) && targets[name] === "kubernetes") return clusterSettings(declaration, name);
  return {
    target: "ssh",
    name,
    ...(restart === undefined ? {} : { restart }),
    ...(check === undefined ? {} : { check }),
    ...(stop === undefined ? {} : { stop }),
    ...(timeout === undefined ? {} : { healthTimeoutMs: toMilliseconds(timeout) }),
  };
}

function clusterSettings(declaration: DeployDeclaration, name: string): ReleaseSettings {
  const { manifests = [], values, prune, force_conflicts: force, health_timeout: timeout } = declaration;
  return {
    target: "kubernetes",
    name,
    manifests: [manifests].flat(),
    ...(values === undefined ? {} : { values }),
    ...(prune === undefined ? {} : { prune }),
    ...(force === undefined ? {} : { forceConflicts: force }),
    ...(timeout === undefined ? {} : { healthTimeoutMs: toMilliseconds(timeout) }),
  };
}

function toMilliseconds(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m)$/.exec(text) ?? [];
  return Number(amount) * (unit === "m" ? 60_000 : unit === "s" ? 1000 : 1);
}

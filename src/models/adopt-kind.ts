import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { isEsteiraError } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { ModelVersion } from "#metadata-store/registry";
import type { AttemptContext, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { type ArtifactFolder, artifactLocationForeign } from "#tracking";
import { copyArtifacts } from "./copy-artifacts.ts";
import { registeredElsewhere, registeredMissing } from "./errors.ts";
import type { AdoptedModel } from "./model-storage.ts";
import { MODEL_TASKS, type ModelTask } from "./model-description.ts";
import { findRegisteredVersion, parseRegisteredAddress } from "./registered-model.ts";

/** `adopt: models:/NAME@ALIAS`: a model that MLflow's clients registered, as an asset. */
export interface AdoptDeclaration {
  readonly adopt: string;
  readonly task?: ModelTask | undefined;
  readonly label?: string | undefined;
}

const schema: z.ZodType<AdoptDeclaration> = z.strictObject({
  adopt: z
    .string()
    .min(1)
    .describe("The registered version to take: models:/NAME/VERSION, models:/NAME@ALIAS or models:/NAME/latest."),
  task: z
    .enum(MODEL_TASKS)
    .optional()
    .describe("What it predicts; default: what its MLmodel, the tags of its run or its signature say."),
  label: z.string().min(1).optional().describe("Column that holds the truth in test data."),
});

export interface AdoptKindOptions {
  readonly store: MetadataStore;
  readonly artifacts: ArtifactFolder;
}

/**
 * Steps that take a version of the model registry as their model: `adopt: models:/NAME@ALIAS`. What was registered by
 * any MLflow client is then tested, approved, deployed and watched as what a pipeline made. The address is looked up
 * with every run; the same version is taken once.
 */
export function createAdoptKind(options: AdoptKindOptions): StepKind<AdoptDeclaration> {
  return {
    name: "adopt",
    reachesOut: true,
    load: "models",
    schema,
    describe: ({ adopt }) => `adopt ${adopt}`,
    async analyse(declaration, { project, step }): Promise<StepAnalysis> {
      const version = await findVersion(declaration, project, options);
      return {
        inputs: [],
        makes: [{ asset: step, kind: "model" }],
        files: [],
        fingerprint: version === undefined ? null : { id: version.id, at: version.storageLocation },
        problems: explain(declaration),
      };
    },
    async preview(declaration, { project }) {
      const version = await findVersion(declaration, project, options);
      return version === undefined
        ? "no such version is registered yet"
        : `${version.name} ${version.version}, registered by ${version.actor}`;
    },
    execute: (attempt) => execute(attempt, options),
  };
}

function explain({ adopt }: AdoptDeclaration): readonly Problem[] {
  if (parseRegisteredAddress(adopt) !== undefined) return [];
  return [
    {
      path: ["adopt"],
      message: `"${adopt}" is no address of a registered version`,
      hint: "Write models:/NAME/VERSION, models:/NAME@ALIAS or models:/NAME/latest.",
    },
  ];
}

async function findVersion(
  { adopt }: AdoptDeclaration,
  project: string,
  { store }: AdoptKindOptions,
): Promise<ModelVersion | undefined> {
  const address = parseRegisteredAddress(adopt);
  return address === undefined ? undefined : findRegisteredVersion(store, project, address);
}

async function execute(attempt: AttemptContext<AdoptDeclaration>, options: AdoptKindOptions): Promise<StepOutcome> {
  const { declaration, project, step, workFolder } = attempt;
  const { adopt, task, label } = declaration;
  const version = await findVersion(declaration, project, options);
  if (version === undefined) throw registeredMissing({ address: adopt, project });
  attempt.log(`taking ${version.name} ${version.version}, registered by ${version.actor}`);
  const folder = join(workFolder, "model");
  await mkdir(folder, { recursive: true });
  await copyArtifacts(placeOf(version, adopt, options), folder, attempt.signal);
  if ((await readdir(folder)).length === 0)
    throw registeredElsewhere({ address: adopt, location: version.storageLocation, reason: "there are no files" });
  const { name, version: number, runId } = version;
  const adopted: AdoptedModel = { name, version: number, ...(runId === undefined ? {} : { runId }) };
  const published = await attempt.publish({
    asset: step,
    kind: "model",
    folder,
    options: { adopted, ...(task === undefined ? {} : { task }), ...(label === undefined ? {} : { label }) },
  });
  return {
    status: "succeeded",
    made: [published.made],
    facts: { adopted: `${version.name} ${version.version}` },
    ...(published.alsoWrite === undefined ? {} : { alsoWrite: published.alsoWrite }),
  };
}

function placeOf(
  { storageLocation: location }: ModelVersion,
  address: string,
  { artifacts }: AdoptKindOptions,
): ReturnType<ArtifactFolder["at"]> {
  try {
    return artifacts.at(location);
  } catch (error) {
    if (!isEsteiraError(error, artifactLocationForeign.code)) throw error;
    throw registeredElsewhere({ address, location, reason: "this server does not keep them" }, error);
  }
}

import { createFileSystemFiles } from "#storage";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { newId, silentLog, systemClock } from "#base";
import { type Analytics, createAnalytics, createDatasets, type Datasets } from "#data";
import { createFeatures, createJoinKind, type Features, type JoinDeclaration } from "#features";
import { type AssetVersion, recordAssetVersion, type StoreKind } from "#metadata-store";
import type { StepKind, StepOutcome } from "#pipeline";
import { testAttempt } from "../setup/attempt.ts";
import { openTestStore, temporaryFolder, type TestStore } from "../setup/stores.ts";

export interface FeatureBench extends TestStore {
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly features: Features;
  readonly kind: StepKind<JoinDeclaration>;
  readonly projectFolder: string;
  define(yaml: string): Promise<void>;
  /** Makes the next version of a dataset. */
  make(
    asset: string,
    select: string,
    disposition?: "append" | "replace" | { readonly merge: readonly string[] },
  ): Promise<AssetVersion>;
  /** Runs a join step over the given versions and records what it makes. */
  join(
    declaration: JoinDeclaration["join"],
    inputs: readonly AssetVersion[],
  ): Promise<{
    readonly version: AssetVersion;
    readonly outcome: Extract<StepOutcome, { status: "succeeded" }>;
    readonly rows: readonly Record<string, unknown>[];
  }>;
}

/** A project with datasets, feature definitions and a join step, on a real store. */
export async function openFeatureBench(storeKind: StoreKind): Promise<FeatureBench> {
  const test = await openTestStore(storeKind);
  const projectFolder = await temporaryFolder();
  const analytics = createAnalytics({ folder: join(test.folder, "spill"), threads: 2 });
  const datasets = createDatasets({
    store: test.store,
    objects: test.objects,
    files: createFileSystemFiles({ root: join(test.folder, "datasets") }),
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const features = createFeatures({
    store: test.store,
    datasets,
    analytics,
    clock: systemClock,
    log: silentLog,
    project: "p",
    projectFolder,
  });
  const kind = createJoinKind({ store: test.store, datasets, analytics, clock: systemClock });
  const record = (made: Parameters<typeof recordAssetVersion>[1]): Promise<AssetVersion> =>
    test.store.write((tx) => recordAssetVersion(tx, made)).then(({ version }) => version);
  return {
    ...test,
    projectFolder,
    analytics,
    datasets,
    features,
    kind,
    async define(yaml) {
      const file = join(projectFolder, "features/f.yaml");
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, yaml);
    },
    async make(asset, select, disposition = "replace") {
      const connection = await analytics.connect();
      const operationId = newId();
      const made = await datasets.write({ project: "p", asset, operationId, disposition, select, connection });
      connection.close();
      const version = await record({ project: "p", ...made, madeAtMs: Date.now(), actor: "ana", inputs: [] });
      await test.store.write((tx) => datasets.settle(tx, { project: "p", asset, operationId }));
      return version;
    },
    async join(declaration, inputs) {
      const attempt = await testAttempt(
        { join: declaration },
        {
          projectFolder,
          objects: test.objects,
          step: "training_set",
          inputs: new Map(inputs.map((version) => [version.asset, version])),
        },
      );
      const outcome = await kind.execute(attempt);
      if (outcome.status !== "succeeded" || outcome.made[0] === undefined) throw new Error("the join did not succeed");
      const version = await record({
        project: "p",
        ...outcome.made[0],
        madeAtMs: Date.now(),
        actor: "ana",
        inputs: [],
      });
      if (outcome.alsoWrite !== undefined) await test.store.write(outcome.alsoWrite);
      const { rows } = await datasets.preview(version, { limit: 1_000 });
      return { version, outcome, rows };
    },
  };
}

import type { MetadataStore } from "#metadata-store";
import { createProjectFiles, type StepKind } from "#pipeline";
import { patternsOf } from "../kinds/run.ts";
import type { PythonEnvironments } from "../python-environment.ts";
import { analyseDbt, describeDbt, understandDbt } from "./dbt-analysis.ts";
import { type DbtDeclaration, dbtSchema } from "./dbt-declaration.ts";
import { inFolder } from "./dbt-files.ts";
import { runDbt } from "./dbt-run.ts";

export interface DbtKindDependencies {
  readonly environments: PythonEnvironments;
  /** Where the versions are that incremental models and snapshots go on from. */
  readonly store: MetadataStore;
}

/** Steps that build a dbt project: its models, seeds and snapshots become datasets, its tests their checks. */
export function createDbtKind(dependencies: DbtKindDependencies): StepKind<DbtDeclaration> {
  return {
    name: "dbt",
    load: "data",
    schema: dbtSchema,
    describe: ({ dbt, select }) =>
      `dbt build of ${dbt}${select === undefined ? "" : `, ${patternsOf(select).join(" ")}`}`,
    workspace({ dbt }) {
      const folder = inFolder("", dbt) ?? "";
      return ["target", "logs", "dbt_packages"].map((name) => (folder === "" ? name : `${folder}/${name}`));
    },
    isClosed: true,
    analyse: analyseDbt,
    preview: async (declaration, context) => describeDbt(await understandDbt(declaration, context)),
    async execute(attempt) {
      const files = createProjectFiles(attempt.projectFolder);
      const knownAssets = new Map([...attempt.inputs].map(([name, { kind }]) => [name, kind] as const));
      return runDbt(dependencies, attempt, await understandDbt(attempt.declaration, { ...files, knownAssets }));
    },
  };
}

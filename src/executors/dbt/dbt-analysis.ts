import { formatQuantity, nearestName } from "#base";
import { type AnalysisContext, missingFile, type Problem, type StepAnalysis, type StepInput } from "#pipeline";
import { matchFiles, patternsOf } from "../kinds/run.ts";
import type { DbtDeclaration } from "./dbt-declaration.ts";
import { inFolder } from "./dbt-files.ts";
import { type DbtNode, type DbtProject, type DbtSource, readDbtProject } from "./dbt-project.ts";
import { type SelectableNode, selectNodes } from "./dbt-selection.ts";

/** What a step would do with its dbt project, from the files alone. */
export interface UnderstoodDbt {
  /** Project-relative; empty for the project's own. */
  readonly folder: string;
  readonly project: DbtProject;
  /** Nodes that are built and become datasets. */
  readonly made: readonly DbtNode[];
  /** `SOURCE.TABLE` → dataset that stands for it. */
  readonly sources: ReadonlyMap<string, string>;
  /** Datasets of other steps that stand for nodes which are not built here. */
  readonly references: readonly string[];
  readonly problems: readonly Problem[];
}

type Context = Pick<AnalysisContext, "readFile" | "glob" | "knownAssets">;

const DATASET = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;

export async function understandDbt(declaration: DbtDeclaration, context: Context): Promise<UnderstoodDbt> {
  const folder = inFolder("", declaration.dbt);
  if (folder === undefined)
    return {
      ...NOTHING,
      problems: [
        {
          path: ["dbt"],
          message: `"${declaration.dbt}" lies outside the project`,
          hint: "Paths are relative to the folder of esteira.yaml.",
        },
      ],
    };
  const project = await readDbtProject(folder, context);
  const found = { ...NOTHING, folder, project };
  if (project.problems.length > 0) return { ...found, problems: project.problems };
  const selection = selectNodes([...project.nodes, ...[...project.sources.values()].map(toSelectable)], {
    select: patternsOf(declaration.select),
    exclude: patternsOf(declaration.exclude),
  });
  if ("problem" in selection)
    return { ...found, problems: [{ path: ["select"], message: selection.problem, hint: selection.hint }] };
  const built = project.nodes.filter(({ key }) => selection.keys.has(key));
  const made = built.filter(({ isEphemeral }) => !isEphemeral);
  const reached = reach(project, built);
  const own = new Set(made.map(({ alias }) => alias));
  const read = [...project.sources.values()].filter(
    ({ name, isTested }) =>
      reached.sources.has(name) || project.isComputed || (isTested && selection.keys.has(`source:${name}`)),
  );
  const sources = sourcesOf(read, { declaration, context, own });
  const references = referencesOf(reached.references, { context, own });
  return {
    ...found,
    made,
    sources: sources.names,
    references: references.names,
    problems: [
      ...madeProblems(made, patternsOf(declaration.select)),
      ...sources.problems,
      ...declaredProblems(declaration, project),
      ...references.problems,
    ],
  };
}

const NOTHING: UnderstoodDbt = {
  folder: "",
  project: { files: [], packages: [], nodes: [], sources: new Map(), isComputed: false, problems: [] },
  made: [],
  sources: new Map(),
  references: [],
  problems: [],
};

export async function analyseDbt(declaration: DbtDeclaration, context: AnalysisContext): Promise<StepAnalysis> {
  const understood = await understandDbt(declaration, context);
  const problems = [...understood.problems];
  const { requirements } = declaration;
  if (requirements !== undefined && (await context.readFile(requirements)) === undefined)
    problems.push(
      await missingFile(requirements, context, { path: ["requirements"], pattern: "**/*requirements*.txt" }),
    );
  const other = await matchFiles(patternsOf(declaration.files), context);
  const inputs = [...new Set([...understood.sources.values(), ...understood.references])].sort();
  return {
    inputs: inputs.map((asset): StepInput => ({ asset, role: "input", path: [] })),
    makes: understood.made.map(({ alias }) => ({ asset: alias, kind: "data" })),
    files: [
      ...new Set([...understood.project.files, ...(requirements === undefined ? [] : [requirements]), ...other.files]),
    ].sort(),
    problems: [...problems, ...other.problems],
  };
}

/** One phrase for `esteira plan`, with what only dbt can tell. */
export function describeDbt({ made, project }: UnderstoodDbt): string {
  const counts = (["model", "seed", "snapshot"] as const).flatMap((kind) => {
    const count = made.filter((node) => node.kind === kind).length;
    return count === 0 ? [] : [formatQuantity(count, kind)];
  });
  const unsure = made.filter(({ materialized }) => materialized === null).map(({ alias }) => alias);
  return [
    `builds ${counts.join(", ") || "nothing"}`,
    ...(unsure.length === 0
      ? []
      : [
          `how ${unsure.slice(0, 3).join(", ")} ${unsure.length === 1 ? "is" : "are"} materialized is known only when dbt runs`,
        ]),
    ...(project.isComputed ? ["some references are computed, so it waits for every source"] : []),
  ].join("; ");
}

function toSelectable({ name }: DbtSource): SelectableNode {
  return {
    key: `source:${name}`,
    name,
    kind: "source",
    package: "",
    path: "",
    place: [],
    tags: [],
    materialized: null,
    parents: [],
  };
}

/** What the nodes that are built read: ephemeral ones are part of those that read them. */
function reach(
  { nodes }: DbtProject,
  built: readonly DbtNode[],
): { readonly sources: ReadonlySet<string>; readonly references: readonly { node: DbtNode; by: DbtNode }[] } {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const isBuilt = new Set(built.map(({ key }) => key));
  const sources = new Set<string>();
  const references = new Map<string, { node: DbtNode; by: DbtNode }>();
  const seen = new Set<string>();
  const waiting = built.map((node) => ({ node, by: node }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next.node.key)) continue;
    seen.add(next.node.key);
    for (const parent of next.node.parents) {
      if (parent.startsWith("source:")) sources.add(parent.slice("source:".length));
      const node = byKey.get(parent);
      if (node === undefined) continue;
      if (node.isEphemeral) waiting.push({ node, by: next.by });
      else if (!isBuilt.has(parent)) references.set(parent, { node, by: next.by });
    }
  }
  return { sources, references: [...references.values()] };
}

function madeProblems(made: readonly DbtNode[], select: readonly string[]): readonly Problem[] {
  const problems: Problem[] = [];
  if (made.length === 0)
    problems.push(
      select.length === 0
        ? { path: ["dbt"], message: "the dbt project has no model, seed or snapshot" }
        : { path: ["select"], message: `"${select.join(" ")}" selects no model, seed or snapshot` },
    );
  const makers = new Map<string, DbtNode>();
  for (const node of made) {
    const at = { file: node.file, line: 1, column: 1 };
    const other = makers.get(node.alias);
    if (other !== undefined)
      problems.push({
        path: ["dbt"],
        message: `${other.file} and ${node.file} both make the dataset "${node.alias}"`,
        hint: "Give one of them another name or alias, or leave it out with exclude.",
        at,
      });
    if (node.isAliasComputed)
      problems.push({
        path: ["dbt"],
        message: `the alias of ${node.name} is computed, so what its dataset is called cannot be known before dbt runs`,
        hint: "Write the alias as plain text.",
        at,
      });
    if (!DATASET.test(node.alias))
      problems.push({
        path: ["dbt"],
        message: `"${node.alias}" cannot name a dataset`,
        hint: "Give it an alias of letters, digits and _.",
        at,
      });
    makers.set(node.alias, node);
  }
  return problems;
}

interface Place {
  readonly context: Context;
  /** Datasets that the step makes itself. */
  readonly own: ReadonlySet<string>;
}

function sourcesOf(
  read: readonly DbtSource[],
  { declaration, context, own }: Place & { readonly declaration: DbtDeclaration },
): { readonly names: ReadonlyMap<string, string>; readonly problems: readonly Problem[] } {
  const names = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { name, table, isExternal, at } of read) {
    const given = declaration.sources?.[name];
    const dataset = given ?? table;
    if (given === undefined && isExternal) continue;
    const path = given === undefined ? ["dbt"] : ["sources", name];
    const where = given === undefined ? { at } : {};
    if (own.has(dataset))
      problems.push({
        path,
        ...where,
        message: `source ${name} is the dataset "${dataset}", which this step makes itself`,
        hint: `Read it with ref('${dataset}').`,
      });
    else if (isDataset(context, dataset)) names.set(name, dataset);
    else {
      const near = nearestName(dataset, datasetsOf(context));
      problems.push({
        path,
        ...where,
        isMissed: true,
        message: `source ${name}: no step makes a dataset "${dataset}"`,
        hint: `${near === undefined ? "" : `Did you mean "${near}"? `}Where the names differ, write sources: { ${name}: ${near ?? "DATASET"} } in the step.`,
      });
    }
  }
  return { names, problems };
}

function referencesOf(
  references: readonly { readonly node: DbtNode; readonly by: DbtNode }[],
  { context }: Place,
): { readonly names: readonly string[]; readonly problems: readonly Problem[] } {
  const names: string[] = [];
  const problems: Problem[] = [];
  for (const { node, by } of references)
    if (isDataset(context, node.alias)) names.push(node.alias);
    else
      problems.push({
        path: ["select"],
        isMissed: true,
        message: `${by.name} reads ${node.name}, which is not selected, and no other step makes a dataset "${node.alias}"`,
        hint: `Select it too (+${by.name}), or build it in another step.`,
        at: { file: by.file, line: 1, column: 1 },
      });
  return { names: [...new Set(names)], problems };
}

function declaredProblems({ sources }: DbtDeclaration, project: DbtProject): readonly Problem[] {
  return Object.keys(sources ?? {}).flatMap((name) => {
    if (project.sources.has(name)) return [];
    const near = nearestName(name, project.sources.keys());
    return [
      {
        path: ["sources", name],
        message: `the dbt project has no source ${name}`,
        hint: near === undefined ? "Write SOURCE.TABLE as the project declares them." : `Did you mean ${near}?`,
      },
    ];
  });
}

function isDataset({ knownAssets }: Context, name: string): boolean {
  const kind = knownAssets.get(name);
  return kind === "data" || kind === "features";
}

function datasetsOf({ knownAssets }: Context): readonly string[] {
  return [...knownAssets].flatMap(([name, kind]) => (kind === "data" || kind === "features" ? [name] : []));
}

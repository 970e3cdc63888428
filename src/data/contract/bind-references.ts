import { join } from "node:path";
import { nearestName } from "#base";
import type { AssetKind, AssetVersion } from "#metadata-store";
import type { Analytics } from "../analytics/analytics.ts";
import { quoteName, quotePath } from "../analytics/sql-text.ts";
import { contentOf, type Datasets } from "../dataset.ts";
import { contractInvalid } from "../errors.ts";
import { isHistoryColumn } from "../write-disposition.ts";
import { type KeyedHashes, keyedValue } from "./keyed-hash.ts";
import type { Reference } from "./reference.ts";
import type { CompiledContract, RowRule } from "./rules.ts";

export interface BindingDependencies {
  readonly analytics: Pick<Analytics, "connect">;
  readonly datasets: Pick<Datasets, "relation">;
}

/** The dataset of the project that a reference means; undefined where there is none. */
export function referredTo(
  { datasets }: Pick<Reference, "datasets">,
  known: { get(name: string): AssetKind | AssetVersion | undefined },
): string | undefined {
  return datasets.find((name) => {
    const found = known.get(name);
    const kind = typeof found === "object" ? found.kind : found;
    return kind === "data" || kind === "features";
  });
}

/**
 * The contract with a rule about rows for each reference to another dataset. The keys of the versions referred to are
 * put into files, so that whoever may read the folder can judge the rules.
 *
 * @param of.versions of the datasets referred to, by name
 * @param of.folder absolute; the files stay there
 * @param of.hashes functions of the connection that the rules will run on
 * @throws DATA_CONTRACT_INVALID when a dataset has no version, or no such column
 */
export async function bindReferences(
  dependencies: BindingDependencies,
  of: {
    readonly compiled: CompiledContract;
    readonly versions: ReadonlyMap<string, AssetVersion>;
    readonly folder: string;
    readonly hashes?: KeyedHashes;
  },
): Promise<CompiledContract> {
  const { compiled, folder, hashes } = of;
  if (compiled.references.length === 0) return compiled;
  const connection = await dependencies.analytics.connect();
  const rules: RowRule[] = [];
  try {
    for (const [index, reference] of compiled.references.entries()) {
      const name = referredTo(reference, of.versions);
      const version = name === undefined ? undefined : of.versions.get(name);
      if (version === undefined)
        throw contractInvalid({
          problems: [`${reference.id} refers to ${reference.datasets.join(" or ")}, of which there is no version`],
        });
      const keys = keysOf(reference, version, compiled);
      const file = join(folder, `reference-${index}.parquet`);
      const present = keys.map((key) => `${quoteName(key)} is not null`);
      const { columns } = contentOf(version);
      // Of a history, what holds now is there.
      if (columns.filter((column) => isHistoryColumn(column.name)).length === 3) present.push("is_current");
      const list = keys.map((key, at) => `${quoteName(key)} as k${at}`).join(", ");
      await connection.run(
        `copy (select distinct ${list} from ${await dependencies.datasets.relation(version)} where ${present.join(" and ")}) to ${quotePath(file)} (format parquet)`,
      );
      rules.push(ruleOf(reference, { file, dataset: version.asset, compiled, hashes }));
    }
  } finally {
    connection.close();
  }
  return { ...compiled, rows: [...compiled.rows, ...rules] };
}

/** Columns of the version, as it writes them. @throws DATA_CONTRACT_INVALID */
function keysOf(reference: Reference, version: AssetVersion, compiled: CompiledContract): readonly string[] {
  const problems = keyProblems(reference, version, compiled);
  if (problems.length > 0) throw contractInvalid({ problems });
  const { columns } = contentOf(version);
  return reference.keys.map((key) => columns.find(({ name }) => name.toLowerCase() === key.toLowerCase())?.name ?? key);
}

/** What of a version cannot be referred to: columns that it does not have, or whose values are of another kind. */
export function keyProblems(
  { id, keys, columns }: Reference,
  version: AssetVersion,
  compiled: Pick<CompiledContract, "types">,
): readonly string[] {
  const { columns: given } = contentOf(version);
  return keys.flatMap((key, index) => {
    const found = given.find(({ name }) => name.toLowerCase() === key.toLowerCase());
    const place = `${version.asset}.${key}`;
    if (found === undefined) {
      const names = given.map(({ name }) => name);
      const near = nearestName(key, names);
      return [
        `${id} refers to ${place}, and version ${version.version} has no such column; ${near === undefined ? `it has ${names.join(", ")}` : `did you mean "${near}"?`}`,
      ];
    }
    const [column = ""] = columns.slice(index);
    const own = compiled.types.get(column) ?? "";
    return familyOf(own) === familyOf(found.type)
      ? []
      : [`${id}: ${column} is ${own}, and ${place} is ${found.type}: no value of one is one of the other`];
  });
}

/** Types whose values can be equal. */
function familyOf(type: string): string {
  if (/^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/.test(type)) return "number";
  return type.replace(/^TIMESTAMP.*$/, "TIMESTAMP");
}

function ruleOf(
  { id, columns, keys, severity, said }: Reference,
  of: {
    readonly file: string;
    readonly dataset: string;
    readonly compiled: CompiledContract;
    readonly hashes: KeyedHashes | undefined;
  },
): RowRule {
  const stored = columns.map((column) => {
    const protection = of.compiled.treatments.get(column.toLowerCase())?.protection;
    const value = quoteName(column);
    if (protection === undefined || protection.kind === "mask" || of.hashes === undefined) return value;
    return keyedValue(protection, of.hashes, value) ?? value;
  });
  const there = `select ${tuple(keys.map((_, index) => `k${index}`))} from read_parquet(${quotePath(of.file)})`;
  const present = columns.map((column) => `${quoteName(column)} is not null`).join(" and ");
  const [column, ...more] = columns;
  return {
    id,
    ...(column === undefined || more.length > 0 ? {} : { column }),
    expectation:
      said ??
      (more.length === 0
        ? `must be a ${keys.join()} of ${of.dataset}`
        : `${columns.join(", ")} must be ${keys.join(", ")} of a row of ${of.dataset}`),
    severity,
    breaks: `${present} and ${tuple(stored)} not in (${there})`,
  };
}

function tuple(values: readonly string[]): string {
  return values.length === 1 ? values.join() : `(${values.join(", ")})`;
}

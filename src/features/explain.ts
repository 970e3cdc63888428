import { nearestName } from "#base";
import { type Analytics, type Datasets, quoteName, type Row } from "#data";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { cellUnknown } from "./errors.ts";
import type { JoinedView } from "./join-plan.ts";

/** How the rows of a training set were joined: `content.join` of a version that a `join` step made. */
interface JoinSpec {
  readonly timestamp: string;
  readonly created: "latest" | "known";
  readonly views: readonly JoinedView[];
  readonly sources: Readonly<Record<string, { readonly id: string; readonly version: number }>>;
}

/** Why a cell of a training set holds what it holds. */
export interface CellExplanation {
  readonly row: number;
  readonly column: string;
  readonly value: Row[string];
  readonly view: string;
  readonly source: { readonly dataset: string; readonly version: number; readonly versionId: string };
  readonly keys: Readonly<Record<string, Row[string]>>;
  /** The row's event time, ISO 8601. */
  readonly at: string;
  readonly reason:
    | "latest row known at the event time"
    | "the latest row was older than the view's ttl"
    | "no row was known at the event time"
    | "a join key is null";
  /**
   * The source row that gave the value, or the one that was too old; with `knownFrom` (event time plus delay), ISO
   * 8601.
   */
  readonly sourceRow: Row | undefined;
  readonly knownFrom: string | undefined;
}

/**
 * Shows which source row gave a cell of a training set, and why.
 *
 * @param cell.row row number in the version's stored order, from 0
 * @throws FEATURES_CELL_UNKNOWN
 */
export async function explainCell(
  deps: { readonly store: MetadataStore; readonly datasets: Datasets; readonly analytics: Analytics },
  cell: { readonly versionId: string; readonly row: number; readonly column: string },
): Promise<CellExplanation> {
  const { version, label, spec } = await readSpec(deps.store, cell.versionId);
  const view = viewOf(spec, cell.column, label);
  const page = await deps.datasets.preview(version, { limit: 1, offset: cell.row });
  const [row] = page.rows;
  if (row === undefined) throw cellUnknown({ version: label, found: `it has no row ${cell.row}` });
  const source = spec.sources[view.source];
  const sourceVersion =
    source === undefined
      ? undefined
      : await deps.store.read((transaction) => getAssetVersion(transaction, { id: source.id }));
  if (sourceVersion === undefined) throw cellUnknown({ version: label, found: `its source "${view.source}" is gone` });
  const keys = Object.fromEntries(view.keys.map(({ spine }) => [spine, row[spine] ?? null]));
  const at = String(row[spec.timestamp] as string | number);
  const candidate = Object.values(keys).includes(null)
    ? undefined
    : await findSourceRow(deps, { view, spec, relation: await deps.datasets.relation(sourceVersion), row });
  const facts = {
    row: cell.row,
    column: cell.column,
    value: row[cell.column] ?? null,
    view: view.view,
    source: { dataset: view.source, version: sourceVersion.version, versionId: sourceVersion.id },
    keys,
    at,
  };
  if (Object.values(keys).includes(null))
    return { ...facts, reason: "a join key is null", sourceRow: undefined, knownFrom: undefined };
  if (candidate === undefined)
    return { ...facts, reason: "no row was known at the event time", sourceRow: undefined, knownFrom: undefined };
  const { __age: age, __known: known, ...sourceRow } = candidate;
  const expired = view.ttlUs > 0 && Number(age) > view.ttlUs;
  return {
    ...facts,
    reason: expired ? "the latest row was older than the view's ttl" : "latest row known at the event time",
    sourceRow,
    knownFrom: `${String(known as string)}Z`,
  };
}

async function readSpec(
  store: MetadataStore,
  versionId: string,
): Promise<{ readonly version: AssetVersion; readonly label: string; readonly spec: JoinSpec }> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { id: versionId }));
  if (version === undefined) throw cellUnknown({ version: versionId, found: "there is no such version" });
  const label = `${version.asset} version ${version.version}`;
  const { join: spec } = version.content as { readonly join?: JoinSpec };
  if (spec === undefined) throw cellUnknown({ version: label, found: "no join step made it" });
  return { version, label, spec };
}

function viewOf(spec: JoinSpec, column: string, label: string): JoinedView {
  const view = spec.views.find(({ features }) => features.some(({ name }) => name === column));
  if (view?.windows !== undefined)
    throw cellUnknown({ version: label, found: `column "${column}" is a window over many rows of ${view.source}` });
  if (view !== undefined) return view;
  const names = spec.views.flatMap(({ features }) => features.map(({ name }) => name));
  const nearest = nearestName(column, names);
  throw cellUnknown({
    version: label,
    found: `column "${column}" comes from no feature view${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`,
  });
}

async function findSourceRow(
  deps: { readonly analytics: Analytics },
  {
    view,
    spec,
    relation,
    row,
  }: { readonly view: JoinedView; readonly spec: JoinSpec; readonly relation: string; readonly row: Row },
): Promise<Row | undefined> {
  const connection = await deps.analytics.connect();
  try {
    const at = "epoch_us($at::timestamptz)";
    const event = `epoch_us(${quoteName(view.timestamp)}) + ${view.availableAfterUs}`;
    const created = view.created === null ? undefined : quoteName(view.created);
    const conditions = [
      ...view.keys.map(({ source }, index) => `${quoteName(source)}::varchar = $key${index}`),
      `${event} <= ${at}`,
      ...(spec.created === "known" && created !== undefined ? [`epoch_us(${created}) <= ${at}`] : []),
    ];
    const parameters: Record<string, string> = { at: String(row[spec.timestamp] as string | number) };
    view.keys.forEach(({ spine }, index) => (parameters[`key${index}`] = String(row[spine] as string | number)));
    const text = substitute(
      `select * exclude (__row), ${at} - (${event}) as __age, make_timestamp(${event}) as __known from (select *, row_number() over () as __row from ${relation})
       where ${conditions.join(" and ")} order by ${event} desc, ${created === undefined ? "" : `${created} desc nulls last, `}__row desc limit 1`,
      parameters,
    );
    return (await connection.rows(text.sql, text.values))[0];
  } finally {
    connection.close();
  }
}

/** Named parameters as DuckDB's numbered ones. */
function substitute(
  sql: string,
  parameters: Readonly<Record<string, string>>,
): { readonly sql: string; readonly values: readonly string[] } {
  const names = Object.keys(parameters);
  return {
    sql: sql.replace(/\$(at|key\d+)/g, (_, name: string) => `$${names.indexOf(name) + 1}`),
    values: Object.values(parameters),
  };
}

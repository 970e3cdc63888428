import { type Digest, digestOfJson, nearestName } from "#base";
import type { Column } from "#data";
import { columnMissing, nameCollision, typeMismatch } from "./errors.ts";
import type { FeatureReference, FeatureView } from "./feature-definitions.ts";
import type { WindowFeature } from "./window-feature.ts";

/** One use of a view in a join: everything that decides which value a row gets. */
export interface JoinedView {
  readonly view: string;
  /** `as`, or the view's name. */
  readonly alias: string;
  readonly source: string;
  readonly keys: readonly { readonly spine: string; readonly source: string }[];
  readonly timestamp: string;
  readonly created: string | null;
  readonly availableAfterUs: number;
  readonly ttlUs: number;
  /** `column` is the name of a window, where there are windows. */
  readonly features: readonly { readonly column: string; readonly name: string }[];
  readonly windows?: readonly WindowFeature[];
}

/** Resolves checked references into the views to join, with the final names of their columns. */
export function planJoin(
  references: readonly FeatureReference[],
  views: ReadonlyMap<string, FeatureView>,
  fullNames: boolean,
): readonly JoinedView[] {
  const merged = new Map<string, JoinedView>();
  for (const reference of references) {
    const view = views.get(reference.view);
    if (view === undefined) continue;
    const alias = reference.as ?? view.name;
    const features = (reference.features ?? view.features).map((column) => ({
      column,
      name: fullNames ? `${alias}__${column}` : column,
    }));
    const keys = view.keys.map((key) => ({ spine: reference.keys?.[key] ?? key, source: key }));
    // view:a and view:b with the same keys are one join.
    const same = `${alias}\n${view.name}\n${JSON.stringify(keys)}`;
    const known = merged.get(same);
    merged.set(same, {
      view: view.name,
      alias,
      source: view.source,
      keys,
      timestamp: view.timestamp,
      created: view.created ?? null,
      availableAfterUs: view.availableAfterUs,
      ttlUs: view.ttlUs,
      features: [...(known?.features ?? []), ...features],
      ...(view.windows.length === 0 ? {} : { windows: view.windows }),
    });
  }
  return [...merged.values()];
}

/** Final column names that occur twice among the features alone. */
export function collisionsOf(
  joined: readonly JoinedView[],
): readonly { readonly name: string; readonly first: string; readonly second: string }[] {
  const seen = new Map<string, string>();
  const found: { name: string; first: string; second: string }[] = [];
  for (const { alias, features } of joined) {
    for (const { name, column } of features) {
      const origin = `${alias}:${column}`;
      const first = seen.get(name);
      if (first !== undefined) found.push({ name, first, second: origin });
      seen.set(name, origin);
    }
  }
  return found;
}

/** Digest of what decides whether rows of a source are unique on keys and time. */
export function digestOfOrder(joined: Pick<JoinedView, "keys" | "timestamp">): Digest {
  return digestOfJson({ keys: joined.keys.map(({ source }) => source), timestamp: joined.timestamp });
}

/**
 * Checks a view against the columns that are really there.
 *
 * @throws FEATURES_COLUMN_MISSING, FEATURES_TYPE_MISMATCH
 */
export function assertColumns(
  joined: JoinedView,
  spine: { readonly name: string; readonly columns: readonly Column[] },
  source: { readonly columns: readonly Column[] },
): void {
  const have = (dataset: string, columns: readonly Column[], column: string, part: string): Column => {
    const found = columns.find(({ name }) => name === column);
    if (found !== undefined) return found;
    const names = columns.map(({ name }) => name);
    throw columnMissing({ dataset, column, part, nearest: nearestName(column, names), columns: names });
  };
  for (const { spine: left, source: right } of joined.keys) {
    const leftColumn = have(spine.name, spine.columns, left, `join key for view "${joined.alias}"`);
    const rightColumn = have(joined.source, source.columns, right, `join key of view "${joined.view}"`);
    if (typeClass(leftColumn.type) !== typeClass(rightColumn.type)) {
      throw typeMismatch({
        left: `${spine.name}.${left}`,
        leftType: leftColumn.type,
        right: `${joined.source}.${right}`,
        rightType: rightColumn.type,
        what: `they cannot be the same join key of view "${joined.alias}"`,
      });
    }
  }
  assertTime(
    joined.source,
    have(joined.source, source.columns, joined.timestamp, `timestamp of view "${joined.view}"`),
  );
  if (joined.created !== null)
    assertTime(
      joined.source,
      have(joined.source, source.columns, joined.created, `created time of view "${joined.view}"`),
    );
  for (const { column } of joined.windows === undefined ? joined.features : [])
    have(joined.source, source.columns, column, `feature of view "${joined.view}"`);
  for (const { name, function: of, column } of joined.windows ?? []) {
    if (column === null) continue;
    const found = have(joined.source, source.columns, column, `column of ${name} in view "${joined.view}"`);
    if (of !== "distinct") assertNumber(joined.source, found, of);
  }
}

/** @throws FEATURES_TYPE_MISMATCH when a column holds no numbers */
export function assertNumber(dataset: string, { name, type }: Column, part: string): void {
  if (/^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN)$/.test(type)) return;
  throw typeMismatch({
    left: `${dataset}.${name}`,
    leftType: type,
    right: `what ${part} takes`,
    rightType: "a number",
    what: "it cannot be aggregated",
  });
}

/** @throws FEATURES_TYPE_MISMATCH when a column holds no instants */
export function assertTime(dataset: string, column: Column): void {
  if (!/^(TIMESTAMP|DATE)/.test(column.type))
    throw typeMismatch({
      left: `${dataset}.${column.name}`,
      leftType: column.type,
      right: "an event time",
      rightType: "TIMESTAMP or DATE",
      what: "it cannot be compared with instants",
    });
}

/** @throws FEATURES_NAME_COLLISION when a feature would take the name of a spine's column, or of another feature */
export function assertNames(spine: string, columns: readonly Column[], joined: readonly JoinedView[]): void {
  const [collision] = collisionsOf(joined);
  if (collision !== undefined) throw nameCollision(collision);
  const taken = new Set([...columns.map(({ name }) => name), "split"]);
  for (const { alias, features } of joined) {
    for (const { name, column } of features)
      if (taken.has(name)) throw nameCollision({ name, first: `${spine}.${name}`, second: `${alias}:${column}` });
  }
}

function typeClass(type: string): string {
  if (/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type)) return "integer";
  if (/^(FLOAT|DOUBLE|DECIMAL)/.test(type)) return "number";
  if (type.startsWith("TIMESTAMP")) return "timestamp";
  return type;
}

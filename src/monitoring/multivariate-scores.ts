import type { MonitorScore } from "#metadata-store/monitoring";
import { chunkRanges, spreadOf, type ChunkSpread } from "./statistics/chunks.ts";
import { classifyDomain } from "./statistics/domain-classifier.ts";
import { type ComponentModel, learnComponents } from "./statistics/principal-components.ts";
import type { MultivariateMethod, MultivariateRule } from "./watch-rules.ts";

/** Area above which rows can be told apart. Source: NannyML 0.13. */
export const DOMAIN_THRESHOLD = 0.65;

/** What all columns together are compared with. */
export interface MultivariateReference {
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
  readonly rowCount: number;
}

/** The columns that a rule looks at, in a fixed order. */
function pick(columns: ReadonlyMap<string, ArrayLike<unknown>>, rule: MultivariateRule): readonly string[] {
  return [...columns.keys()].filter(
    (name) => (rule.columns?.includes(name) ?? true) && rule.except?.includes(name) !== true,
  );
}

const LEARNED = new WeakMap<
  object,
  Map<string, { readonly model: ComponentModel; readonly usual: ChunkSpread | undefined }>
>();

/** Learned once per reference and choice of columns. */
function componentsOf(reference: MultivariateReference, names: readonly string[]) {
  const known = LEARNED.get(reference) ?? new Map();
  LEARNED.set(reference, known);
  const key = JSON.stringify(names);
  const learned = known.get(key);
  if (learned !== undefined) return learned;
  const columns = names.map((name) => reference.columns.get(name) ?? []);
  const model = learnComponents(columns);
  if (model === undefined) return undefined;
  const usual = spreadOf(chunkRanges(reference.rowCount).map(([start, end]) => model.error(columns, start, end)));
  const made = { model, usual };
  known.set(key, made);
  return made;
}

/** All columns of a window together against those of the reference. */
export async function multivariateScores(
  current: MultivariateReference,
  reference: MultivariateReference | undefined,
  { rules, minRows }: { readonly rules: readonly MultivariateRule[]; readonly minRows: number },
): Promise<readonly MonitorScore[]> {
  const scores: MonitorScore[] = [];
  for (const rule of rules) {
    const facts = factsOf(rule.method, current.rowCount, reference?.rowCount);
    if (reference === undefined || current.rowCount < minRows || reference.rowCount < minRows) {
      const reason = `not enough data: ${Math.min(current.rowCount, reference?.rowCount ?? 0)} rows of ${minRows}`;
      scores.push({ ...facts, value: undefined, baseline: undefined, method: { reason } });
      continue;
    }
    const names = pick(reference.columns, rule);
    const columns = names.map((name) => current.columns.get(name) ?? []);
    if (rule.method === "domain_classifier") {
      const before = names.map((name) => reference.columns.get(name) ?? []);
      const { area, rows } = await classifyDomain(before, columns);
      scores.push({
        ...facts,
        value: area,
        baseline: 0.5,
        method: { columns: names.length, rows, trees: "boosted, 5 folds" },
      });
      continue;
    }
    const learned = componentsOf(reference, names);
    if (learned === undefined) continue;
    const { model, usual } = learned;
    scores.push({
      ...facts,
      value: model.error(columns),
      baseline: usual?.mean,
      method: { columns: names.length, components: model.kept, ...(usual === undefined ? {} : { usual }) },
    });
    await new Promise(setImmediate);
  }
  return scores;
}

function factsOf(
  method: MultivariateMethod,
  n: number,
  nReference: number | undefined,
): Omit<MonitorScore, "value" | "baseline" | "method"> {
  return {
    metric: `multivariate_drift.${method}`,
    subject: "",
    segment: "",
    threshold: undefined,
    breached: undefined,
    n,
    nReference,
  };
}

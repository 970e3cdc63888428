import { type Digest, formatQuantity, newId } from "#base";
import type { WriteTransaction } from "#metadata-store";
import { closeQuarantine, listOpenQuarantine, recordQuarantineBatch } from "#metadata-store/data";
import type { Blobs } from "#storage";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quoteName, quoteText } from "../analytics/sql-text.ts";
import type { QuarantineSummary } from "../dataset.ts";
import { contractBroken } from "../errors.ts";
import { type HeldRows, storeHeldRows } from "./quarantine-file.ts";
import type { CompiledContract, RowRule } from "./rules.ts";
import type { StepContract } from "./step-contract.ts";

const STAGED = '"__esteira_checked"';
const BROKEN = '"__esteira_broken"';

/** Of how many rows of a step a contract may hold back. */
export interface HeldLimits {
  readonly max_rows?: number | undefined;
  readonly max_percent?: number | undefined;
}

/** The step whose rows are checked. */
export interface CheckedStep {
  readonly project: string;
  readonly step: string;
  readonly pipelineRunId: string;
  readonly stepRunId: string;
  readonly attemptId: string;
  readonly workFolder: string;
  log(text: string): void;
}

interface FoundRows {
  readonly summary: QuarantineSummary;
  readonly held: HeldRows;
}

/**
 * Checks the rows that a query or a program made, as captured ones are: those that break a rule are held back, with the
 * rule; the others go on.
 */
export class RowCheck {
  readonly contract: StepContract;
  readonly #step: CheckedStep;
  readonly #objects: Blobs;
  readonly #limits: HeldLimits;
  #found: FoundRows | undefined;

  constructor(
    step: CheckedStep,
    of: { readonly contract: StepContract; readonly limits: HeldLimits | undefined; readonly objects: Blobs },
  ) {
    this.#step = step;
    this.contract = of.contract;
    this.#limits = of.limits ?? {};
    this.#objects = of.objects;
  }

  /** What was read, published and held; undefined before {@link split}. */
  get summary(): QuarantineSummary | undefined {
    return this.#found?.summary;
  }

  /**
   * Reads the rows once and judges all rules about rows in that scan.
   *
   * @returns SELECT of the rows that go on, valid on the connection until the next call
   * @throws DATA_CONTRACT_BROKEN when columns are not what the contract says, a limit is exceeded, or no row is left
   */
  async split(
    connection: AnalyticsConnection,
    { select, columns }: { readonly select: string; readonly columns: readonly Column[] },
  ): Promise<string> {
    const { compiled } = this.contract;
    const problems = columnProblems(compiled, columns);
    if (problems.length > 0) throw contractBroken({ dataset: this.#step.step, problems });
    const errors = compiled.rows.filter(({ severity }) => severity === "error");
    const isBroken =
      errors.length === 0 ? "false" : `coalesce(${errors.map(({ breaks }) => `(${breaks})`).join(" or ")}, false)`;
    await connection.run(
      `create or replace temp table ${STAGED} as select *, ${isBroken} as ${BROKEN} from (${select})`,
    );
    const warnings = compiled.rows.filter(({ severity }) => severity === "warning");
    const counts = warnings.map(
      ({ breaks }, index) => `count(*) filter (where (${breaks}) and not ${BROKEN}) as w${index}`,
    );
    const [row] = await connection.rows(
      `select count(*) as n, count(*) filter (where ${BROKEN}) as held${counts.map((count) => `, ${count}`).join("")} from ${STAGED}`,
    );
    const [read, quarantined] = [Number(row?.["n"]), Number(row?.["held"])];
    const held =
      quarantined === 0
        ? { object: undefined, count: 0, rules: {}, samples: {} }
        : await storeHeldRows(connection, this.#objects, badRows(errors, columns), this.#step.workFolder);
    this.#found = { summary: { read, published: read - quarantined, quarantined, rules: held.rules }, held };
    for (const [index, { id }] of warnings.entries()) {
      const count = Number(row?.[`w${index}`]);
      if (count > 0)
        this.#step.log(
          `warning: ${formatQuantity(count, "row breaks", "rows break")} ${id} and ${count === 1 ? "is" : "are"} published`,
        );
    }
    this.#assertWithinLimits(this.#found);
    return `select ${columns.map(({ name }) => quoteName(name)).join(", ")} from ${STAGED} where not ${BROKEN}`;
  }

  #assertWithinLimits({ summary: { read, quarantined }, held }: FoundRows): void {
    if (quarantined === 0) return;
    const said = Object.entries(held.rules).map(
      ([rule, count]) => `${rule}: ${formatQuantity(count, "row")}, such as ${(held.samples[rule] ?? []).join(", ")}`,
    );
    const what = `${quarantined} of ${formatQuantity(read, "row")} break the contract`;
    this.#step.log(`${this.#step.step}: ${what} and ${quarantined === 1 ? "is" : "are"} held back: ${said.join("; ")}`);
    const { max_rows: rows, max_percent: percent } = this.#limits;
    const limit =
      rows !== undefined && quarantined > rows
        ? `at most ${rows} may`
        : percent !== undefined && (100 * quarantined) / read > percent
          ? `at most ${percent} % may`
          : quarantined === read
            ? "none is left"
            : undefined;
    if (limit !== undefined)
      throw contractBroken({ dataset: this.#step.step, problems: [`${what}, ${limit}: ${said.join("; ")}`] });
  }

  /**
   * Notes the held rows, in the transaction that records the version. What earlier runs held is closed, where this one
   * made all rows again.
   */
  async record(
    transaction: WriteTransaction,
    of: {
      readonly file: string;
      readonly digest: Digest;
      readonly format: "sql" | "python";
      readonly isWhole: boolean;
      readonly actor: string;
      readonly atMs: number;
    },
  ): Promise<void> {
    const { project, step: dataset, pipelineRunId, stepRunId, attemptId } = this.#step;
    const { atMs } = of;
    if (of.isWhole) {
      const open = await listOpenQuarantine(transaction, { project, dataset });
      await closeQuarantine(transaction, {
        batchIds: open.map(({ id }) => id),
        as: "superseded",
        actor: of.actor,
        reason: `superseded: the rows were made again (step run ${stepRunId})`,
        atMs,
      });
    }
    const held = this.#found?.held;
    if (held === undefined || held.count === 0) return;
    const { path, version, digest } = this.contract;
    await recordQuarantineBatch(transaction, {
      id: newId(atMs),
      project,
      dataset,
      sourcePath: of.file,
      sourceDigest: of.digest,
      sourceFormat: of.format,
      fileProblem: undefined,
      rows: held.count,
      objectDigest: held.object,
      rules: held.rules,
      contract: { path, version, digest },
      pipelineRunId,
      stepRunId,
      attemptId,
      atMs,
    });
  }
}

function badRows(errors: readonly RowRule[], columns: readonly Column[]): string {
  const list = (texts: readonly string[]): string => `list_filter([${texts.join(", ")}], lambda x: x is not null)`;
  const rules = errors.map(({ id, breaks }) => `case when ${breaks} then ${quoteText(id)} end`);
  const messages = errors.map((rule) => `case when ${rule.breaks} then ${messageOf(rule)} end`);
  const row = `to_json(struct_pack(${columns.map(({ name }) => `${quoteName(name)} := ${quoteName(name)}`).join(", ")}))::VARCHAR`;
  return `select NULL::BIGINT as record, NULL::BIGINT as line, NULL::BIGINT as byte, ${row} as row, ${list(rules)} as rules, ${list(messages)} as messages from ${STAGED} where ${BROKEN}`;
}

function messageOf({ column, expectation }: RowRule): string {
  return column === undefined
    ? quoteText(expectation)
    : `concat(${quoteText(`${column} is `)}, coalesce('"' || left(${quoteName(column)}::VARCHAR, 100) || '"', 'missing'), ${quoteText(`: ${expectation}`)})`;
}

/** What the columns of a query are not that a contract says. */
export function columnProblems(compiled: CompiledContract, columns: readonly Column[]): readonly string[] {
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  const missing = compiled.columns.filter((name) => !byName.has(name.toLowerCase()));
  const given = columns.map(({ name }) => name).join(", ");
  return [
    ...missing.map((name) => `there is no column "${name}", which the contract describes; there are ${given}`),
    ...[...compiled.types].flatMap(([name, expected]) => {
      const found = byName.get(name.toLowerCase());
      return found === undefined || fits(expected, found.type)
        ? []
        : [`"${found.name}" is ${found.type}, and the contract says ${expected}`];
    }),
  ];
}

/** Values of one type are values of the other, as far as a contract can say it. */
function fits(expected: string, found: string): boolean {
  const [wanted, given] = [familyOf(expected), familyOf(found)];
  return wanted === given || (wanted === "number" && given === "integer");
}

function familyOf(type: string): string {
  if (/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type)) return "integer";
  if (/^(FLOAT|DOUBLE|DECIMAL)/.test(type)) return "number";
  return type.replace(/^TIMESTAMP.*$/, "TIMESTAMP");
}

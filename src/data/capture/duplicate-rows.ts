import type { AnalyticsConnection } from "../analytics/analytics.ts";
import type { Deduplication } from "../contract/deduplicate.ts";
import type { Witness } from "./typed-rows.ts";

const MARK = "esteira_mark_duplicate";
const IS_DUPLICATE = "esteira_is_duplicate";

/**
 * The rows of a batch that are the same as others of it and are left out: one bit a row, by file. A join would not keep
 * the order of the rows, by which it is known which file brought which.
 */
export class DuplicateRows {
  readonly #connection: AnalyticsConnection;
  readonly #deduplication: Deduplication;
  readonly #files = new Map<number, { bits: Uint8Array; count: number }>();

  private constructor(connection: AnalyticsConnection, deduplication: Deduplication) {
    this.#connection = connection;
    this.#deduplication = deduplication;
  }

  /** Once per connection; undefined where the contract leaves no duplicates out. */
  static async open(
    connection: AnalyticsConnection,
    deduplication: Deduplication | undefined,
  ): Promise<DuplicateRows | undefined> {
    if (deduplication === undefined) return undefined;
    const rows = new DuplicateRows(connection, deduplication);
    await connection.registerWitness(MARK, (file, record) => rows.#mark(file, record));
    await connection.registerWitness(IS_DUPLICATE, (file, record) => rows.#has(file, record));
    return rows;
  }

  /** What the treatment is called beside its counts: `COLUMN, …: deduplicate`. */
  get name(): string {
    return `${this.#deduplication.by?.join(", ") ?? "*"}: deduplicate`;
  }

  /** SQL that tells whether a row is left out. */
  get isDuplicate(): Witness {
    return (file, record) => `${IS_DUPLICATE}(${file}, ${record})`;
  }

  /**
   * Finds them anew. Rows that are the same and have the same rank are told apart by the order in which they came.
   *
   * @param selects of `file, record, same, rank`: see {@link TypedRows.distinguished}
   */
  async find(selects: readonly string[]): Promise<void> {
    this.#files.clear();
    if (selects.length === 0) return;
    const direction = this.#deduplication.keep === "last" ? "desc" : "asc";
    // A conjunction would be evaluated in the order that seems cheaper, and mark what it is not asked about.
    await this.#connection.run(
      `select count(*) from (select file, record, row_number() over (partition by same order by rank ${direction} nulls last, file ${direction}, record ${direction}) as place
        from (${selects.join(" union all ")}) where same is not null) where case when place > 1 then ${MARK}(file, record) else false end`,
    );
  }

  countOf(file: number): number {
    return this.#files.get(file)?.count ?? 0;
  }

  get total(): number {
    return [...this.#files.values()].reduce((sum, { count }) => sum + count, 0);
  }

  #mark(file: number, record: number): false {
    const known = this.#files.get(file) ?? { bits: new Uint8Array(1024), count: 0 };
    this.#files.set(file, known);
    const place = record >>> 3;
    if (place >= known.bits.length) {
      const grown = new Uint8Array(Math.max(place + 1, known.bits.length * 2));
      grown.set(known.bits);
      known.bits = grown;
    }
    const bit = 1 << (record & 7);
    const byte = known.bits[place] ?? 0;
    if ((byte & bit) === 0) known.count++;
    known.bits[place] = byte | bit;
    return false;
  }

  #has(file: number, record: number): boolean {
    return ((this.#files.get(file)?.bits[record >>> 3] ?? 0) & (1 << (record & 7))) !== 0;
  }
}

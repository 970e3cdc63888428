import type { PersonalColumn } from "#data";
import type { Platform } from "./platform.ts";

const VALUES = 5_000;

/** A column with personal data, and the lines of a contract that say so and protect it. */
export interface ScannedColumn extends PersonalColumn {
  readonly proposal: readonly string[];
}

/**
 * Looks for personal data in the columns of a dataset's latest version. No value is told.
 *
 * @throws DATA_DATASET_UNKNOWN
 */
export async function scanDataset(
  platform: Platform,
  request: { readonly dataset: string; readonly signal?: AbortSignal },
): Promise<{ readonly columns: number; readonly found: readonly ScannedColumn[] }> {
  const { findPersonalData, getDatasetDetails, quoteName } = await import("#data");
  const { dataset } = request;
  const { version, columns } = await getDatasetDetails(platform, { project: platform.project, dataset });
  const scanned = columns.filter(({ type }) => /^(VARCHAR|BIGINT|HUGEINT)$/.test(type));
  const found: ScannedColumn[] = [];
  for (const { name } of scanned) {
    const { rows } = await platform.datasets.query({
      sql: `select distinct ${quoteName(name)}::VARCHAR as value from (select ${quoteName(name)} from d where ${quoteName(name)} is not null limit ${20 * VALUES}) limit ${VALUES}`,
      tables: new Map([["d", version]]),
      limit: VALUES,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    const values = rows.flatMap(({ value }) => (typeof value === "string" ? [value] : []));
    const personal = findPersonalData(name, values);
    if (personal !== undefined) found.push({ ...personal, proposal: proposalOf(personal) });
  }
  return { columns: columns.length, found };
}

const TREATMENTS: Readonly<Record<PersonalColumn["kind"], string>> = {
  cpf: "{ keep: digits, hash: PERSON_KEY }",
  cnpj: "{ trim: true, case: upper, hash: PERSON_KEY }",
  email: "{ trim: true, case: lower, hash: PERSON_KEY }",
  phone: "{ keep: digits, hash: PERSON_KEY }",
  card: "{ keep: digits, mask: { last: 4 } }",
  iban: "{ mask: { first: 4, last: 4 } }",
};

function proposalOf({ column, kind }: PersonalColumn): readonly string[] {
  return [
    `- name: ${JSON.stringify(column)}`,
    "  logicalType: string",
    "  classification: personal",
    `  customProperties: [{ property: treatment, value: ${TREATMENTS[kind]} }]`,
  ];
}

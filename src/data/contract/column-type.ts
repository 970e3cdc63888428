import type { ContractProperty } from "./contract.ts";

const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  string: "VARCHAR",
  date: "DATE",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  time: "VARCHAR",
  number: "DOUBLE",
  integer: "BIGINT",
  boolean: "BOOLEAN",
};
const PHYSICAL_TYPE =
  /^(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|VARCHAR|DATE|TIMESTAMP WITH TIME ZONE|DECIMAL\(\d+, ?\d+\))$/i;

/** DuckDB type of a property's column; undefined when the contract does not say. */
export function typeOf({ logicalType, physicalType }: ContractProperty): string | undefined {
  if (physicalType !== undefined && PHYSICAL_TYPE.test(physicalType))
    return physicalType.toUpperCase().replace(", ", ",");
  return logicalType === undefined ? undefined : DUCKDB_TYPES[logicalType];
}

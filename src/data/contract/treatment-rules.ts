import { quoteName } from "../analytics/sql-text.ts";
import { describeOutliers, isOutlier } from "./outliers.ts";
import type { RowRule } from "./rules.ts";
import { GREATEST_NUMBER, TOKEN_DIGITS, type TokenFormat } from "./token.ts";
import type { Treatment } from "./treatment.ts";

/** Rules that treatments bring: outliers that are held back, and values that no token can be made of. */
export function* treatmentRules(column: string, treatment: Treatment | undefined): Generator<RowRule> {
  if (treatment === undefined) return;
  const { outliers, protection } = treatment;
  const value = quoteName(column);
  if (outliers?.declared.action === "hold")
    yield {
      id: `outliers:${column}`,
      column,
      severity: "error",
      expectation: describeOutliers(outliers.declared),
      breaks: isOutlier(outliers, value),
    };
  if (protection?.kind !== "tokenise" || protection.format === "text") return;
  const { expectation, breaks } = unfitFor(protection.format, value);
  yield { id: `tokenise:${column}`, column, severity: "error", expectation, breaks };
}

/** What would stand in the token as it is, or give no token at all. */
function unfitFor(format: Exclude<TokenFormat, "text">, value: string): Pick<RowRule, "expectation" | "breaks"> {
  const { least, most } = TOKEN_DIGITS;
  switch (format) {
    case "digits":
      return {
        expectation: `must have ${least} to ${most} digits, and beside them blanks and . - / ( ) + _ , : only, to be given a token of digits`,
        breaks: `not regexp_full_match(${value}, '[0-9 ./()+_,:-]*') or length(regexp_replace(${value}, '[^0-9]', '', 'g')) not between ${least} and ${most}`,
      };
    case "email":
      return {
        expectation: "must be an e-mail address, to be given a token like one",
        breaks: `not regexp_full_match(${value}, '[^@\\s]+@[^@\\s]+')`,
      };
    case "number":
      return {
        expectation: `must be from 0 to ${GREATEST_NUMBER}, to be given a token that is a number`,
        breaks: `${value} not between 0 and ${GREATEST_NUMBER}`,
      };
  }
}

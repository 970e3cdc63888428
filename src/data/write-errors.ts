import { defineError, type ErrorFactory } from "#base";

export const deleteConditionInvalid: ErrorFactory<{ table: string; condition: string; reason: string }> = defineError(
  "DATA_DELETE_CONDITION_INVALID",
  {
    status: 400,
    message: ({ table, condition, reason }) =>
      `delete_when of ${table} cannot be asked of the new rows: ${reason} (${condition})`,
    hint: () => "It is a condition over the columns of one new row, such as op = 'D'.",
    solve: "Write `delete_when` as a condition over columns that the new rows have; texts stand between single quotes.",
  },
);

export const historyUnfit: ErrorFactory<{ table: string; problem: string; remedy: string }> = defineError(
  "DATA_HISTORY_UNFIT",
  {
    status: 400,
    message: ({ table, problem }) => `The history of ${table} cannot be written: ${problem}`,
    hint: ({ remedy }) => remedy,
    solve:
      "A history needs the columns valid_from, valid_to and is_current for itself, `updated_at` with days or moments, and `check` with columns that are there. A dataset that had none is made anew: `esteira capture DATASET --again all`, or `esteira dataset drop`.",
  },
);

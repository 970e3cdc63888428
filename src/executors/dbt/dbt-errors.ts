import { defineError, type ErrorFactory } from "#base";

export const dbtFailed: ErrorFactory<{ step: string; count: number; problems: readonly string[] }> = defineError(
  "EXECUTORS_DBT_FAILED",
  {
    status: 422,
    message: ({ step, count, problems }) =>
      `Step "${step}": dbt reports ${count} ${count === 1 ? "error" : "errors"}; nothing was published: ${problems.join("; ")}${count > problems.length ? `; and ${count - problems.length} more` : ""}`,
    hint: ({ step }) => `What dbt wrote is in the step's log: esteira logs RUN ${step}`,
    solve: "Correct the file and line that the message names; the whole output of dbt is in the step's log.",
  },
);

export const dbtTestsFailed: ErrorFactory<{ step: string; count: number; problems: readonly string[] }> = defineError(
  "EXECUTORS_DBT_TESTS_FAILED",
  {
    status: 422,
    message: ({ step, count, problems }) =>
      `Step "${step}": ${count} ${count === 1 ? "test" : "tests"} of dbt failed; nothing was published: ${problems.join("; ")}${count > problems.length ? `; and ${count - problems.length} more` : ""}`,
    hint: () => "Correct the rows or the model; a test that must only warn has `severity: warn`.",
    solve: "Correct the rows or the model that the test is about, or give the test `severity: warn`.",
  },
);

export const dbtUnforeseen: ErrorFactory<{ step: string; name: string; file: string }> = defineError(
  "EXECUTORS_DBT_UNFORESEEN",
  {
    status: 422,
    message: ({ step, name, file }) =>
      `Step "${step}": dbt made "${name}" of ${file}, which its files do not show; nothing was published`,
    hint: () =>
      "What a step makes must be known before it runs: write alias, enabled and materialized of the model as plain values, and keep dbt's own names.",
    solve:
      "Write `alias`, `enabled` and `materialized` of the model as plain values, so that its dataset is known before dbt runs; macros that compute names cannot be foreseen.",
  },
);

export const dbtEnded: ErrorFactory<{ step: string; exit: string; raised: string }> = defineError(
  "EXECUTORS_DBT_ENDED",
  {
    status: 422,
    message: ({ step, exit, raised }) =>
      `Step "${step}": dbt ended with ${exit} and left no result${raised === "" ? "" : `: ${raised}`}`,
    hint: ({ step }) => `What it wrote is in the step's log: esteira logs RUN ${step}`,
    solve: "Read the step's log; with requirements of your own, check that dbt-core and dbt-duckdb fit each other.",
  },
);

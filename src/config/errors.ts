import { defineError, type ErrorFactory, formatProblems, type LocatedProblem } from "#base";

export const projectMissing: ErrorFactory<{ folder: string }> = defineError("CONFIG_PROJECT_MISSING", {
  status: 404,
  message: ({ folder }) => `No esteira.yaml in ${folder} or any folder above it`,
  hint: () => "Go to your project's folder, name it with --project FOLDER, or start a new one: esteira init",
  solve:
    "Run the command inside a project, pass `--project FOLDER`, or create `esteira.yaml` with at least `name: my-project`.",
});

export const projectInvalid: ErrorFactory<{ problems: readonly LocatedProblem[] }> = defineError(
  "CONFIG_PROJECT_INVALID",
  {
    status: 400,
    message: ({ problems }) =>
      `esteira.yaml has ${problems.length} ${problems.length === 1 ? "mistake" : "mistakes"}:\n${formatProblems(problems)}`,
    solve: "Correct the lines named in the message; `docs/reference/configuration.md` lists every key.",
  },
);

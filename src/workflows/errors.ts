import { defineError, type ErrorFactory } from "#base";

export const workflowUnknown: ErrorFactory<{ workflow: string; known: readonly string[] }> = defineError(
  "WORKFLOWS_WORKFLOW_UNKNOWN",
  {
    status: 404,
    message: ({ workflow, known }) =>
      `There is no workflow "${workflow}"; ${known.length === 0 ? "the project has none below .github/workflows" : `there are ${known.join(", ")}`}`,
    hint: () => "Name its file, or the pipeline that it is.",
    solve: "Name a workflow that `esteira workflow list` shows, by its file or its name.",
  },
);

export const workflowCannotRun: ErrorFactory<{ workflow: string; text: string }> = defineError(
  "WORKFLOWS_WORKFLOW_CANNOT_RUN",
  {
    status: 409,
    message: ({ workflow, text }) => `The workflow ${workflow} cannot run here:\n${text}`,
    hint: () =>
      "Change what is named, give a mirror of the actions, or let such jobs be left out: workflows: { unsupported: skip }",
    solve:
      "Each line names what this machine cannot do. Change it, put the action into the folder that `workflows.mirror` names, or let such jobs be left out with `workflows: { unsupported: skip }`.",
  },
);

export const jobCannotRun: ErrorFactory<{ job: string; reasons: readonly string[] }> = defineError(
  "WORKFLOWS_JOB_CANNOT_RUN",
  {
    status: 422,
    message: ({ job, reasons }) => `Job "${job}" cannot run here: ${reasons.join("; ")}`,
    hint: () => "Change what is named, give a mirror of the actions, or run this job elsewhere.",
    solve:
      "Ordinary runs skip this job by its condition, and this run did not. Change what the message names, put the action into the folder that `workflows.mirror` names, or let such jobs be left out with `workflows: { unsupported: skip }`.",
  },
);

export const jobFailed: ErrorFactory<{ job: string; reason: string }> = defineError("WORKFLOWS_JOB_FAILED", {
  status: 422,
  message: ({ job, reason }) => `Job "${job}" failed: ${reason}`,
  solve: "Read the log of the step run: the step that failed stands there with what it wrote.",
});

export const jobCancelled: ErrorFactory<{ job: string; reason: string }> = defineError("WORKFLOWS_JOB_CANCELLED", {
  status: 409,
  message: ({ job, reason }) => `Job "${job}" was cancelled: ${reason}`,
  solve:
    "A combination of a matrix ends the others when it fails, unless `fail-fast: false`; a job ends at its time limit.",
});

export const expressionFailed: ErrorFactory<{ expression: string; reason: string }> = defineError(
  "WORKFLOWS_EXPRESSION_FAILED",
  {
    status: 422,
    message: ({ expression, reason }) => `\${{ ${expression} }}: ${reason}`,
    solve: "Correct the expression; the reason says what was found.",
  },
);

export const matrixWrong: ErrorFactory<{ job: string; reason: string }> = defineError("WORKFLOWS_MATRIX_WRONG", {
  status: 422,
  message: ({ job, reason }) => `The matrix of job "${job}" is not usable: ${reason}`,
  solve: "A matrix is a map of lists, with `include` and `exclude` as lists of maps, and has at most 256 combinations.",
});

export const inputWrong: ErrorFactory<{ input: string; reason: string }> = defineError("WORKFLOWS_INPUT_WRONG", {
  status: 400,
  message: ({ input, reason }) => `Input "${input}": ${reason}`,
  hint: () => "Give it a value where the run is started.",
  solve: "Give every required input of the workflow a value of its type.",
});

export const otherSystem: ErrorFactory<{ job: string; label: string }> = defineError("WORKFLOWS_OTHER_SYSTEM", {
  status: 422,
  message: ({ job, label }) => `Job "${job}" runs on ${label}: this machine runs Linux`,
  hint: () => "Let such jobs be left out: workflows: { unsupported: refuse } in esteira.yaml.",
  solve: "With `workflows: { unsupported: strict }` a job for another system fails. Let it be left out, or change it.",
});

export const environmentGuarded: ErrorFactory<{ job: string; environment: string }> = defineError(
  "WORKFLOWS_ENVIRONMENT_GUARDED",
  {
    status: 403,
    message: ({ job, environment }) =>
      `Job "${job}" is for the environment ${environment}, which the project guards: a workflow would pass by its rules`,
    hint: () => "Deploy there with a step of a pipeline: deploy: ASSET.",
    solve:
      "Approvals, signatures and freezes hold for deployments of pipelines. Deploy with `deploy: ASSET`, or give the environment of the workflow another name.",
  },
);

export const folderMoved: ErrorFactory<{ job: string; folder: string }> = defineError("WORKFLOWS_FOLDER_MOVED", {
  status: 422,
  message: ({ job, folder }) =>
    `Job "${job}" put something else in the place of the runner's folder ${folder}: nothing is read from there`,
  hint: () => "Steps write below $GITHUB_WORKSPACE and $RUNNER_TEMP.",
  solve: "A step moved or linked a folder of the runner beside its workspace. Let it write into the workspace.",
});

export const resultUnreadable: ErrorFactory<{ job: string; reason: string }> = defineError(
  "WORKFLOWS_RESULT_UNREADABLE",
  {
    status: 500,
    message: ({ job, reason }) => `The runner of job "${job}" left no result: ${reason}`,
    hint: () => "The end of its log says what ended it.",
    solve:
      "The runner was ended from outside, or a step wrote over its files. Read the end of the log and run it again.",
  },
);

import { defineError, type ErrorFactory } from "#base";

export const notebookInvalid: ErrorFactory<{ file: string; line?: number; column?: number; found: string }> =
  defineError("NOTEBOOKS_FILE_INVALID", {
    status: 400,
    message: ({ file, line, column, found }) =>
      `${[file, line, column].filter((part) => part !== undefined).join(":")}: not a notebook: ${found}`,
    hint: () => "Open it in Jupyter and save it again, or restore the last committed version.",
    solve: "Give a notebook in nbformat 4 (JSON): open it in Jupyter and save it again.",
  });

export const notebookUnreadable: ErrorFactory<{ file: string; reason: string }> = defineError(
  "NOTEBOOKS_FILE_UNREADABLE",
  {
    status: 400,
    message: ({ file, reason }) => `${file} cannot be read: ${reason}`,
    hint: () => "Name an .ipynb file that is there; its path counts from the folder you stand in.",
    solve: "Name an .ipynb file that is there and may be read.",
  },
);

export const notebookFormatOld: ErrorFactory<{ file: string; found: string }> = defineError(
  "NOTEBOOKS_FORMAT_UNSUPPORTED",
  {
    status: 400,
    message: ({ file, found }) => `${file} is in notebook format ${found}; expected 4`,
    hint: ({ file }) => `Convert it: jupyter nbconvert --to notebook --nbformat 4 --inplace ${file}`,
    solve:
      "Convert the notebook to nbformat 4 with `jupyter nbconvert --to notebook` or the Python package `nbformat`.",
  },
);

export const parametersRefused: ErrorFactory<{ file: string; problems: readonly string[] }> = defineError(
  "NOTEBOOKS_PARAMETERS_REFUSED",
  {
    status: 400,
    message: ({ file, problems }) => `The parameters of ${file} are not what it declares: ${problems.join("; ")}`,
    hint: ({ file }) => `Correct \`params\` of the step, or the cell tagged "parameters" of ${file}.`,
    solve: "Give the parameters that the notebook's cell tagged `parameters` declares, with values of their types.",
  },
);

export const languageUnsupported: ErrorFactory<{ file: string; language: string }> = defineError(
  "NOTEBOOKS_LANGUAGE_UNSUPPORTED",
  {
    status: 400,
    message: ({ file, language }) => `${file} is written in ${language}; notebook steps run Python kernels`,
    hint: () => "Rewrite it for a Python kernel, or call its language from a `run` step.",
    solve: "Use a Python notebook.",
  },
);

export const kernelStartFailed: ErrorFactory<{ file: string; reason: string }> = defineError(
  "NOTEBOOKS_KERNEL_START_FAILED",
  {
    status: 422,
    kind: "transient",
    message: ({ file, reason }) => `The kernel of ${file} did not start: ${reason}`,
    hint: () =>
      "The kernel's own words are in the step's log; is ipykernel of the environment broken by another requirement?",
    solve: "Read the kernel's last lines in the step's log; check that the environment's packages fit together.",
  },
);

export const kernelDied: ErrorFactory<{
  file: string;
  cell: string;
  exit: string;
  executedNotebook?: string | undefined;
}> = defineError("NOTEBOOKS_KERNEL_DIED", {
  status: 422,
  kind: "transient",
  message: ({ file, cell, exit }) => `The kernel of ${file} died in ${cell}: ${exit}`,
  hint: ({ exit }) =>
    /SIGKILL|137/.test(exit)
      ? "Most often the machine had no memory left: sample the data, or run the step on a larger machine."
      : "A native library crashed; the step's log holds its last words.",
  solve:
    "Look for lack of memory (SIGKILL) or a crash of a native library in the step's log. The cells executed before are kept.",
});

export const cellFailed: ErrorFactory<{
  file: string;
  cell: string;
  line: number;
  errorName: string;
  errorValue: string;
  executedNotebook?: string | undefined;
}> = defineError("NOTEBOOKS_CELL_FAILED", {
  status: 422,
  message: ({ file, cell, line, errorName, errorValue }) =>
    `${file}:${line}: ${cell} raised ${errorName}: ${errorValue}`,
  hint: () => "The traceback is in the step's log and in the executed notebook, which is kept.",
  solve: "The error is the notebook's own: read the traceback in the executed notebook.",
});

export const cellTimedOut: ErrorFactory<{
  file: string;
  cell: string;
  seconds: number;
  executedNotebook?: string | undefined;
}> = defineError("NOTEBOOKS_CELL_TIMED_OUT", {
  status: 422,
  message: ({ file, cell, seconds }) => `${cell} of ${file} ran longer than ${seconds} s and was interrupted`,
  hint: () => "Raise `cell_timeout` of the step, or make the cell do less.",
  solve: "Raise `cell_timeout`, or split the cell.",
});

export const attemptStopped: ErrorFactory<{ file: string; cell: string; executedNotebook?: string | undefined }> =
  defineError("NOTEBOOKS_EXECUTION_STOPPED", {
    status: 409,
    kind: "transient",
    message: ({ file, cell }) => `${file} was stopped in ${cell} (cancel, timeout of the step, or loss of its lease)`,
    solve: "Start the step again; what was executed before the stop is kept as evidence.",
  });

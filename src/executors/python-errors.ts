import { defineError, type ErrorFactory } from "#base";

export const pythonMissing: ErrorFactory<{ searched: readonly string[]; oldest: string }> = defineError(
  "EXECUTORS_PYTHON_MISSING",
  {
    status: 424,
    message: ({ searched, oldest }) =>
      `No Python ${oldest} or newer was found; searched, in order: ${searched.join("; ")}`,
    hint: ({ oldest }) =>
      `Install Python ${oldest} or newer with its venv module, so that python3 on PATH starts it (on Debian: apt-get install python3 python3-venv).`,
    solve: "Install Python 3.11 or newer with the `venv` module so that `python3` on PATH starts it.",
  },
);

export const packageUnavailable: ErrorFactory<{
  packages: readonly string[];
  requirementsFile: string;
  reason: string;
}> = defineError("EXECUTORS_PACKAGE_UNAVAILABLE", {
  status: 424,
  kind: "transient",
  message: ({ packages, requirementsFile, reason }) =>
    `The Python environment of ${requirementsFile} cannot be made: ${packages.length > 0 ? `no package ${packages.join(", ")} can be had` : "no package can be had"} (${reason})`,
  hint: ({ packages }) =>
    `Check the spelling and version${packages.length > 0 ? ` of ${packages.join(", ")}` : "s"}; without a network, point pip at a package index or a folder of wheels (PIP_INDEX_URL or PIP_FIND_LINKS) and start again.`,
  solve:
    "Correct the requirement, or give pip a package index that has it: a network, `PIP_INDEX_URL`, or a folder of wheels in `PIP_FIND_LINKS`.",
});

export const environmentFailed: ErrorFactory<{
  requirementsFile: string;
  command: string;
  exit: string;
  lastLines: string;
}> = defineError("EXECUTORS_ENVIRONMENT_FAILED", {
  status: 424,
  message: ({ requirementsFile, command, exit, lastLines }) =>
    `The Python environment of ${requirementsFile} cannot be made: \`${command}\` ended with ${exit}: ${lastLines}`,
  hint: ({ lastLines }) =>
    /ensurepip|venv/.test(lastLines)
      ? "Python's venv module is missing (on Debian: apt-get install python3-venv)."
      : "The lines above are from the installer; run it by hand to see more. Nothing half-made was kept.",
  solve:
    "Read the installer's last lines in the message; a half-made environment is removed and made anew on the next start.",
});

export const requirementUnsupported: ErrorFactory<{ requirementsFile: string; line: number; text: string }> =
  defineError("EXECUTORS_REQUIREMENT_UNSUPPORTED", {
    status: 400,
    message: ({ requirementsFile, line, text }) =>
      `${requirementsFile}:${line}: ${JSON.stringify(text)} points at other files, so the environment would not follow from this file alone; expected a package, such as pandas==3.1.1`,
    hint: () => "Write the packages themselves into this file; put code of the project on PYTHONPATH with `env`.",
    solve: "List packages by name and version; `-r`, `-c`, `-e` and paths are not read.",
  });

export const environmentCancelled: ErrorFactory<{ requirementsFile: string }> = defineError(
  "EXECUTORS_ENVIRONMENT_CANCELLED",
  {
    status: 409,
    kind: "transient",
    message: ({ requirementsFile }) =>
      `Making the Python environment of ${requirementsFile} was cancelled; nothing half-made was kept`,
    solve: "Start the step again; the environment is made from the beginning.",
  },
);

export const pythonFailed: ErrorFactory<{ step: string; script: string; exit: string; raised: string }> = defineError(
  "EXECUTORS_PYTHON_FAILED",
  {
    status: 422,
    message: ({ step, script, exit, raised }) =>
      `Step "${step}": ${script} ended with ${exit}${raised === "" ? "" : `: ${raised}`}`,
    hint: ({ step }) => `Its output is in the step's log: esteira logs RUN ${step}`,
    solve: "Read the script's output in the step's log; the error there is the script's own.",
  },
);

export const outputMissing: ErrorFactory<{
  step: string;
  kind: string;
  left: readonly string[];
  nearest: string | undefined;
}> = defineError("EXECUTORS_OUTPUT_MISSING", {
  status: 422,
  message: ({ step, kind, left }) =>
    `Step "${step}" declares that it makes a ${kind} of its own name, but left no files for it${left.length === 0 ? "" : `; it left ${left.join(", ")}`}`,
  hint: ({ step, kind, nearest }) =>
    nearest === undefined || nearest === step
      ? `Write it with ${kind === "model" ? `esteira.save_model("${step}", …)` : `esteira.output("${step}", rows)`}.`
      : `Did you mean esteira.output("${step}") where "${nearest}" is written?`,
  solve:
    "Write the asset into the folder that `esteira.output(STEP)` gives (or `esteira.save_model(STEP, …)`), or drop `makes`.",
});

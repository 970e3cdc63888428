/**
 * Distributions that bring the package of another one: a client without its server, a library without what only a GPU
 * needs. Flavors of MLflow write the other one's name whichever was there; beside it, it would be installed over it.
 */
const STANDS_FOR: Readonly<Record<string, string>> = {
  "mlflow-skinny": "mlflow",
  "xgboost-cpu": "xgboost",
  "tensorflow-cpu": "tensorflow",
  "onnxruntime-gpu": "onnxruntime",
};

/**
 * What the environment of a Python model is made of: the requirements that were saved with it, and every package of the
 * environment that it was made in, at its version there. So it is the same wherever and whenever it is made.
 *
 * @param saved content of the model's requirements.txt
 * @param lock `name==version` a line, of the environment of the step; undefined when that is not known
 * @returns lines of a requirements file
 */
export function collectRequirements(saved: string, lock: string | undefined): readonly string[] {
  const locked = linesOf(lock ?? "");
  const names = new Set(locked.map(nameOf).flatMap((name) => [name, STANDS_FOR[name] ?? name]));
  return [...locked, ...linesOf(saved).filter((line) => !names.has(nameOf(line)))];
}

function linesOf(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** PEP 503: case and runs of `-`, `_`, `.` do not tell names apart. */
function nameOf(requirement: string): string {
  return (/^[A-Za-z0-9._-]+/.exec(requirement)?.[0] ?? requirement).toLowerCase().replace(/[-_.]+/g, "-");
}

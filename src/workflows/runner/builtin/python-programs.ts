import { join, resolve } from "node:path";
import { callProcess } from "../step-process.ts";
import { keepArtifact } from "./artifacts.ts";
import type { BuiltinStep } from "./builtins.ts";
import { findPython, runQuietly, setupUv } from "./python-tools.ts";

/** Programs of the package index in a folder of their own: the job's Python does not see them. */
async function installPrograms(step: BuiltinStep, name: string, packages: readonly string[]): Promise<string> {
  const { job } = step;
  const { program: python } = await findPython(step, "");
  const folder = join(job.plan.folders.tools, `${name}-${++job.counter}`);
  await runQuietly(step, [python, "-m", "venv", folder]);
  await runQuietly(step, [join(folder, "bin", "python"), "-m", "pip", "install", "--quiet", ...packages]);
  return join(folder, "bin");
}

/** A package at a version that a workflow states; a range of npm's kind or `latest` is the newest. */
function atVersion(name: string, version: string | undefined): string {
  return version !== undefined && /^v?\d+\.\d+\.\d+$/.test(version) ? `${name}==${version.replace(/^v/, "")}` : name;
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

async function runProgram(step: BuiltinStep, folder: string, command: readonly [string, ...string[]]): Promise<void> {
  const { exitCode } = await callProcess(step, { command, folder });
  if (exitCode !== 0) throw new Error(`${command[0].split("/").at(-1) ?? ""} ended with exit code ${exitCode}`);
}

/** Installs pre-commit beside the job's Python, and asks all files. */
export async function runPreCommit(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const programs = await installPrograms(step, "pre-commit", ["pre-commit"]);
  const args = wordsOf(inputs["extra_args"] ?? "--all-files");
  const command = [join(programs, "pre-commit"), "run", "--show-diff-on-failure", "--color=always", ...args] as const;
  await runProgram(step, job.plan.folders.workspace, command);
  return {};
}

/** The same with prek, which runs hooks of pre-commit. */
export async function runPrek(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const programs = await installPrograms(step, "prek", [atVersion("prek", inputs["prek-version"])]);
  job.path.push(programs);
  if (inputs["install-only"] === "true") return {};
  const args = wordsOf(inputs["extra_args"] ?? inputs["extra-args"] ?? "--all-files");
  const command = [join(programs, "prek"), "run", "--show-diff-on-failure", "--color=always", ...args] as const;
  await runProgram(step, resolve(job.plan.folders.workspace, inputs["working-directory"] ?? "."), command);
  return {};
}

export async function setupJust(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  job.path.push(await installPrograms(step, "just", [atVersion("rust-just", inputs["just-version"])]));
  return {};
}

/** uv with its cache, as its wrapper keeps it. */
export function setupCachedUv(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const wanted = step.inputs["use-cache-if"] ?? "true";
  return setupUv({ ...step, inputs: { "enable-cache": wanted === "true" ? "true" : "false" } });
}

/** What zizmor finds in the workflows is written into the log; as findings of GitHub it fails nothing, as there. */
export async function runZizmor(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const programs = await installPrograms(step, "zizmor", [atVersion("zizmor", inputs["version"])]);
  const stated = ["persona", "min-severity", "min-confidence"].flatMap((name) => {
    const value = inputs[name] ?? "";
    return value === "" ? [] : [`--${name}=${value}`];
  });
  const silent = inputs["advanced-security"] === "false" ? [] : ["--no-exit-codes"];
  const paths = wordsOf(inputs["inputs"] || ".");
  const command = [join(programs, "zizmor"), "--offline", "--color=always", ...stated, ...silent, "--", ...paths];
  await runProgram(step, job.plan.folders.workspace, [command[0] ?? "", ...command.slice(1)]);
  return {};
}

/** The benchmarks that CodSpeed would measure are run; nothing is measured or sent. */
export async function runBenchmarks(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const script = inputs["run"] ?? "";
  if (script.trim() === "") throw new Error("run is required, and has no value");
  job.output.say("Warning: nothing is measured or sent here; the command is run.");
  const folder = resolve(job.plan.folders.workspace, inputs["working-directory"] || ".");
  await runProgram(step, folder, ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
  return {};
}

/** Reads what a source archive says of itself: JSON on its output. */
const READ_PACKAGE = `
import email.parser, json, re, sys, tarfile
with tarfile.open(sys.argv[1]) as archive:
    shallow = [m for m in archive.getmembers() if m.name.count("/") == 1 and m.name.endswith("/PKG-INFO")]
    text = archive.extractfile(shallow[0]).read().decode()
found = email.parser.Parser().parsestr(text, headersonly=True)
versions = [m[1] for m in (re.fullmatch(r"Programming Language :: Python :: (\\d+\\.\\d+)", c) for c in found.get_all("Classifier", [])) if m]
versions.sort(key=lambda one: [int(part) for part in one.split(".")])
values = {
    "package_name": found["Name"],
    "package_version": found["Version"],
    "supported_python_classifiers_json_array": json.dumps(versions),
    "supported_python_classifiers_json_job_matrix_value": json.dumps({"python-version": versions}),
}
for name, value in values.items():
    print(f"{name}={value}")
`;

/**
 * Builds the package of a folder, a wheel out of its source archive, looks whether the package index would take them,
 * and keeps both as an artifact.
 */
export async function buildPythonPackage(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const programs = await installPrograms(step, "package", ["build", "twine", "check-wheel-contents"]);
  const python = join(programs, "python");
  const dist = join(job.plan.folders.temporary, `dist-${job.counter}`);
  const folder = resolve(job.plan.folders.workspace, inputs["path"] || ".");
  const commit = await runQuietly(step, ["git", "-C", folder, "log", "-1", "--format=%ct"]).catch(() => "");
  const built = { ...step, env: { ...step.env, ...(commit === "" ? {} : { SOURCE_DATE_EPOCH: commit.trim() }) } };
  const skipsWheel = inputs["skip-wheel"] === "true";
  await runProgram(built, folder, [python, "-m", "build", ...(skipsWheel ? ["--sdist"] : []), "--outdir", dist, "."]);
  const list = await runQuietly(step, ["find", dist, "-maxdepth", "1", "-type", "f"]);
  const files = list.split("\n").filter((line) => /\.(tar\.gz|whl)$/.test(line));
  const wheels = files.filter((file) => file.endsWith(".whl"));
  const [source] = files.filter((file) => file.endsWith(".tar.gz"));
  if (source === undefined) throw new Error("the build left no source archive");
  await runProgram(step, folder, [python, "-m", "twine", "check", "--strict", ...files]);
  if (wheels.length > 0) await runProgram(step, folder, [join(programs, "check-wheel-contents"), ...wheels]);
  const told = await runQuietly(step, [python, "-c", READ_PACKAGE, source]);
  const artifact = `Packages${inputs["upload-name-suffix"] ?? ""}`;
  const kept = await keepArtifact(step, artifact, { root: dist, files });
  const pairs = told.split("\n").flatMap((line) => {
    const [, name, value] = /^([a-z_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return { dist, ...kept, ...Object.fromEntries(pairs) };
}

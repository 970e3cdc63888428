import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type CommandOption, type OptionValues, textOption } from "./command.ts";
import { usageWrong } from "./errors.ts";

/** A drive (`C:`) is no scheme. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

const ELSEWHERE = "Mount it as a folder and name that; or leave the default, and give an experiment that location: clients then write there themselves";
const ADVICE: Readonly<Record<string, string>> = {
  "mlflow-artifacts": "That is how clients address what lies below this folder: name the folder itself",
  http: "Artifacts of another server stay there: give clients its address, or take them over with esteira import mlflow",
};

/** `--artifact-root URI`, of every command that has it. */
export function artifactRootOption(what: string): CommandOption {
  return { type: "string", value: "URI", help: `${what}: a folder, or file:///folder; default: artifacts/ in the store, which mlflow-artifacts:/ names too.` };
}

/**
 * The folder that `--artifact-root` names: absolute, relative to where the user stands, or a `file:` URI, whose path is percent-decoded.
 *
 * @returns an absolute path; undefined when the option was not given, or is `mlflow-artifacts:/`
 * @throws CLI_USAGE_WRONG for any other scheme, another machine, or a URI that names no folder
 */
export function readArtifactRoot(options: OptionValues, { workingFolder, usage }: { readonly workingFolder: string; readonly usage: string }): string | undefined {
  const text = textOption(options, "artifact-root");
  if (text === undefined) return undefined;
  const refuse = (problem: string): Error => usageWrong({ usage, reason: `--artifact-root is ${JSON.stringify(text)}: ${problem}` });
  if (text.trim() === "") throw refuse("expected a folder, absolute or relative, or file:///folder");
  // MLflow's own default: through the server, which keeps them where it keeps them.
  if (/^mlflow-artifacts:\/?$/i.test(text)) return undefined;
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return resolve(workingFolder, text);
  if (scheme === "file") return toFolder(text, refuse);
  const advice = ADVICE[scheme === "https" ? "http" : scheme] ?? ELSEWHERE;
  throw refuse(`artifacts cannot be kept in ${scheme}:. Supported: a folder, absolute or relative, or file:///folder (one whose name begins like a scheme: ./${scheme}:…). ${advice}`);
}

function toFolder(text: string, refuse: (problem: string) => Error): string {
  // Without the slash the path would be taken from the root of the file system; a query or fragment would be dropped.
  if (!/^file:\//i.test(text)) throw refuse("the path of a file: URI is absolute: file:///folder");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname !== "") throw refuse("a file: URI names a folder of this machine: file:///folder, without a host (or localhost)");
  if (/[?#]/.test(text)) throw refuse("a file: URI has no query and no fragment; write ? as %3F and # as %23");
  try {
    const folder = fileURLToPath(url);
    if (!folder.includes("\0")) return resolve(folder);
  } catch {
    // Percent signs that mean nothing, or an encoded slash.
  }
  throw refuse("its path cannot be read: percent-encode each character on its own (a percent sign is %25), and no slash");
}

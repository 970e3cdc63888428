import { relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type CommandOption, type OptionValues, textOption } from "./command.ts";
import { usageWrong } from "./errors.ts";

/** A drive (`C:`) is no scheme. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/** What clients write to themselves, as MLflow's do. */
const OBJECT_STORES: ReadonlySet<string> = new Set(["s3", "gs", "wasbs", "abfss", "hdfs"]);

const SUPPORTED =
  "Supported: mlflow-artifacts:/, a folder, absolute or relative, file:///folder, s3://bucket/path (also gs:, wasbs:, abfss:, hdfs:). A folder whose name begins like a scheme: ./name";
const ADVICE: Readonly<Record<string, string>> = {
  "mlflow-artifacts": "Only mlflow-artifacts:/ itself; --artifacts-destination names the folder that it stands for",
  http: "Artifacts of another server stay there: give clients its address, or take them over with esteira import mlflow",
};

/** Where artifacts are, as the user has named it. */
export interface ArtifactPlaces {
  /**
   * Root of the locations of new experiments, with its folder when it is one of this machine; undefined:
   * `mlflow-artifacts:/`.
   */
  readonly root: { readonly uri: string; readonly folder: string | undefined } | undefined;
  /** Folder that `mlflow-artifacts:/` stands for; undefined: in the store. */
  readonly destination: string | undefined;
  /** @throws CLI_USAGE_WRONG when the store lies in one of the folders: whoever reads artifacts would read it */
  assertApart(storeFolder: string): void;
}

/**
 * `--artifact-root` and `--artifacts-destination`, of every command that reads or writes artifacts; the same for all on
 * one store.
 */
export const artifactOptions: {
  readonly "artifact-root": CommandOption;
  readonly "artifacts-destination": CommandOption;
} = {
  "artifact-root": {
    type: "string",
    value: "URI",
    help: "Where artifacts of new MLflow experiments go: mlflow-artifacts:/ (default), through the server; or a folder, file:///folder or s3://bucket/path, where clients write themselves. MLflow's --default-artifact-root.",
  },
  "artifacts-destination": {
    type: "string",
    value: "FOLDER",
    help: "Where the server keeps what goes through it (mlflow-artifacts:/); a folder, or file:///folder; default: artifacts/ in the store.",
  },
};

/**
 * The places that `--artifact-root` and `--artifacts-destination` name.
 *
 * A plain path is made absolute, from where the user stands; the path of a `file:` URI is percent-decoded.
 *
 * @throws CLI_USAGE_WRONG for what cannot be such a place
 */
export function readArtifactPlaces(
  options: OptionValues,
  { workingFolder, usage }: { readonly workingFolder: string; readonly usage: string },
): ArtifactPlaces {
  const root = readRoot(options, workingFolder, usage);
  const destination = readDestination(options, workingFolder, usage);
  return {
    root,
    destination,
    assertApart(storeFolder) {
      for (const [option, folder] of [
        ["--artifact-root", root?.folder],
        ["--artifacts-destination", destination],
      ] as const) {
        if (folder === undefined || !isWithin(resolve(storeFolder), folder)) continue;
        throw usageWrong({
          usage,
          reason: `${option} is ${folder}: the store ${storeFolder} lies in it, and whoever may read artifacts would read the store. Choose a folder of its own`,
        });
      }
    },
  };
}

function readRoot(options: OptionValues, workingFolder: string, usage: string): ArtifactPlaces["root"] {
  const text = textOption(options, "artifact-root");
  if (text === undefined) return undefined;
  const refuse = refusal("--artifact-root", text, usage);
  if (text.trim() === "") throw refuse(`it is empty. ${SUPPORTED}`);
  // MLflow's own default: through the server, which keeps them where it keeps them.
  if (/^mlflow-artifacts:\/?$/i.test(text)) return undefined;
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return folderRoot(resolve(workingFolder, text), refuse);
  if (scheme === "file")
    return { ...folderRoot(toFolder(text, refuse), refuse), uri: toFileUri(toFolder(text, refuse)) };
  if (OBJECT_STORES.has(scheme)) return { uri: toBucket(text, scheme, refuse), folder: undefined };
  throw refuse(`artifacts cannot be kept in ${scheme}:. ${ADVICE[scheme === "https" ? "http" : scheme] ?? SUPPORTED}`);
}

function readDestination(options: OptionValues, workingFolder: string, usage: string): string | undefined {
  const text = textOption(options, "artifacts-destination");
  if (text === undefined) return undefined;
  const refuse = refusal("--artifacts-destination", text, usage);
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (text.trim() === "") throw refuse("expected a folder, absolute or relative, or file:///folder");
  if (scheme === undefined) return folderRoot(resolve(workingFolder, text), refuse).folder;
  if (scheme === "file") return folderRoot(toFolder(text, refuse), refuse).folder;
  throw refuse(
    `the server cannot keep artifacts in ${scheme}:. Supported: a folder, absolute or relative, or file:///folder. Mount it as a folder; or name it as --artifact-root: clients then write there themselves`,
  );
}

type Refusal = (problem: string) => Error;

function refusal(option: string, text: string, usage: string): Refusal {
  return (problem) => usageWrong({ usage, reason: `${option} is ${JSON.stringify(text)}: ${problem}` });
}

/**
 * A plain path stays one, as with MLflow; where a client would read it as a URI with a query, or decode it, it becomes
 * a `file:` URI.
 */
function folderRoot(folder: string, refuse: Refusal): { readonly uri: string; readonly folder: string } {
  if (folder === resolve("/")) throw refuse("that is everything on this machine. Choose a folder for artifacts");
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(folder))
    throw refuse("its path holds a control character or a backslash, which no artifact location has");
  return { folder, uri: /[?#;%:]/.test(folder) ? toFileUri(folder) : folder };
}

function toFileUri(folder: string): string {
  return pathToFileURL(folder).href.replaceAll(";", "%3B");
}

function toBucket(text: string, scheme: string, refuse: Refusal): string {
  const uri = `${scheme}${text.slice(scheme.length)}`.replace(/\/+$/, "");
  // hdfs:///path means the default name node.
  if (!(scheme === "hdfs" ? /^hdfs:\/\/[^/]*\/[^/]/ : /^[a-z0-9]+:\/\/[^/]+/).test(uri))
    throw refuse(`it names no bucket or path. ${SUPPORTED}`);
  if (/:\/\/[^/@]*:[^/@]*@/.test(uri))
    throw refuse("it holds a password, which every client would be told. Give clients their credentials themselves");
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0020\u007f\\?#;]/.test(uri) || uri.split("/").includes(".."))
    throw refuse("it has no query, no fragment, no blank and no '..'");
  return uri;
}

function toFolder(text: string, refuse: Refusal): string {
  // Without the slash the path would be taken from the root of the file system; a query or fragment would be dropped.
  if (!/^file:\//i.test(text)) throw refuse("the path of a file: URI is absolute: file:///folder");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname !== "")
    throw refuse("a file: URI names a folder of this machine: file:///folder, without a host (or localhost)");
  if (/[?#]/.test(text)) throw refuse("a file: URI has no query and no fragment; write ? as %3F and # as %23");
  try {
    const folder = fileURLToPath(url);
    if (!folder.includes("\0")) return resolve(folder);
  } catch {
    // Percent signs that mean nothing, or an encoded slash.
  }
  throw refuse(
    "its path cannot be read: percent-encode each character on its own (a percent sign is %25), and no slash",
  );
}

function isWithin(path: string, folder: string): boolean {
  const below = relative(folder, path);
  return below === "" || !(below === ".." || below.startsWith(`..${sep}`));
}

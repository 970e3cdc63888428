import { mlflowRoutes, toAddress } from "#api";
import { ProblemError } from "./api.ts";
import { credentials } from "./credentials.ts";

/** Address of one artifact of a run, for downloads. */
export function artifactAddress(runId: string, path: string): string {
  return toAddress(mlflowRoutes.getArtifact, { query: { run_id: runId, path } });
}

export interface FileStart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** False when the file goes on after these bytes. */
  readonly isWhole: boolean;
}

/** The first bytes of an artifact: never more than `mostBytes`, however large the file. @throws ProblemError */
export async function readArtifact(
  runId: string,
  path: string,
  mostBytes: number,
  signal?: AbortSignal,
): Promise<FileStart> {
  const response = await fetch(artifactAddress(runId, path), {
    headers: { ...credentials.headers(), range: `bytes=0-${mostBytes - 1}` },
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status === 416) return { bytes: new Uint8Array(), isWhole: true };
  if (!response.ok)
    throw new ProblemError(response.status, {
      code: `HTTP_${response.status}`,
      message: await errorText(response),
      kind: "terminal",
    });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const total = Number(/\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1] ?? bytes.length);
  return { bytes, isWhole: total <= bytes.length };
}

async function errorText(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

/** Saves an artifact. Whoever signed in with a token has it fetched first, as a link carries no token. */
export async function downloadArtifact(runId: string, path: string): Promise<void> {
  const name = path.split("/").at(-1) ?? path;
  if (!credentials.has()) return saveLink(artifactAddress(runId, path), name);
  const response = await fetch(artifactAddress(runId, path), { headers: credentials.headers() });
  if (!response.ok)
    throw new ProblemError(response.status, {
      code: `HTTP_${response.status}`,
      message: await errorText(response),
      kind: "terminal",
    });
  return saveBlob(await response.blob(), name);
}

/** Has the browser save something that the page made. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  saveLink(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function saveLink(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

import { type Readable, Transform } from "node:stream";
import { posix } from "node:path";
import { mlflowRoutes } from "#api";
import { isEsteiraError } from "#base";
import { artifactDownload } from "../artifact-download.ts";
import type { ArtifactEntry, ArtifactFolder } from "../artifact-folder.ts";
import { artifactSegments } from "../artifact-path.ts";
import { artifactMissing, artifactNotDownloaded, artifactTooLarge, parameterInvalid } from "../errors.ts";
import { createMultipartUploads } from "../multipart-upload.ts";
import { findArtifactRun } from "../artifact-run.ts";
import { type ArtifactCallsOptions, wildcardPath } from "./artifact-request.ts";
import type { MlflowMessage } from "./message.ts";
import { multipartRoutes } from "./multipart.ts";
import type { MlflowRequest, MlflowResponse, MlflowCall } from "./call.ts";

const LARGEST_FORM_UPLOAD_BYTES = 10 * 1024 * 1024;

/**
 * Uploads, downloads and lists of artifacts: `mlflow-artifacts/…`, `artifacts/…`, `/get-artifact`, `upload-artifact`.
 */
export function createArtifactCalls(options: ArtifactCallsOptions): readonly MlflowCall[] {
  const uploads = createMultipartUploads(options.artifacts);
  return [...proxyRoutes(options), ...runRoutes(options), ...multipartRoutes({ ...options, uploads })];
}

function proxyRoutes({ artifacts }: ArtifactCallsOptions): readonly MlflowCall[] {
  return [
    {
      route: mlflowRoutes.listArtifactFolder,
      handler: async (request) => {
        const path = request.query.get("path") ?? "";
        artifactSegments(path.replace(/\/+$/, ""));
        return { json: filesField((await artifacts.list(path)).map((entry) => toFile(entry, ""))) };
      },
    },
    {
      route: mlflowRoutes.downloadArtifact,
      handler: async (request) => {
        const path = wildcardPath(request);
        return artifactDownload(await openProxied(artifacts, path), path, request);
      },
    },
    {
      route: mlflowRoutes.uploadArtifact,
      handler: async (request) => {
        const path = wildcardPath(request);
        await artifacts.write(path, request.body);
        return {};
      },
    },
    {
      route: mlflowRoutes.deleteArtifact,
      handler: async (request) => {
        const path = wildcardPath(request);
        await artifacts.remove(path);
        return {};
      },
    },
  ];
}

function runRoutes(options: ArtifactCallsOptions): readonly MlflowCall[] {
  const { store, artifacts } = options;
  const download = async (request: MlflowRequest): Promise<MlflowResponse> => {
    const fields = await request.message();
    const run = await readRun(options, fields);
    const path = fields.requiredString("path");
    return artifacts.download({ location: run.artifactUri, path, request });
  };
  return [
    {
      route: mlflowRoutes.listArtifacts,
      handler: async (request) => {
        const fields = await request.message();
        const path = (fields.string("path") ?? "").replace(/\/+$/, "");
        artifactSegments(path);
        const run = await readRun(options, fields);
        const held = artifacts.at(run.artifactUri, path);
        const entries = await held.folder.list(held.path);
        return { json: { root_uri: run.artifactUri, ...filesField(entries.map((entry) => toFile(entry, path))) } };
      },
    },
    { route: mlflowRoutes.getArtifact, handler: download },
    { route: mlflowRoutes.getArtifactOfPage, handler: download },
    {
      route: mlflowRoutes.uploadRunArtifact,
      handler: async (request) => {
        const runId = request.query.get("run_uuid") ?? request.query.get("run_id") ?? "";
        const path = request.query.get("path") ?? "";
        if (runId === "") throw parameterInvalid({ message: "Request must specify run_uuid." });
        if (path === "") throw parameterInvalid({ message: "Request must specify path." });
        artifactSegments(path);
        const run = await findArtifactRun(store, runId);
        const held = artifacts.at(run.artifactUri, path);
        await held.folder.write(held.path, notEmpty(limited(request.body, LARGEST_FORM_UPLOAD_BYTES)));
        return { text: "" };
      },
    },
    {
      route: mlflowRoutes.createPresignedUploadUrl,
      handler: async (request) => {
        const fields = await request.message();
        const run = await findArtifactRun(store, fields.requiredString("run_id"));
        fields.requiredString("path");
        const scheme = /^([A-Za-z][\w+.-]*):/.exec(run.artifactUri)?.[1] ?? "file";
        throw parameterInvalid({
          message: `Presigned upload is not supported for runs with proxied artifact storage (artifact URI scheme: ${scheme}). This endpoint requires a run with a direct cloud storage artifact URI.`,
        });
      },
    },
  ];
}

async function readRun({ store }: ArtifactCallsOptions, fields: MlflowMessage): ReturnType<typeof findArtifactRun> {
  const runId = fields.string("run_id") ?? fields.string("run_uuid") ?? "";
  return findArtifactRun(store, runId === "" ? fields.requiredString("run_id") : runId);
}

async function openProxied(artifacts: ArtifactFolder, path: string): ReturnType<ArtifactFolder["open"]> {
  try {
    return await artifacts.open(path);
  } catch (error) {
    throw isEsteiraError(error, artifactMissing.code) ? artifactNotDownloaded({ path }, error) : error;
  }
}

/** An entry as MLflow sends it: a size of 0 is left out. */
export function toFile(entry: ArtifactEntry, folder: string): object {
  return {
    path: posix.join(folder, entry.name),
    is_dir: entry.isFolder,
    ...(entry.sizeBytes === 0 ? {} : { file_size: entry.sizeBytes }),
  };
}

/** `{ files }`, or nothing for none. */
export function filesField(files: readonly object[]): { readonly files?: readonly object[] } {
  return files.length === 0 ? {} : { files };
}

/** As MLflow: a form without a file is a mistake, not an empty artifact. */
async function* notEmpty(content: Readable): AsyncGenerator<Buffer> {
  let isEmpty = true;
  for await (const piece of content as AsyncIterable<Buffer>) {
    isEmpty &&= piece.byteLength === 0;
    yield piece;
  }
  if (isEmpty) throw parameterInvalid({ message: "Request must specify data." });
}

function limited(content: Readable, limitBytes: number): Readable {
  let received = 0;
  const limit = new Transform({
    transform(piece: Buffer, _encoding, done) {
      received += piece.byteLength;
      if (received > limitBytes) done(artifactTooLarge({ limitBytes }));
      else done(null, piece);
    },
  });
  content.on("error", (error) => limit.destroy(error));
  return content.pipe(limit);
}

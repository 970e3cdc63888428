import { posix } from "node:path";
import { mlflowRoutes } from "#api";
import { artifactSegments } from "../artifact-path.ts";
import { parameterInvalid } from "../errors.ts";
import type { MultipartUploads } from "../multipart-upload.ts";
import { type ArtifactCallsOptions, wildcardPath } from "./artifact-request.ts";
import type { MlflowMessage } from "./message.ts";
import type { MlflowRequest, MlflowCall } from "./call.ts";

interface Options extends ArtifactCallsOptions {
  readonly uploads: MultipartUploads;
}

/**
 * `mlflow-artifacts/mpu/…` and `mlflow-artifacts/presigned/…`. The addresses handed out are this server's own, and the
 * headers that go with them carry what the caller identified itself with: clients send parts without asking again.
 */
export function multipartRoutes({ artifacts, uploads }: Options): readonly MlflowCall[] {
  const target = async (request: MlflowRequest, fields: MlflowMessage): Promise<string> => {
    const path = filePath(request, fields);
    return path;
  };
  return [
    {
      route: mlflowRoutes.createMultipartUpload,
      handler: async (request) => {
        const fields = await request.message();
        const partCount = fields.integer("num_parts") ?? 1;
        const uploadId = await uploads.create(await target(request, fields), partCount);
        const credentials = Array.from({ length: partCount }, (_, index) => ({
          url: `${ownAddress(request, "mpu")}mpu/part/${uploadId}/${index + 1}`,
          part_number: index + 1,
          headers: { "Content-Type": "application/octet-stream", ...credentialsOf(request) },
        }));
        return { json: { upload_id: uploadId, credentials } };
      },
    },
    {
      route: mlflowRoutes.uploadPart,
      handler: async (request) => {
        const etag = await uploads.writePart(
          request.params["uploadId"] ?? "",
          Number(request.params["partNumber"]),
          request.body,
        );
        return { headers: { etag: `"${etag}"` } };
      },
    },
    {
      route: mlflowRoutes.completeMultipartUpload,
      handler: async (request) => {
        const fields = await request.message();
        const parts = fields
          .messages("parts")
          .map((part) => ({ partNumber: part.integer("part_number") ?? 0, etag: part.string("etag") }));
        await uploads.complete(await target(request, fields), fields.requiredString("upload_id"), parts);
        return {};
      },
    },
    {
      route: mlflowRoutes.abortMultipartUpload,
      handler: async (request) => {
        const fields = await request.message();
        await uploads.abort(await target(request, fields), fields.requiredString("upload_id"));
        return {};
      },
    },
    {
      route: mlflowRoutes.getPresignedDownloadUrl,
      handler: async (request) => {
        const path = wildcardPath(request);
        const opened = await artifacts.open(path);
        await opened.close();
        const encoded = artifactSegments(path).map(encodeURIComponent).join("/");
        return {
          json: {
            url: `${ownAddress(request, "presigned")}artifacts/${encoded}`,
            headers: credentialsOf(request),
            file_size: opened.sizeBytes,
          },
        };
      },
    },
  ];
}

/** The folder of the address and the name of the client's file: its path on the client's machine is not looked at. */
function filePath(request: MlflowRequest, fields: MlflowMessage): string {
  const name = posix.basename(fields.requiredString("path").replaceAll("\\", "/"));
  if (name === "" || name === "." || name === "..")
    throw parameterInvalid({ message: `Invalid value for parameter 'path': it names no file` });
  return [...artifactSegments(request.params["*"] ?? ""), ...artifactSegments(name)].join("/");
}

/** This server as the caller sees it, up to the segment before `mark`. */
function ownAddress(request: MlflowRequest, mark: string): string {
  const host = textOf(request.headers["host"]) ?? "localhost";
  const scheme = /^https$/i.test(textOf(request.headers["x-forwarded-proto"]) ?? "") ? "https" : "http";
  const at = request.path.indexOf(`/mlflow-artifacts/${mark}/`);
  return `${scheme}://${host}${request.path.slice(0, at)}/mlflow-artifacts/`;
}

function credentialsOf(request: MlflowRequest): Readonly<Record<string, string>> {
  const authorization = textOf(request.headers["authorization"]);
  return authorization === undefined ? {} : { Authorization: authorization };
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

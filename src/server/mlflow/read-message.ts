import type { IncomingMessage } from "node:http";
import { MlflowMessage, type MlflowRoute, readJson, requestInvalid, type WireValue } from "#tracking";
import { LARGEST_BODY_BYTES, readBody } from "../security/request-body.ts";

/**
 * The fields of a call: from the query string, or from the JSON body, which may be absent or a JSON string that holds
 * JSON.
 *
 * @throws TRACKING_REQUEST_INVALID
 */
export async function readMessage(
  route: MlflowRoute,
  query: URLSearchParams,
  raw: IncomingMessage,
): Promise<MlflowMessage> {
  if (route.method === "GET" || route.fieldsInQuery === true) return MlflowMessage.fromQuery(query);
  if (route.method === "POST") assertJsonType(raw.headers["content-type"]);
  const text = await readText(raw);
  let value: WireValue = text.trim() === "" ? {} : readJson(text);
  if (typeof value === "string") value = readJson(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw requestInvalid({
      message: "The request body is not a JSON object. Expected an object with the call's fields.",
    });
  }
  return new MlflowMessage(value as Exclude<typeof value, readonly WireValue[]>);
}

function assertJsonType(contentType: string | undefined): void {
  if (contentType === undefined) throw requestInvalid({ message: "Bad Request. Content-Type header is missing." });
  if (contentType.split(";")[0]?.trim().toLowerCase() === "application/json") return;
  throw requestInvalid({ message: "Bad Request. Content-Type must be one of ['application/json']." });
}

async function readText(raw: IncomingMessage): Promise<string> {
  return (await readBody(raw, LARGEST_BODY_BYTES.mlflow)).toString("utf8");
}

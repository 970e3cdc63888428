import { MlflowMessage, readJson, requestInvalid, type WireValue } from "#tracking";
import type { RoutedCall } from "../routing/routed-call.ts";

/**
 * The fields of a call: from the query string where the body is none or a file, else from the JSON body, which may be
 * absent or a JSON string that holds JSON.
 *
 * @throws TRACKING_REQUEST_INVALID
 */
export async function readMessage(call: RoutedCall): Promise<MlflowMessage> {
  const { route, headers, body } = call;
  if (route.body === undefined || "streamed" in route.body) return MlflowMessage.fromQuery(call.query);
  if (route.method === "POST") assertJsonType(headers["content-type"]);
  const text = body.toString("utf8");
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

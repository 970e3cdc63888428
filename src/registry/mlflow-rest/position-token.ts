import type { Position } from "#metadata-store/registry";
import { type MlflowMessage, readPageToken, readPosition, writePageToken } from "#tracking";

/** Where the page that was asked for starts. @throws TRACKING_PARAMETER_INVALID for a token that is none of ours */
export function readAfter(fields: MlflowMessage): Position | undefined {
  const token = fields.string("page_token") ?? "";
  if (token === "") return undefined;
  return readPosition(readPageToken(token)["after"]);
}

/** The field `next_page_token`, or nothing on the last page. */
export function writeAfter(next: Position | undefined): { readonly next_page_token?: string } {
  return next === undefined ? {} : { next_page_token: writePageToken({ after: next }) };
}

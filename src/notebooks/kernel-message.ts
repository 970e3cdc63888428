import { createHmac, randomUUID } from "node:crypto";
import { type Json, secretsEqual } from "#base";

const DELIMITER = "<IDS|MSG>";

/** A message of the Jupyter protocol 5. */
export interface KernelMessage {
  readonly type: string;
  readonly id: string;
  /** `msg_id` of the request that it belongs to. */
  readonly parentId: string | undefined;
  /** `header.date`, ISO 8601. */
  readonly date: string;
  readonly content: { readonly [key: string]: Json };
}

/** Frames of a request, signed; and its id. */
export function encodeRequest(
  type: string,
  content: object,
  session: { readonly id: string; readonly key: string },
): { readonly id: string; readonly frames: readonly string[] } {
  const id = randomUUID();
  const header = {
    msg_id: id,
    session: session.id,
    username: "esteira",
    date: new Date().toISOString(),
    msg_type: type,
    version: "5.3",
  };
  const parts = [JSON.stringify(header), "{}", "{}", JSON.stringify(content)];
  return { id, frames: [DELIMITER, sign(parts, session.key), ...parts] };
}

/** @returns undefined for frames that are no message, or whose signature does not hold: they are dropped */
export function decodeMessage(frames: readonly Uint8Array[], key: string): KernelMessage | undefined {
  const texts = frames.map((frame) => Buffer.from(frame));
  const start = texts.findIndex((frame) => frame.toString("latin1") === DELIMITER);
  const [signature, header, parent, metadata, content] = texts.slice(start + 1);
  if (
    start === -1 ||
    signature === undefined ||
    header === undefined ||
    parent === undefined ||
    metadata === undefined ||
    content === undefined
  )
    return undefined;
  if (!secretsEqual(signature.toString("latin1"), sign([header, parent, metadata, content], key))) return undefined;
  const {
    msg_id: id,
    msg_type: type,
    date,
  } = JSON.parse(header.toString()) as { msg_id: string; msg_type: string; date?: string };
  const { msg_id: parentId } = JSON.parse(parent.toString()) as { msg_id?: string };
  return { type, id, parentId, date: date ?? new Date().toISOString(), content: parseContent(content.toString()) };
}

/** A text of a message's content; empty when it is none. */
export function textIn(content: KernelMessage["content"], key: string): string {
  const value = content[key];
  return typeof value === "string" ? value : "";
}

function sign(parts: readonly (string | Uint8Array)[], key: string): string {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

/** Python's json writes NaN and infinities bare; they become null, as nbformat has no form for them. */
function parseContent(text: string): KernelMessage["content"] {
  try {
    return JSON.parse(text) as KernelMessage["content"];
  } catch {
    return JSON.parse(
      text.replace(/("(?:[^"\\]|\\.)*")|-?\bInfinity\b|\bNaN\b/g, (_, quoted: string | undefined) => quoted ?? "null"),
    ) as KernelMessage["content"];
  }
}

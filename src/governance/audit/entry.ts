import { canonicalJson } from "#base";
import type { RawEvent } from "#metadata-store/audit";

/**
 * The canonical bytes of an event (RFC 8785), which the leaves of the log are hashes of. What is no JSON, because
 * somebody edited it, is taken as text: it has a hash too, and another one.
 */
export function formatEntry(event: RawEvent): string {
  return (
    `{"actor":${JSON.stringify(event.actor)},"at_ms":${event.atMs},"data":${canonicalData(event.data)},` +
    `"project":${JSON.stringify(event.project)},"sequence":${event.sequence},"subject":${JSON.stringify(event.subject)},` +
    `"subject_kind":${JSON.stringify(event.subjectKind)},"type":${JSON.stringify(event.type)},"v":1}`
  );
}

function canonicalData(text: string): string {
  if (text === "{}") return text;
  try {
    return canonicalJson(JSON.parse(text));
  } catch {
    return JSON.stringify(text);
  }
}

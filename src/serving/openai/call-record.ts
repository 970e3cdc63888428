/** How a call of a server ended. */
export type CallEnd = "whole" | "left" | "broken";

const TAIL_CHARACTERS = 4096;

/** What the log keeps of a call: how much, how long, how it ended. Neither questions nor answers. */
export interface CallRecord {
  /** Bytes of the answer, as they pass. */
  seen(piece: Uint8Array): void;
  /** As the log has it. */
  text(status: number, end: CallEnd): string;
}

/** @param clock milliseconds that only grow */
export function createCallRecord(clock: () => number): CallRecord {
  const startMs = clock();
  let firstMs: number | undefined;
  let bytes = 0;
  let tail = "";
  return {
    seen(piece) {
      firstMs ??= clock();
      bytes += piece.byteLength;
      // A server says what was used at the end of its answer.
      tail = (tail + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1")).slice(
        -TAIL_CHARACTERS,
      );
    },
    text: (status, end) =>
      JSON.stringify({
        status,
        end,
        ms: Math.round(clock() - startMs),
        ...(firstMs === undefined ? {} : { first_byte_ms: Math.round(firstMs - startMs) }),
        bytes,
        ...usedTokens(tail),
      }),
  };
}

function usedTokens(tail: string): Readonly<Record<string, number>> {
  const found = ["prompt_tokens", "completion_tokens"].flatMap((name) => {
    const all = [...tail.matchAll(new RegExp(`"${name}"\\s*:\\s*(\\d{1,12})`, "g"))];
    const last = all.at(-1)?.[1];
    return last === undefined ? [] : [[name, Number(last)] as const];
  });
  return Object.fromEntries(found);
}

/** Settings of a request that say nothing of what it asks. */
const KEPT = [
  "stream",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "n",
  "seed",
  "dimensions",
] as const;

/** What the log keeps of a question: its settings, and how much it is. */
export function describeQuestion(
  route: string,
  document: Readonly<Record<string, unknown>>,
  sizeBytes: number,
): Readonly<Record<string, string | number | boolean>> {
  const settings = KEPT.flatMap((name) => {
    const value = document[name];
    return typeof value === "number" || typeof value === "boolean" ? [[name, value] as const] : [];
  });
  const counts = ["messages", "input", "tools"].flatMap((name) => {
    const value = document[name];
    return Array.isArray(value) ? [[name, value.length] as const] : [];
  });
  return { route, bytes: sizeBytes, ...Object.fromEntries([...settings, ...counts]) };
}

import type { LogChunk } from "#api";
import { lastOverwrite } from "./ansi.ts";

export interface LogLine {
  readonly number: number;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly atMs: number;
  readonly text: string;
}

/** A log as lines: chunks may end in the middle of one. Chunks come in any order and may come twice. */
export function toLogLines(chunks: readonly LogChunk[]): readonly LogLine[] {
  const sorted = [...new Map(chunks.map((chunk) => [chunk.sequence, chunk])).values()].sort(
    (left, right) => left.sequence - right.sequence,
  );
  const lines: LogLine[] = [];
  const open = new Map<string, { chunk: LogChunk; text: string }>();
  const close = (key: string): void => {
    const line = open.get(key);
    if (line === undefined) return;
    open.delete(key);
    lines.push({
      number: lines.length + 1,
      attempt: line.chunk.attempt,
      stream: line.chunk.stream,
      atMs: line.chunk.atMs,
      text: lastOverwrite(line.text),
    });
  };
  for (const chunk of sorted) {
    const key = `${chunk.attempt} ${chunk.stream}`;
    const pieces = chunk.text.split("\n");
    pieces.forEach((piece, index) => {
      const line = open.get(key);
      if (line === undefined) {
        if (piece !== "" || index < pieces.length - 1) open.set(key, { chunk, text: piece });
      } else line.text += piece;
      if (index < pieces.length - 1) close(key);
    });
  }
  for (const key of Array.from(open.keys())) close(key);
  return lines;
}

const ERROR_LINE = /\b(error|exception|fatal|panic|failed|failure|traceback|not found|denied)\b|\w(Error|Exception)\b/i;
const HARMLESS = /\b(0|no|without) (errors?|failures?|failed)\b|\bfailed[:=] ?0\b/i;

/**
 * Index of the line where the trouble begins: the first on stderr that speaks of an error, else the first that does,
 * else none.
 */
export function firstError(lines: readonly LogLine[]): number | undefined {
  const speaks = ({ text }: LogLine): boolean => ERROR_LINE.test(text) && !HARMLESS.test(text);
  const found = lines.findIndex((line) => line.stream === "stderr" && speaks(line));
  const index = found >= 0 ? found : lines.findIndex(speaks);
  return index < 0 ? undefined : index;
}

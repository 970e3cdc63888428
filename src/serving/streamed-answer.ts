import { createDigester, type Json } from "#base";
import type { ModelOutput } from "./model-runtime.ts";

/** Characters of a streamed answer that the log keeps; of a longer one its digest. */
const LONGEST_LOGGED = 16_384;

/** What was streamed, as one answer for the log. */
export interface StreamedAnswer {
  add(chunk: Json): void;
  /** Texts as one text, anything else as a list of the parts. */
  output(): ModelOutput;
}

export function createStreamedAnswer(): StreamedAnswer {
  const digester = createDigester();
  const kept: Json[] = [];
  let count = 0;
  let length = 0;
  return {
    add(chunk) {
      const text = typeof chunk === "string" ? chunk : JSON.stringify(chunk);
      digester.update(text);
      count++;
      length += text.length;
      if (length <= LONGEST_LOGGED) kept.push(chunk);
    },
    output() {
      const isText = kept.every((chunk) => typeof chunk === "string");
      const text =
        length > LONGEST_LOGGED
          ? JSON.stringify({ parts: count, characters: length, digest: digester.digest() })
          : isText
            ? kept.join("")
            : JSON.stringify(kept);
      return {
        kind: "tensors",
        rowCount: 1,
        tensors: [{ name: "prediction", datatype: "BYTES", shape: [], values: [text] }],
      };
    },
  };
}

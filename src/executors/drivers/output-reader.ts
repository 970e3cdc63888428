import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

const MASK = "***";

/**
 * Reads one output of a process as text: UTF-8 across chunk borders, secrets replaced also when they arrive in pieces.
 * Text that could be the beginning of a secret is held back until more comes.
 */
export function readOutput(
  source: Readable,
  options: { readonly secrets: readonly string[]; readonly take: (text: string) => void | Promise<void> },
): void {
  const decoder = new StringDecoder("utf8");
  const secrets = options.secrets
    .flatMap((secret) => [secret, ...secret.split("\n")])
    .filter((secret) => secret.length >= 4)
    .sort((left, right) => right.length - left.length);
  let held = "";

  const give = (text: string): void => {
    if (text === "") return;
    const taken = options.take(text);
    if (!(taken instanceof Promise)) return;
    // More output than can be stored: the process waits at its full pipe.
    source.pause();
    void taken.finally(() => source.resume());
  };

  source.on("data", (chunk: Buffer) => {
    const text = held + decoder.write(chunk);
    if (secrets.length === 0) return give(text);
    const masked = mask(text, secrets);
    const keep = possibleStart(masked, secrets);
    held = masked.slice(masked.length - keep);
    give(masked.slice(0, masked.length - keep));
  });
  source.on("end", () => give(mask(held + decoder.end(), secrets)));
  source.on("error", () => {});
}

function mask(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of secrets) masked = masked.replaceAll(secret, MASK);
  return masked;
}

/** Length of the longest end of the text with which a secret could begin. */
function possibleStart(text: string, secrets: readonly string[]): number {
  let longest = 0;
  for (const secret of secrets) {
    for (let length = Math.min(secret.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(secret.slice(0, length))) longest = length;
    }
  }
  return longest;
}

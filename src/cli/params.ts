import { usageWrong } from "./errors.ts";

/**
 * Reads `--param k=v`: the value as JSON where it is JSON (numbers, true, lists), else as text.
 *
 * @throws CLI_USAGE_WRONG
 */
export function readParams(texts: readonly string[], usage: string): Readonly<Record<string, unknown>> {
  const params: Record<string, unknown> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw usageWrong({ usage, reason: `--param is ${JSON.stringify(text)}; expected NAME=VALUE` });
    params[text.slice(0, at)] = toValue(text.slice(at + 1));
  }
  return params;
}

function toValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

import { asText, membersOf } from "../../json.ts";
import type { BuiltinStep } from "./builtins.ts";

/** Fails unless every job that is named succeeded, less those that may fail or be skipped. */
export function allGreen({ job, inputs }: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const listed = (name: string): readonly string[] => namesIn(inputs[name] ?? "");
  const [mayFail, maySkip] = [listed("allowed-failures"), listed("allowed-skips")];
  const bad: string[] = [];
  for (const [name, need] of Object.entries(membersOf(JSON.parse(inputs["jobs"] ?? "{}")))) {
    const { result } = membersOf(need);
    const isFine =
      result === "success" ||
      (result === "skipped" && maySkip.includes(name)) ||
      (result !== "skipped" && mayFail.includes(name));
    job.output.say(`${isFine ? "✓" : "✗"} ${name}: ${asText(result)}`);
    if (!isFine) bad.push(name);
  }
  if (bad.length > 0) return Promise.reject(new Error(`not all jobs succeeded: ${bad.join(", ")}`));
  return Promise.resolve({ result: "success" });
}

/** A JSON list, or names with commas between them. */
function namesIn(text: string): readonly string[] {
  if (text.trim().startsWith("[")) {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : [];
  }
  return text
    .split(/[\s,]+/)
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

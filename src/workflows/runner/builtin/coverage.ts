import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findFiles } from "../hash-files.ts";
import type { BuiltinStep } from "./builtins.ts";

const REPORTS = ["**/coverage.xml", "**/cobertura*.xml", "**/lcov.info", "**/clover.xml", "**/coverage-final.json"];
const INSTALLED = /(^|\/)(node_modules|\.venv|venv)\//;

/** Reads the reports of coverage that a run left, and keeps the share of covered lines. Nothing is sent. */
export async function reportCoverage({ job, inputs }: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { workspace } = job.plan.folders;
  const stated = [inputs["files"], inputs["file"]]
    .flatMap((text) => (text ?? "").split(","))
    .map((one) => one.trim())
    .filter((one) => one !== "");
  const files = findFiles(workspace, stated.length > 0 ? stated : REPORTS).filter((file) => !INSTALLED.test(file));
  let covered = 0;
  let all = 0;
  for (const file of files) {
    const counts = countLines(await readFile(join(workspace, file), "utf8"));
    if (counts === undefined) continue;
    covered += counts.covered;
    all += counts.all;
    job.output.say(`${file}: ${counts.covered} of ${counts.all} lines`);
  }
  if (all === 0) {
    const reason = "no report of coverage was found";
    if (inputs["fail_ci_if_error"] === "true") throw new Error(reason);
    job.output.say(`Warning: ${reason}.`);
    return {};
  }
  job.coverage = covered / all;
  job.output.say(`Coverage: ${((100 * covered) / all).toFixed(2)} % of ${all} lines`);
  return {};
}

/** LCOV, Cobertura or Clover. */
export function countLines(text: string): { readonly covered: number; readonly all: number } | undefined {
  const sum = (pattern: RegExp): number =>
    [...text.matchAll(pattern)].reduce((total, [, count]) => total + Number(count), 0);
  if (/^LF:\d+/m.test(text)) return { covered: sum(/^LH:(\d+)/gm), all: sum(/^LF:(\d+)/gm) };
  const cobertura = /<coverage[^>]*\blines-covered="(\d+)"[^>]*/.exec(text);
  const valid = /<coverage[^>]*\blines-valid="(\d+)"/.exec(text);
  if (cobertura !== null && valid !== null) return { covered: Number(cobertura[1]), all: Number(valid[1]) };
  const clover = /<project[^>]*>\s*<metrics[^>]*\bstatements="(\d+)"[^>]*\bcoveredstatements="(\d+)"/.exec(text);
  return clover === null ? undefined : { covered: Number(clover[2]), all: Number(clover[1]) };
}

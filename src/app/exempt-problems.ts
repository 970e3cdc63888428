import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type LocatedProblem, nearestName, parseYaml } from "#base";
import { PROJECT_FILE } from "#config";
import type { LoadedProject } from "#pipeline";
import type { Platform } from "./platform.ts";

/** Entries of `isolation.exempt` that name no step: who wrote them believes that a step has what it has not. */
export async function findExemptProblems(
  { config }: Pick<Platform, "config">,
  { pipelines, problems }: Pick<LoadedProject, "pipelines" | "problems">,
): Promise<readonly LocatedProblem[]> {
  if (config.isolation.exempt.length === 0) return [];
  const { document } = parseYaml(await readFile(join(config.folder, PROJECT_FILE), "utf8"), PROJECT_FILE);
  const steps = pipelines.flatMap(({ name, steps: all }) => all.map((step) => `${name}.${step.name}`));
  // What a file with mistakes declares is not known.
  const isUnread = (pipeline: string): boolean =>
    problems.some(({ file }) => new RegExp(`(^|/)${RegExp.escape(pipeline)}\\.ya?ml$`).test(file));
  return config.isolation.exempt.flatMap((entry, index) => {
    const [pipeline = ""] = entry.split(".");
    if (steps.includes(entry) || isUnread(pipeline)) return [];
    const near = nearestName(entry, steps);
    const known = pipelines.find(({ name }) => name === pipeline);
    return [
      {
        ...document.at(["isolation", "exempt", index]),
        message: !entry.includes(".")
          ? `"${entry}" in isolation.exempt is no PIPELINE.STEP`
          : known === undefined
            ? `isolation.exempt names "${entry}", but there is no pipeline "${pipeline}"`
            : `isolation.exempt names "${entry}", but pipeline "${pipeline}" has no such step: it has ${known.steps.map(({ name }) => name).join(", ")}`,
        hint: near === undefined ? "Remove it." : `Did you mean ${near}?`,
      },
    ];
  });
}

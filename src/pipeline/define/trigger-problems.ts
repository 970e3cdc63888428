import type { LocatedProblem } from "#base";
import { matchesPattern } from "#metadata-store";
import { findCycle } from "./graph.ts";
import type { CompiledPipeline } from "./load-project.ts";
import { nearestHint } from "./schema-problems.ts";

/** Data triggers that nothing fires, and pipelines that would start each other for ever. */
export function triggerProblems(pipelines: readonly CompiledPipeline[]): readonly LocatedProblem[] {
  const problems: LocatedProblem[] = [];
  const assets = new Map(pipelines.flatMap((pipeline) => [...pipeline.analyses.values()].flatMap(({ makes }) => makes.map(({ asset }) => [asset, pipeline.parsed.name] as const))));
  const complete = pipelines.every((pipeline) => pipeline.analyses.size === pipeline.steps.length);
  const startedBy = new Map<string, readonly string[]>();
  for (const { parsed } of pipelines) {
    const causes = new Set<string>();
    for (const [index, pattern] of parsed.on.data.entries()) {
      const matched = [...assets].filter(([asset]) => matchesPattern(asset, pattern));
      for (const [, pipeline] of matched) causes.add(pipeline);
      if (matched.length > 0 || !complete) continue;
      const value = (parsed.yaml.value as { on?: { data?: unknown } }).on?.data;
      const path = ["on", "data", ...(Array.isArray(value) ? [index] : [])];
      problems.push({ ...parsed.yaml.at(path), message: `no step makes "${pattern}", so this never starts the pipeline`, hint: nearestHint(pattern, assets.keys(), "Assets") });
    }
    startedBy.set(parsed.name, [...causes]);
  }
  const cycle = findCycle(startedBy);
  const first = pipelines.find((pipeline) => pipeline.parsed.name === cycle?.[0]);
  if (cycle !== undefined && first !== undefined) {
    const path = cycle.toReversed().join(" → ");
    problems.push({ ...first.parsed.yaml.at(["on", "data"]), message: `these pipelines would start each other for ever: ${path}`, hint: "Take one of the data triggers out." });
  }
  return problems;
}

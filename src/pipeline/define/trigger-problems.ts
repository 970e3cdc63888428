import { type LocatedProblem, matchesPattern } from "#base";
import { findCycle } from "./graph.ts";
import type { CompiledPipeline } from "./load-project.ts";
import { nearestHint } from "./schema-problems.ts";

/** Data triggers and webhooks that nothing can fire, and pipelines that would start each other for ever. */
export function triggerProblems(pipelines: readonly CompiledPipeline[]): readonly LocatedProblem[] {
  const problems: LocatedProblem[] = [];
  const assets = new Map(
    pipelines.flatMap((pipeline) =>
      [...pipeline.analyses.values()].flatMap(({ makes }) =>
        makes.map(({ asset }) => [asset, pipeline.parsed.name] as const),
      ),
    ),
  );
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
      problems.push({
        ...parsed.yaml.at(path),
        isMissed: true,
        message: `no step makes "${pattern}", so this never starts the pipeline`,
        hint: nearestHint(pattern, assets.keys(), "Assets"),
      });
    }
    startedBy.set(parsed.name, [...causes]);
  }
  problems.push(...pipelines.flatMap(webhookProblems));
  const cycle = findCycle(startedBy);
  const first = pipelines.find((pipeline) => pipeline.parsed.name === cycle?.[0]);
  if (cycle !== undefined && first !== undefined) {
    const path = cycle.toReversed().join(" → ");
    problems.push({
      ...first.parsed.yaml.at(["on", "data"]),
      message: `these pipelines would start each other for ever: ${path}`,
      hint: "Take one of the data triggers out.",
    });
  }
  return problems;
}

/** A webhook is called by `POST /hooks/NAME`, and its secret is a variable of that name. */
function webhookProblems({ parsed }: CompiledPipeline): readonly LocatedProblem[] {
  const value = (parsed.yaml.value as { on?: { webhook?: unknown } }).on?.webhook;
  return parsed.on.webhook.flatMap((name, index) => {
    const message =
      name === "push"
        ? '"push" cannot name a webhook: /hooks/push takes the pushes'
        : /^[A-Za-z*][\w*-]{0,99}$/.test(name)
          ? undefined
          : `"${name}" cannot name a webhook`;
    if (message === undefined) return [];
    return [
      {
        ...parsed.yaml.at(["on", "webhook", ...(Array.isArray(value) ? [index] : [])]),
        message,
        hint: "Letters, digits, _ and -, beginning with a letter, at most 100; * stands for any text.",
      },
    ];
  });
}

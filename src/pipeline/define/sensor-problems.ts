import type { LocatedProblem } from "#base";
import type { Sensing } from "../sensing.ts";
import type { SensorDefinition } from "./definition.ts";
import type { ParsedPipeline } from "./parse-pipeline.ts";
import { placeProblems } from "./place-problems.ts";
import { digestOfSensor } from "./sensors.ts";

/** What is wrong with the sensors of a pipeline: what they look at, and two that look at the same. */
export function sensorProblems(
  { on, yaml }: ParsedPipeline,
  sensing: Pick<Sensing, "check"> | undefined,
): readonly LocatedProblem[] {
  const counts = new Map<SensorDefinition["looksAt"]["kind"], number>();
  const known = new Set<string>();
  return (on.sensors ?? []).flatMap((sensor) => {
    const { kind } = sensor.looksAt;
    const index = counts.get(kind) ?? 0;
    counts.set(kind, index + 1);
    const value = (yaml.value as { on?: Readonly<Record<string, unknown>> }).on?.[kind];
    const place = ["on", kind, ...(Array.isArray(value) ? [index] : [])];
    const isSecond = known.has(digestOfSensor(sensor));
    known.add(digestOfSensor(sensor));
    return placeProblems(yaml, place, [
      ...(sensing?.check(sensor) ?? []),
      ...(isSecond
        ? [{ path: [], message: "another sensor of the pipeline looks at the same", hint: "Take one of them out." }]
        : []),
    ]);
  });
}

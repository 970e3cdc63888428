import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { address } from "../../routes/address.ts";
import { Panel } from "../page.tsx";
import { Digest, Facts } from "../text.tsx";
import { useTrackingText } from "./text.ts";

/** From a run that a pipeline made to the pipeline run, step, data versions and notebook behind it. */
export function EsteiraLinks({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  const tag = (key: string): string | undefined => run.tags.get(`esteira.${key}`);
  const runId = tag("pipeline_run");
  if (runId === undefined) return null;
  const [pipeline, step, stepRun] = [tag("pipeline"), tag("step"), tag("step_run")];
  const inputs = [...run.tags]
    .filter(([key]) => key.startsWith("esteira.input."))
    .map(([key, version]) => [key.slice("esteira.input.".length), version] as const);
  const known = new Set(["project", "pipeline", "step", "pipeline_run", "step_run", "attempt"]);
  const others = [...run.tags].filter(
    ([key]) =>
      key.startsWith("esteira.") && !key.startsWith("esteira.input.") && !known.has(key.slice("esteira.".length)),
  );
  const items: (readonly [string, ReactNode])[] = [
    [
      t("run.title"),
      <Link key="run" to={address.run(runId)}>
        {runId}
      </Link>,
    ],
    ...(pipeline === undefined
      ? []
      : [
          [
            t("run.pipeline"),
            <Link key="pipeline" to={address.pipeline(pipeline)}>
              {pipeline}
            </Link>,
          ] as const,
        ]),
    ...(step === undefined || stepRun === undefined
      ? []
      : [
          [
            t("step.name"),
            <Link key="step" to={address.stepRun(runId, stepRun)}>
              {step}
            </Link>,
          ] as const,
        ]),
    ...(inputs.length === 0
      ? []
      : [
          [
            t("step.inputs"),
            <span key="inputs" className="chips">
              {inputs.map(([name, version]) => (
                <Link key={name} className="chip load-data" to={address.dataset(name, Number(version))}>
                  {name} v{version}
                </Link>
              ))}
            </span>,
          ] as const,
        ]),
    ...others.map(
      ([key, value]) =>
        [
          key.slice("esteira.".length),
          /^sha256:|digest/.test(`${value}${key}`) ? <Digest key={key} digest={value} /> : value,
        ] as const,
    ),
  ];
  return (
    <Panel title={t("run.madeIn")} icon="cycle">
      <Facts items={items} />
    </Panel>
  );
}

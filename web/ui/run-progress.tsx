import type { PipelineRunSummary } from "#api";
import { stepProgress } from "../models/run.ts";
import { useLanguage } from "./language.tsx";
import { Amount } from "./text.tsx";

/** What became of a run's steps, in words: `1 ok · 1 failed · 1 skipped`. */
export function StepOutcomes({ run }: { readonly run: Pick<PipelineRunSummary, "steps" | "isAbandoned"> }) {
  const { t } = useLanguage();
  const { parts, total } = stepProgress(run);
  if (total === 0) return <span className="muted">–</span>;
  return (
    <span className="outcomes">
      {parts.map(({ state, tone, count }) => (
        <Amount
          key={state}
          name={`run.steps.${state}`}
          value={count}
          className={tone === "bad" ? "tone-bad outcome" : "outcome"}
        >
          {t(`steps.${state}`, { count })}
        </Amount>
      ))}
    </span>
  );
}

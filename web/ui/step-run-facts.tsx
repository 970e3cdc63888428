import { Link } from "@tanstack/react-router";
import type { Attempt, CacheReason, PipelineRunDetail, StepRun } from "#api";
import { isOver } from "../models/run.ts";
import { shortDigest, valueText } from "../models/format.ts";
import { address } from "../routes/address.ts";
import { ProblemError } from "../services/api.ts";
import { VersionLinks } from "./asset-links.tsx";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { LogView } from "./log-view.tsx";
import { Problem } from "./page.tsx";
import { useProblemText } from "./problem-text.ts";
import { ReasonText } from "./reason-text.tsx";
import { StateBadge } from "./state.tsx";
import { WaitText } from "./wait-text.tsx";
import { Ago, Command, Copy, Digest, Duration, Facts } from "./text.tsx";

/** Everything about one step run: what it did, what it made, why, and its log. */
export function StepRunFacts({ stepRun, run }: { readonly stepRun: StepRun; readonly run: PipelineRunDetail }) {
  const { t, name } = useLanguage();
  const facts = Object.entries(stepRun.facts);
  const isLive =
    stepRun.status === "running" ||
    (!isOver(run.status) && (stepRun.status === "queued" || stepRun.status === "waiting"));
  return (
    <>
      {stepRun.error !== undefined && <Problem error={new ProblemError(0, stepRun.error)} />}
      {stepRun.reason !== undefined &&
        stepRun.error?.message.startsWith(stepRun.reason) !== true &&
        stepRun.why === undefined && (
          <div className="note">
            <Icon name="dot" size={16} /> {stepRun.reason}
          </div>
        )}
      {stepRun.waitsFor !== undefined && (
        <div className="note">
          <Icon name="clock" size={16} /> <WaitText reason={stepRun.waitsFor} />
        </div>
      )}
      <Facts
        columns={3}
        items={[
          [t("step.kind"), stepRun.kind],
          [t("run.duration"), <Duration key="duration" startMs={stepRun.startedAtMs} endMs={stepRun.endedAtMs} />],
          [t("run.time"), <Ago key="time" atMs={stepRun.startedAtMs} />],
          [t("step.inputs"), <VersionLinks key="inputs" versions={stepRun.inputs} />],
          [t("step.made"), <VersionLinks key="made" versions={stepRun.made} />],
          ...(stepRun.trackingRun === undefined
            ? []
            : [[t("step.trackingRun"), <TrackingRun key="tracking" id={stepRun.trackingRun.runId} />] as const]),
        ]}
      />
      {facts.length > 0 && (
        <section className="step-section">
          <h3>{t("step.facts")}</h3>
          <Facts
            columns={3}
            items={facts.map(
              ([key, value]) =>
                [name("fact", key), <FactValue key={key} name={key} value={value} stepRunId={stepRun.id} />] as const,
            )}
          />
        </section>
      )}
      <Why reasons={stepRun.why ?? []} stepRun={stepRun} />
      <Attempts attempts={stepRun.attempts} />
      {hasLog(stepRun) && (
        <section className="step-section">
          <h3>{t("log.title")}</h3>
          <LogView stepRunId={stepRun.id} isLive={isLive} />
        </section>
      )}
      <section className="step-section">
        <h3>{t("step.inTerminal")}</h3>
        <Command text={stepRun.cached ? `esteira why ${stepRun.step}` : `esteira logs ${run.id} ${stepRun.step}`} />
      </section>
    </>
  );
}

function TrackingRun({ id }: { readonly id: string }) {
  return (
    <span className="digest">
      <Link to={address.trackingRun(id)}>
        <code>{shortDigest(id)}</code>
      </Link>
      <Copy text={id} />
    </span>
  );
}

function hasLog({ cached, status }: StepRun): boolean {
  return !cached && status !== "skipped" && status !== "pending";
}

/** A fact by what it looks like: a digest, a number, names with values, a notebook's version, text. */
function FactValue({
  name,
  value,
  stepRunId,
}: {
  readonly name: string;
  readonly value: unknown;
  readonly stepRunId: string;
}) {
  const { t, format } = useLanguage();
  if (typeof value === "number") return <span className="figure">{format.number(value)}</span>;
  if (typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value)) return <Digest digest={value} length={14} />;
  if (typeof value === "string" && name === "notebookVersionId")
    return <Link to={address.notebook(value, stepRunId)}>{t("fact.openNotebook")}</Link>;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return (
      <span className="chips">
        {Object.entries(value).map(([key, each]) => (
          <span key={key} className="chip">
            <span className="muted">{key}</span> {typeof each === "number" ? format.number(each) : valueText(each)}
          </span>
        ))}
      </span>
    );
  }
  const text = valueText(value);
  return text.length > 160 ? <code title={text}>{text.slice(0, 160)}…</code> : text;
}

function Why({ reasons, stepRun }: { readonly reasons: readonly CacheReason[]; readonly stepRun: StepRun }) {
  const { t } = useLanguage();
  if (reasons.length === 0) return null;
  return (
    <section className="step-section">
      <h3>
        {t(stepRun.cached ? "step.whyCached" : stepRun.startedAtMs === undefined ? "step.whyNot" : "step.whyRun")}
      </h3>
      <ul className="list">
        {reasons.map((reason, index) => (
          <li key={index}>
            <ReasonText reason={reason} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function AttemptError({ error }: { readonly error: NonNullable<Attempt["error"]> }) {
  const { message } = useProblemText(error);
  return (
    <p className="muted">
      {message} <code>{error.code}</code>
    </p>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  const { t, format } = useLanguage();
  if (attempts.length < 2 && attempts.every(({ error }) => error === undefined)) return null;
  return (
    <section className="step-section">
      <h3>{t("step.attempts")}</h3>
      <ul className="list">
        {attempts.map((attempt) => (
          <li key={attempt.id}>
            <b>{attempt.number}</b> <StateBadge state={attempt.status} />{" "}
            <Duration startMs={attempt.startedAtMs} endMs={attempt.endedAtMs} />{" "}
            <span className="muted">
              {[
                attempt.executor,
                attempt.exitCode === undefined ? undefined : t("attempt.exitCode", { code: String(attempt.exitCode) }),
                attempt.signal === undefined ? undefined : attempt.signal,
                attempt.peakMemoryBytes === undefined
                  ? undefined
                  : t("attempt.memory", { size: format.bytes(attempt.peakMemoryBytes) }),
              ]
                .filter((part) => part !== undefined)
                .join(" · ")}
            </span>
            {attempt.error !== undefined && <AttemptError error={attempt.error} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

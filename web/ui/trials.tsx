import type { EndpointTrial, TrialArm, TrialCheck } from "#api";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { message, type MessageParams } from "../messages/messages.ts";
import { trialsEn } from "../messages/trials-en.ts";
import { trialsPtBr } from "../messages/trials-pt-br.ts";
import type { Format } from "../models/format.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { CommandButton } from "./command-button.tsx";
import { useLanguage } from "./language.tsx";
import { Empty, Panel } from "./page.tsx";
import { StateBadge } from "./state.tsx";

const STATES = { promoted: "succeeded", aborted: "failed", ended: "closed", replaced: "superseded" } as const;
const CHECK_STATES = { passed: "succeeded", failed: "failed", open: "waiting" } as const;

type TrialKey = keyof typeof trialsEn;

/** Messages of trials: they come with this page, not with the start. */
function useTrialText(): { readonly t: (key: TrialKey, params?: MessageParams) => string; readonly format: Format } {
  const { language, format } = useLanguage();
  return useMemo(() => {
    const messages: Readonly<Record<TrialKey, string>> = language === "en" ? trialsEn : trialsPtBr;
    return { t: (key, params) => message({ language, messages }, key, params), format };
  }, [language, format]);
}

interface TrialsProps {
  readonly environment: string;
  readonly name: string;
  readonly trials: readonly EndpointTrial[];
}

/** The trials of an endpoint: both arms side by side, what the candidate must show, and the buttons that end one. */
export function TrialsView({ environment, name, trials }: TrialsProps) {
  const { t } = useTrialText();
  if (trials.length === 0) return <Empty icon="release" title={t("trial.empty.title")} text={t("trial.empty.text")} />;
  return (
    <>
      {trials.map((trial) => (
        <TrialPanel key={trial.startedAtMs} trial={trial} place={{ environment, name }} />
      ))}
    </>
  );
}

interface TrialPanelProps {
  readonly trial: EndpointTrial;
  readonly place: { readonly environment: string; readonly name: string };
}

function TrialPanel({ trial, place }: TrialPanelProps) {
  const { t, format } = useTrialText();
  const share = trial.percent === undefined ? "" : ` ${format.percent(trial.percent / 100, 0)}`;
  const candidate = trial.arms.find(({ arm }) => arm === "candidate");
  const failed = candidate?.failures.reduce((sum, { count }) => sum + count, 0) ?? 0;
  return (
    <Panel title={`${t(`trialKind.${trial.kind}`)}${share} · ${format.dateTime(trial.startedAtMs)}`} icon="release">
      <p>
        <StateBadge state={trial.outcome === undefined ? "running" : STATES[trial.outcome]} />{" "}
        <strong>{t(`trialOutcome.${trial.outcome ?? "open"}`)}</strong>{" "}
        {t(`trialReason.${trial.reason}`, {
          requests: format.number(candidate?.requests ?? 0, 0),
          failed: format.number(failed, 0),
          needed: format.number(trial.minRequests, 0),
          until: format.dateTime(trial.untilMs),
          subject: trial.checks.find(({ name }) => name === "alerts")?.subject ?? "",
        })}
      </p>
      <Routing trial={trial} />
      {trial.outcome === undefined && candidate !== undefined && <TrialButtons place={place} candidate={candidate} />}
      <ArmTable arms={trial.arms} />
      <p className="muted">{t("trial.approximate")}</p>
      {trial.checks.length > 0 && <CheckTable checks={trial.checks} />}
      {trial.comparison !== undefined && (
        <p className="muted">
          {t("trial.comparison", {
            rows: format.number(trial.comparison.rows, 0),
            difference: format.number(trial.comparison.meanDifference, 4),
            equal: format.percent(trial.comparison.agreedShare, 1),
          })}
        </p>
      )}
    </Panel>
  );
}

/** How requests come to the candidate, where its share alone does not say it. */
function Routing({ trial: { header, steps } }: Pick<TrialPanelProps, "trial">) {
  const { t, format } = useTrialText();
  return (
    <>
      {header !== undefined && <p className="muted">{t("trial.header", { header })}</p>}
      {steps !== undefined && (
        <p className="muted">
          {t("trial.steps", { steps: steps.map((step) => format.percent(step / 100, 0)).join(" → ") })}
        </p>
      )}
    </>
  );
}

function TrialButtons({ place, candidate }: Pick<TrialPanelProps, "place"> & { readonly candidate: TrialArm }) {
  const { t } = useTrialText();
  const model = `${candidate.model} v${candidate.modelVersion}`;
  return (
    <p style={{ display: "flex", gap: 8 }}>
      <CommandButton
        size="xs"
        icon="release"
        label={t("trial.promote")}
        action="deploy"
        done={t("trial.promoted")}
        run={() => commands.promoteTrial(place)}
        confirm={{ title: t("trial.promote.title", { model }), content: <p>{t("trial.promote.text")}</p> }}
      />
      <CommandButton
        size="xs"
        icon="back"
        variant="danger"
        label={t("trial.abort")}
        action="rollback"
        done={t("trial.aborted")}
        run={() => commands.abortTrial(place)}
        confirm={{ title: t("trial.abort.title", { model }), content: <p>{t("trial.abort.text")}</p> }}
      />
    </p>
  );
}

function ArmTable({ arms }: { readonly arms: readonly TrialArm[] }) {
  const { t } = useTrialText();
  const metric = arms.find((arm) => arm.metric !== undefined)?.metric?.name;
  return (
    <table className="plain-table">
      <thead>
        <tr>
          {(["arm", "version", "requests", "rows", "failures", "p50", "p95", "p99"] as const).map((column) => (
            <th
              key={column}
              scope="col"
              style={{
                textAlign: column === "arm" || column === "version" || column === "failures" ? "left" : "right",
              }}
            >
              {t(`trialColumn.${column}`)}
            </th>
          ))}
          {metric !== undefined && (
            <>
              <th scope="col" style={{ textAlign: "right" }}>
                {t("trialColumn.labelled")}
              </th>
              <th scope="col" style={{ textAlign: "right" }}>
                {metric}
              </th>
            </>
          )}
        </tr>
      </thead>
      <tbody>
        {arms.map((arm) => (
          <ArmRow key={arm.arm} arm={arm} hasMetric={metric !== undefined} />
        ))}
      </tbody>
    </table>
  );
}

function CheckTable({ checks }: { readonly checks: readonly TrialCheck[] }) {
  const { t } = useTrialText();
  return (
    <table className="plain-table">
      <thead>
        <tr>
          {(["check", "state", "value", "between", "limit", "needed"] as const).map((column) => (
            <th
              key={column}
              scope="col"
              style={{ textAlign: column === "check" || column === "state" ? "left" : "right" }}
            >
              {t(`trialShown.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {checks.map((check) => (
          <CheckRow key={check.name} check={check} />
        ))}
      </tbody>
    </table>
  );
}

function CheckRow({ check }: { readonly check: TrialCheck }) {
  const { t, format } = useTrialText();
  const right = { textAlign: "right" } as const;
  const { name, state, value, low, high, limit, count, needed, subject } = check;
  const say = (number: number | undefined): string => (number === undefined ? "–" : sayNumber(format, name, number));
  return (
    <tr>
      <td>
        {t(`trialCheck.${name}`)}
        {subject !== undefined && ` (${subject})`}
      </td>
      <td>
        <StateBadge state={CHECK_STATES[state]} /> {t(`trialState.${state}`)}
      </td>
      <td style={right}>{say(value)}</td>
      <td style={right}>{low === undefined && high === undefined ? "–" : `${say(low)} … ${say(high)}`}</td>
      <td style={right}>{say(limit)}</td>
      <td style={right}>
        {count === undefined ? "–" : format.number(count, 0)}
        {needed !== undefined && ` / ${format.number(needed, 0)}`}
      </td>
    </tr>
  );
}

function sayNumber(format: Format, name: TrialCheck["name"], value: number): string {
  if (name === "errors" || name === "outputs") return format.percent(value, 1);
  if (name === "latency") return `${format.number(value, 1)} ms`;
  return format.number(value, name === "requests" ? 0 : 4);
}

function ArmRow({ arm, hasMetric }: { readonly arm: TrialArm; readonly hasMetric: boolean }) {
  const { t, format } = useTrialText();
  const right = { textAlign: "right" } as const;
  const milliseconds = (value: number | undefined): string =>
    value === undefined ? "–" : `${format.number(value, 1)} ms`;
  return (
    <tr>
      <td>{t(`trialArm.${arm.arm}`)}</td>
      <td>
        <Link to={address.modelVersion(arm.model, arm.modelVersion)}>{`${arm.model} v${arm.modelVersion}`}</Link>
      </td>
      <td style={right}>{format.number(arm.requests, 0)}</td>
      <td style={right}>{format.number(arm.rows, 0)}</td>
      <td>
        {arm.failures.length === 0
          ? "0"
          : arm.failures.map(({ code, count }) => `${format.number(count, 0)} ${code}`).join(", ")}
      </td>
      <td style={right}>{milliseconds(arm.p50Ms)}</td>
      <td style={right}>{milliseconds(arm.p95Ms)}</td>
      <td style={right}>{milliseconds(arm.p99Ms)}</td>
      {hasMetric && (
        <>
          <td style={right}>{format.number(arm.metric?.rows ?? 0, 0)}</td>
          <td style={right}>{arm.metric === undefined ? "–" : format.number(arm.metric.value, 4)}</td>
        </>
      )}
    </tr>
  );
}

import type { EndpointTrial, TrialArm } from "#api";
import { Link } from "@tanstack/react-router";
import { address } from "../routes/address.ts";
import { useLanguage } from "./language.tsx";
import { Empty, Panel } from "./page.tsx";
import { StateBadge } from "./state.tsx";

const STATES = { promoted: "succeeded", aborted: "failed", ended: "closed", replaced: "superseded" } as const;

/** The trials of an endpoint: what each arm did, and why the trial ended or goes on. */
export function TrialsView({ trials }: { readonly trials: readonly EndpointTrial[] }) {
  const { t } = useLanguage();
  if (trials.length === 0) return <Empty icon="release" title={t("trial.empty.title")} text={t("trial.empty.text")} />;
  return (
    <>
      {trials.map((trial) => (
        <TrialPanel key={trial.startedAtMs} trial={trial} />
      ))}
    </>
  );
}

function TrialPanel({ trial }: { readonly trial: EndpointTrial }) {
  const { t, format } = useLanguage();
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
        })}
      </p>
      <table className="plain-table">
        <thead>
          <tr>
            {(["arm", "version", "requests", "rows", "failures", "p50", "p95"] as const).map((column) => (
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
          </tr>
        </thead>
        <tbody>
          {trial.arms.map((arm) => (
            <ArmRow key={arm.arm} arm={arm} />
          ))}
        </tbody>
      </table>
      <p className="muted">{t("trial.approximate")}</p>
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

function ArmRow({ arm }: { readonly arm: TrialArm }) {
  const { t, format } = useLanguage();
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
    </tr>
  );
}

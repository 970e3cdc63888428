import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Alert, FailedRun, Overview, PendingApproval, PipelineRunSummary, Release } from "#api";
import { deployedItem } from "../models/release-changes.ts";
import { lastLine, runState, stepProgress } from "../models/run.ts";
import { endpointState } from "../models/endpoint.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { BeltView } from "../ui/belt.tsx";
import { CommandButton } from "../ui/command-button.tsx";
import { useLanguage } from "../ui/language.tsx";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { useProblemText } from "../ui/problem-text.ts";
import { StepOutcomes } from "../ui/run-progress.tsx";
import { ShownOf } from "../ui/shown-of.tsx";
import { StateBadge } from "../ui/state.tsx";
import { Ago, Amount, Digest, RunDuration } from "../ui/text.tsx";

const PROBLEMS_SHOWN = 5;

/** The cycle itself, live. */
export function HomePage() {
  const { t } = useLanguage();
  const overview = useQuery(queries.overview());
  return (
    <Page title={t("home.title")} subtitle={t("home.subtitle")}>
      <Read result={overview} lines={8}>
        {(data) => (
          <>
            <BeltView overview={data} />
            {data.pipelineCount === 0 ? (
              <Empty icon="cycle" title={t("home.empty.title")} text={t("home.empty.text")} command="esteira init" />
            ) : (
              <div className="home-grid">
                <RunsPanel overview={data} />
                <div className="home-side">
                  <AttentionPanel overview={data} />
                  <EndpointsPanel overview={data} />
                  <ReleasesPanel releases={data.releases} />
                </div>
              </div>
            )}
          </>
        )}
      </Read>
    </Page>
  );
}

function RunsPanel({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  return (
    <Panel
      title={t("home.runs")}
      icon="bolt"
      flush
      actions={<Link to={address.pipelines()}>{t("home.allPipelines")}</Link>}
    >
      {overview.runs.length === 0 ? (
        <Empty icon="play" title={t("home.noRuns.title")} text={t("home.noRuns.text")} command="esteira run PIPELINE" />
      ) : (
        <ul className="run-list">
          {overview.runs.map((run) => (
            <RunLine key={run.id} run={run} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function RunLine({ run }: { readonly run: PipelineRunSummary }) {
  const { t, name } = useLanguage();
  const progress = stepProgress(run);
  return (
    <li>
      <Link to={address.run(run.id)} className="run-line">
        <StateBadge state={runState(run)} />
        <span className="run-line-name">{run.pipeline}</span>
        <span className="muted run-line-cause">
          {name("cause", run.trigger.on)}
          {run.trigger.subject !== undefined && ` · ${run.trigger.subject}`}
        </span>
        <span className="run-line-time">
          {run.endedAtMs === undefined ? <RunDuration run={run} /> : <Ago atMs={run.endedAtMs} />}
        </span>
        <span className="run-line-steps muted">
          <StepOutcomes run={run} />
          <span
            className="progress"
            role="img"
            aria-label={t("home.progress", { done: progress.done, total: progress.total })}
          >
            {progress.parts.map((part) => (
              <span key={part.state} className={`progress-part tone-${part.tone}`} style={{ flexGrow: part.count }} />
            ))}
          </span>
        </span>
        {run.blocked !== undefined && <span className="run-line-note">{run.blocked}</span>}
      </Link>
    </li>
  );
}

function AttentionPanel({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  const problems = overview.problems ?? [];
  const count =
    (overview.damage?.count ?? 0) +
    problems.length +
    overview.failedRuns.length +
    overview.openAlerts.length +
    overview.pendingApprovals.length;
  return (
    <Panel title={t("home.attention")} icon="alert" flush>
      {count === 0 ? (
        <p className="panel-note">{t("home.noAttention")}</p>
      ) : (
        <ul className="attention-list">
          {overview.damage !== undefined && (
            <li className="panel-note" role="status">
              <strong>{t("home.damage", { count: overview.damage.count })}</strong>
              {overview.damage.files.map(({ file, problem }) => (
                <div key={file}>
                  <code>{file}</code> {problem}
                </div>
              ))}
            </li>
          )}
          {problems.length > 0 && (
            <li className="panel-note" role="status">
              <strong>{t("home.problems", { count: problems.length })}</strong>
              {problems.slice(0, PROBLEMS_SHOWN).map((problem) => (
                <div key={`${problem.file}:${problem.line}:${problem.column} ${problem.message}`}>
                  <code>{`${problem.file}:${problem.line}:${problem.column}`}</code> {problem.message}
                </div>
              ))}
              {problems.length > PROBLEMS_SHOWN && (
                <div>{t("home.moreProblems", { shown: PROBLEMS_SHOWN, count: problems.length })}</div>
              )}
            </li>
          )}
          {overview.failedRuns.map((failed) => (
            <FailureLine key={failed.run.id} failed={failed} />
          ))}
          {overview.pendingApprovals.map((approval) => (
            <ApprovalLine key={approval.key} approval={approval} />
          ))}
          <MoreOf
            shown={overview.pendingApprovals.length}
            total={overview.pendingApprovalCount}
            to={address.approvals()}
          />
          {overview.openAlerts.map((alert) => (
            <AlertLine key={alert.id} alert={alert} />
          ))}
          <MoreOf shown={overview.openAlerts.length} total={overview.openAlertCount} to={address.alerts()} />
        </ul>
      )}
    </Panel>
  );
}

function MoreOf(props: { readonly shown: number; readonly total: number; readonly to: string }) {
  return props.shown >= props.total ? null : (
    <li>
      <ShownOf {...props} />
    </li>
  );
}

/** A pipeline that did not end well: why, in its last line, and what a person can do about it. */
function FailureLine({ failed }: { readonly failed: FailedRun }) {
  const { t } = useLanguage();
  const { run, step, stepRunId, error } = failed;
  const title =
    run.status === "interrupted"
      ? t("home.interruptedRun", { pipeline: run.pipeline })
      : step === undefined
        ? t("home.failedRun", { pipeline: run.pipeline })
        : t("home.failed", { pipeline: run.pipeline, step });
  return (
    <li>
      <StateBadge state={run.status} />
      <div>
        <Link to={stepRunId === undefined ? address.run(run.id) : address.stepRun(run.id, stepRunId)}>{title}</Link>
        <p className="muted">
          {error !== undefined && <FailureReason error={error} />} · <Ago atMs={run.endedAtMs} />
        </p>
        <div className="line-actions">
          <CommandButton
            size="xs"
            label={t("home.retry")}
            icon="resume"
            action="run"
            run={() => commands.resumeRun(run.id)}
            done={t("run.resumed")}
          />
          <CommandButton
            size="xs"
            label={t("alert.acknowledge")}
            icon="check"
            action="acknowledge"
            run={() => commands.acknowledgeRun(run.id)}
            done={t("alert.acknowledged")}
          />
        </div>
      </div>
    </li>
  );
}

function FailureReason({ error }: { readonly error: NonNullable<FailedRun["error"]> }) {
  const { message } = useProblemText(error);
  return <span className="reason">{lastLine(message)}</span>;
}

function ApprovalLine({ approval }: { readonly approval: PendingApproval }) {
  const { t } = useLanguage();
  return (
    <li>
      <StateBadge state="waiting" />
      <div>
        <Link to={address.approvals()}>
          {t("home.approvalFor", { subject: approval.subject, environment: approval.environment })}
        </Link>
        <p className="muted">
          <Digest digest={approval.digest} /> · <Ago atMs={approval.sinceMs} />
        </p>
      </div>
    </li>
  );
}

function AlertLine({ alert }: { readonly alert: Alert }) {
  const { t, format } = useLanguage();
  return (
    <li>
      <StateBadge state="alert" />
      <div>
        <Link
          to={alert.environment === undefined ? address.alerts() : address.endpoint(alert.environment, alert.subject)}
        >
          {alert.monitor}
        </Link>
        <p className="muted">
          {t(alert.alertWhen === "above" ? "alert.above" : "alert.below", {
            metric: alert.metric,
            value: format.number(alert.value),
            threshold: format.number(alert.threshold),
          })}{" "}
          · <Ago atMs={alert.atMs} />
        </p>
      </div>
    </li>
  );
}

function EndpointsPanel({ overview }: { readonly overview: Overview }) {
  const { t, format } = useLanguage();
  const { endpoints } = overview;
  if (endpoints.length === 0) return null;
  return (
    <Panel title={t("nav.endpoints")} icon="endpoint" flush>
      <ul className="attention-list">
        {endpoints.map((endpoint) => (
          <li key={`${endpoint.environment}/${endpoint.name}`}>
            <StateBadge state={endpointState(endpoint)} />
            <div>
              <Link to={address.endpoint(endpoint.environment, endpoint.name)}>
                {endpoint.name} <span className="muted">{endpoint.environment}</span>
              </Link>
              <p className="muted">
                {endpoint.model !== undefined && `${endpoint.model} v${endpoint.modelVersion ?? "?"} · `}
                <Amount name="endpoint.predictions" value={endpoint.predictionCount}>
                  {t("endpoint.predictionCount", { count: endpoint.predictionCount })}
                </Amount>
                {endpoint.predictionCount > 0 &&
                  ` · ${t("endpoint.labelled", { share: format.percent(endpoint.labelledCount / endpoint.predictionCount, 0) })}`}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function ReleasesPanel({ releases }: { readonly releases: readonly Release[] }) {
  const { t } = useLanguage();
  if (releases.length === 0) return null;
  return (
    <Panel
      title={t("home.releases")}
      icon="release"
      flush
      actions={<Link to={address.releases()}>{t("home.allReleases")}</Link>}
    >
      <ul className="attention-list">
        {releases.map((release) => (
          <li key={release.id}>
            <StateBadge state={release.status} />
            <div>
              <span>
                {release.asset}{" "}
                <Amount
                  name="release.version"
                  value={deployedItem(release)?.version}
                >{`v${deployedItem(release)?.version ?? "?"}`}</Amount>{" "}
                → {release.environment}
              </span>
              <p className="muted">
                {release.isRollback && `${t("release.rollback")} · `}
                {release.actor} · <Ago atMs={release.atMs} />
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Approval, PendingApproval } from "#api";
import { metricNames } from "../models/metrics.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { CommandButton } from "./command-button.tsx";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { Panel } from "./page.tsx";
import { WhatDiffers } from "./recipe-difference.tsx";
import { StateBadge } from "./state.tsx";
import { Ago, Digest, Facts } from "./text.tsx";

/** A decision that is waited for: what exactly is approved, for where, and the two buttons. */
export function PendingApprovalCard({ approval }: { readonly approval: PendingApproval }) {
  const { t, name } = useLanguage();
  const title = `${approval.subject} → ${approval.environment}`;
  return (
    <Panel title={title} icon="approval" className="approval" actions={<StateBadge state="waiting" />}>
      {approval.reason !== undefined && <p style={{ marginBottom: 12 }}>{approval.reason}</p>}
      <Facts
        columns={3}
        items={[
          [
            t("approval.what"),
            approval.versionId === undefined ? (
              name("assetKind", approval.subjectKind)
            ) : (
              <Link key="what" to={address.lineage(approval.versionId)}>
                {t("approval.open")}
              </Link>
            ),
          ],
          [t("approval.digest"), <Digest key="digest" digest={approval.digest} length={16} />],
          [t("approval.given"), t("approval.count", { given: approval.given, required: approval.required })],
          [t("approval.author"), approval.author ?? "–"],
          [t("approval.since"), <Ago key="since" atMs={approval.sinceMs} />],
          [
            t("run.title"),
            approval.pipelineRunId === undefined ? (
              "–"
            ) : (
              <Link key="run" to={address.run(approval.pipelineRunId)}>
                {approval.pipelineRunId.slice(-10)}
              </Link>
            ),
          ],
        ]}
      />
      {approval.evidence !== undefined && <Evidence evidence={approval.evidence} />}
      <WhatDiffers approval={approval} />
      {approval.mayApprove ? <Decide approval={approval} /> : <MayNot approval={approval} />}
    </Panel>
  );
}

const METRICS_SHOWN = 6;

/** What the decision is about, without leaving the card. */
function Evidence({ evidence }: { readonly evidence: NonNullable<PendingApproval["evidence"]> }) {
  const { t, format } = useLanguage();
  const metrics = metricNames([evidence.metrics]).slice(0, METRICS_SHOWN);
  return (
    <div className="approval-evidence">
      <p className="chips">
        <Link
          to={`${address.modelVersion(evidence.model, evidence.modelVersion)}?tab=verdict`}
        >{`${evidence.model} v${evidence.modelVersion}`}</Link>{" "}
        <StateBadge state={evidence.verdict} />
        {evidence.notebookVersionId !== undefined && (
          <Link to={`${address.notebook(evidence.notebookVersionId)}?only=changed`}>{t("approval.diff")}</Link>
        )}
      </p>
      {metrics.length > 0 && (
        <table className="key-table">
          <thead>
            <tr>
              <th scope="col">{t("model.metric")}</th>
              <td>{`v${evidence.modelVersion}`}</td>
              {evidence.championVersion !== undefined && (
                <td>{t("model.championLine", { version: evidence.championVersion })}</td>
              )}
            </tr>
          </thead>
          <tbody>
            {metrics.map((metric) => {
              const before = evidence.championMetrics[metric];
              return (
                <tr key={metric}>
                  <th scope="row">{metric}</th>
                  <td className="figure" data-figure={`approval.${metric}`} data-value={evidence.metrics[metric]}>
                    {format.number(evidence.metrics[metric] ?? 0)}
                  </td>
                  {evidence.championVersion !== undefined && (
                    <td className="figure">{before === undefined ? "–" : format.number(before)}</td>
                  )}
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </div>
  );
}

function Decide({ approval }: { readonly approval: PendingApproval }) {
  const { t } = useLanguage();
  const [comment, setComment] = useState("");
  const decide = (decision: "approved" | "refused") => () =>
    commands.decide({
      decision,
      subjectKind: approval.subjectKind,
      digest: approval.digest,
      environment: approval.environment,
      ...(comment === "" ? {} : { comment }),
    });
  const shared = { action: "approve" as const };
  return (
    <div className="approval-decide">
      <label className="label">
        {t("approval.comment")}
        <input className="field" value={comment} onChange={(event) => setComment(event.target.value)} />
      </label>
      <CommandButton
        {...shared}
        label={t("approval.approve")}
        icon="check"
        variant="filled"
        run={decide("approved")}
        done={t("approval.approved")}
        confirm={{
          title: t("approval.approve.title", { environment: approval.environment }),
          content: (
            <p>{t("approval.approve.text", { subject: approval.subject, digest: approval.digest.slice(0, 23) })}</p>
          ),
        }}
      />
      <CommandButton
        {...shared}
        label={t("approval.refuse")}
        icon="cross"
        variant="danger"
        run={decide("refused")}
        done={t("approval.refused")}
        confirm={{
          title: t("approval.refuse.title"),
          content: <p>{t("approval.refuse.text", { subject: approval.subject })}</p>,
        }}
      />
    </div>
  );
}

function MayNot({ approval }: { readonly approval: PendingApproval }) {
  const { t, name } = useLanguage();
  return (
    <div className="note tone-waiting" style={{ margin: "14px 0 0" }}>
      <Icon name="approval" size={16} />
      <span>
        {approval.mayNotReason === undefined ? t("approval.mayNot") : name("mayNot", approval.mayNotReason)}{" "}
        <code>
          esteira approve {approval.digest.slice(0, 19)} --environment {approval.environment}
        </code>
      </span>
    </div>
  );
}

/** Decisions that were given. */
export function ApprovalList({ approvals }: { readonly approvals: readonly Approval[] }) {
  const { t, name } = useLanguage();
  return (
    <ul className="attention-list">
      {approvals.map((approval) => (
        <li key={approval.id}>
          <StateBadge state={approval.decision} />
          <div>
            <span>
              {name("assetKind", approval.subjectKind)} <b>{approval.subject ?? ""}</b>{" "}
              {approval.environment !== undefined && `→ ${approval.environment}`} <Digest digest={approval.digest} />
            </span>
            <p className="muted">
              {approval.actor} · <Ago atMs={approval.atMs} />
              {approval.comment !== undefined && ` · “${approval.comment}”`}
              {approval.revokedAtMs !== undefined && ` · ${t("approval.revoked")}`}
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

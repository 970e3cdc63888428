import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { ModelVersionRecord } from "#api";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { ApprovalList, PendingApprovalCard } from "../ui/approvals.tsx";
import { VersionLinks } from "../ui/asset-links.tsx";
import { Icon } from "../ui/icon.tsx";
import { KeyTable } from "../ui/key-table.tsx";
import { useLanguage } from "../ui/language.tsx";
import { LineageView } from "../ui/lineage-view.tsx";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { StateBadge } from "../ui/state.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Ago, Command, Digest, Facts } from "../ui/text.tsx";
import { VerdictView } from "../ui/verdict.tsx";

export function ModelVersionPage() {
  const { t } = useLanguage();
  const { name, version } = useParams({ strict: false }) as { name: string; version: string };
  const record = useQuery(queries.modelVersion(name, Number(version)));
  return (
    <Page
      title={<Title name={name} version={version} record={record.data} />}
      plainTitle={`${name} v${version}`}
      crumbs={[
        { label: t("nav.models"), to: address.models() },
        { label: name, to: address.model(name) },
      ]}
      subtitle={record.data !== undefined && <Subtitle record={record.data} />}
    >
      <Read result={record} lines={8}>
        {(data) => (
          <>
            {data.pendingApprovals.map((pending) => (
              <PendingApprovalCard key={pending.key} approval={pending} />
            ))}
            <Tabs
              label={t("model.record")}
              tabs={[
                { key: "record", label: t("model.record"), content: () => <RecordTab record={data} /> },
                {
                  key: "verdict",
                  label: t("model.verdict"),
                  content: () =>
                    data.testVerdict === undefined ? (
                      <Empty icon="test" title={t("verdict.empty.title")} text={t("verdict.empty.text")} />
                    ) : (
                      <VerdictView verdict={data.testVerdict} version={data.version} />
                    ),
                },
                {
                  key: "lineage",
                  label: t("lineage.title"),
                  content: () => (
                    <Panel title={t("lineage.from")} icon="pipeline" flush>
                      <LineageView graph={data.lineage} />
                    </Panel>
                  ),
                },
                {
                  key: "approvals",
                  label: t("nav.approvals"),
                  count: String(data.approvals.length),
                  content: () => <ApprovalsTab record={data} />,
                },
                {
                  key: "deployments",
                  label: t("model.deployments"),
                  count: String(data.deployments.length),
                  content: () => <Deployments record={data} />,
                },
                { key: "environment", label: t("model.environment"), content: () => <EnvironmentTab record={data} /> },
              ]}
            />
          </>
        )}
      </Read>
    </Page>
  );
}

function Title({
  name,
  version,
  record,
}: {
  readonly name: string;
  readonly version: string;
  readonly record: ModelVersionRecord | undefined;
}) {
  return (
    <span className="title-row">
      {name} v{version}
      {record !== undefined && <StateBadge state={record.verdict} />}
      {record?.aliases.map((alias) => (
        <span key={alias} className="alias">
          {alias}
        </span>
      ))}
    </span>
  );
}

function Subtitle({ record }: { readonly record: ModelVersionRecord }) {
  const { t, name } = useLanguage();
  return (
    <>
      {record.task !== undefined && <span>{name("task", record.task)}</span>}
      {record.actor !== undefined && <span>{t("run.by", { actor: record.actor })}</span>}
      <Ago atMs={record.madeAtMs} />
      <Digest digest={record.digest} length={16} />
    </>
  );
}

function RecordTab({ record }: { readonly record: ModelVersionRecord }) {
  const { t, format } = useLanguage();
  const metrics = Object.entries(record.metrics);
  const parameters = Object.entries(record.hyperparameters);
  return (
    <div className="grid-main">
      <div>
        <OriginPanel record={record} />
        <Panel title={t("model.signature")} icon="code">
          <Facts
            columns={2}
            items={[
              [t("model.inputs"), <Columns key="in" columns={record.inputs} />],
              [t("model.outputs"), <Columns key="out" columns={record.outputs} />],
            ]}
          />
        </Panel>
      </div>
      <div>
        <Panel title={t("model.metrics")} icon="dashboard">
          {metrics.length === 0 ? (
            <span className="muted">–</span>
          ) : (
            <KeyTable
              rows={metrics.map(([name, value]) => [
                name,
                <span key={name} className="figure">
                  {format.number(value, 5)}
                </span>,
              ])}
            />
          )}
        </Panel>
        <Panel title={t("model.hyperparameters")} icon="features">
          {parameters.length === 0 ? (
            <span className="muted">–</span>
          ) : (
            <KeyTable rows={parameters.map(([name, value]) => [name, <code key={name}>{value}</code>])} />
          )}
        </Panel>
        <Panel title={t("model.files")} icon="file">
          <KeyTable
            rows={record.files.map((file) => [
              file.path,
              <span key={file.path} className="chips">
                {format.bytes(file.sizeBytes)} <Digest digest={file.digest} length={8} />
              </span>,
            ])}
          />
        </Panel>
      </div>
    </div>
  );
}

function OriginPanel({ record }: { readonly record: ModelVersionRecord }) {
  const { t } = useLanguage();
  const none = <span className="muted">–</span>;
  const { notebook, commit } = record;
  const notebookLink: ReactNode =
    notebook === undefined ? (
      none
    ) : (
      <span className="chips">
        {notebook.versionId === undefined ? (
          (notebook.path ?? notebook.asset)
        ) : (
          <Link to={address.notebook(notebook.versionId, notebook.stepRunId)}>
            {notebook.path ?? notebook.asset ?? t("assetKind.notebook")}
          </Link>
        )}
        <Digest digest={notebook.sourceDigest} />
      </span>
    );
  return (
    <Panel title={t("model.origin")} icon="pipeline">
      <Facts
        columns={2}
        items={[
          [t("model.trainingData"), <VersionLinks key="train" versions={record.trainingData} />],
          [t("model.testData"), <VersionLinks key="test" versions={record.testData} />],
          [t("model.features"), <VersionLinks key="features" versions={record.features} />],
          [t("assetKind.notebook"), notebookLink],
          [
            t("assetKind.commit"),
            commit === undefined ? (
              none
            ) : (
              <span key="commit" className="chips">
                <Icon name="commit" size={14} />
                <Digest digest={commit.id} />
                {commit.dirty && <span className="chip">{t("commit.dirty")}</span>}
              </span>
            ),
          ],
          [
            t("run.title"),
            record.pipelineRunId === undefined ? (
              none
            ) : (
              <Link key="run" to={address.run(record.pipelineRunId)}>
                {record.pipelineRunId}
              </Link>
            ),
          ],
          [
            t("step.trackingRun"),
            record.trackingRun === undefined ? (
              none
            ) : (
              <Link key="tracking" to={address.trackingRun(record.trackingRun.runId)}>
                <code>{record.trackingRun.runId.slice(0, 12)}</code>
              </Link>
            ),
          ],
          [t("model.label"), record.label === undefined ? none : <code key="label">{record.label}</code>],
          [
            t("model.environment"),
            record.environmentLock === undefined ? none : <Digest key="lock" digest={record.environmentLock.digest} />,
          ],
          [t("model.runtime"), record.runtime ?? none],
        ]}
      />
      <p style={{ marginTop: 14 }}>
        <Command text={`esteira lineage ${record.assetVersionId}`} />
      </p>
    </Panel>
  );
}

function Columns({ columns }: { readonly columns: readonly { readonly name: string; readonly type: string }[] }) {
  if (columns.length === 0) return <>–</>;
  return (
    <span className="chips">
      {columns.map((column) => (
        <span key={column.name} className="chip">
          {column.name} <span className="muted">{column.type}</span>
        </span>
      ))}
    </span>
  );
}

function ApprovalsTab({ record }: { readonly record: ModelVersionRecord }) {
  const { t } = useLanguage();
  if (record.approvals.length === 0)
    return <Empty icon="approval" title={t("approvals.none.title")} text={t("approvals.none.text")} />;
  return (
    <Panel title={t("approvals.given")} icon="approval" flush>
      <ApprovalList approvals={record.approvals} />
    </Panel>
  );
}

function Deployments({ record }: { readonly record: ModelVersionRecord }) {
  const { t } = useLanguage();
  if (record.deployments.length === 0)
    return <Empty icon="deploy" title={t("deployments.empty.title")} text={t("deployments.empty.text")} />;
  return (
    <Panel title={t("model.deployments")} icon="release" flush>
      <ul className="attention-list">
        {record.deployments.map((deployment) => (
          <li key={deployment.releaseId}>
            <StateBadge state={deployment.status} />
            <div>
              <b>{deployment.environment}</b>
              <p className="muted">
                {deployment.actor} · <Ago atMs={deployment.atMs} />
                {deployment.untilMs !== undefined && (
                  <>
                    {" "}
                    → <Ago atMs={deployment.untilMs} />
                  </>
                )}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function EnvironmentTab({ record }: { readonly record: ModelVersionRecord }) {
  const { t } = useLanguage();
  const lock = record.environmentLock;
  if (lock === undefined)
    return <Empty icon="code" title={t("environmentLock.empty.title")} text={t("environmentLock.empty.text")} />;
  return (
    <Panel
      title={lock.python === undefined ? t("model.environment") : `Python ${lock.python}`}
      icon="code"
      actions={<Digest digest={lock.digest} length={16} />}
    >
      <pre className="code-block" tabIndex={0}>
        {lock.lock ?? lock.digest}
      </pre>
    </Panel>
  );
}

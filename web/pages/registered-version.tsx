import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { loadSnippet } from "../models/tracking/mlmodel.ts";
import { toMap, userTags } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { trackingCommands } from "../services/tracking-commands.ts";
import { type RegisteredVersion, trackingQueries } from "../services/tracking-queries.ts";
import { ApprovalList, PendingApprovalCard } from "../ui/approvals.tsx";
import { Page, Panel, Read } from "../ui/page.tsx";
import { Ago, Digest, Facts } from "../ui/text.tsx";
import { ActionButton } from "../ui/tracking/action-button.tsx";
import { Snippet } from "../ui/tracking/logged-model-card.tsx";
import { DescriptionPanel, TagsPanel } from "../ui/tracking/tags.tsx";
import { useTrackingText } from "../ui/tracking/text.ts";
import { Verdict } from "./registered-model.tsx";
import "../ui/tracking/tracking.css";

export function RegisteredVersionPage() {
  const { t } = useTrackingText();
  const { name, version } = useParams({ strict: false }) as { name: string; version: string };
  const found = useQuery(trackingQueries.registeredVersion(name, version));
  const key = { name, version };
  return (
    <Page
      title={<Title name={name} version={version} found={found.data} />}
      plainTitle={`${name} v${version}`}
      crumbs={[
        { label: t("nav.registry"), to: address.registry() },
        { label: name, to: address.registeredModel(name) },
      ]}
      subtitle={found.data !== undefined && <Ago atMs={found.data.creation_timestamp} />}
      actions={found.data !== undefined && <Actions found={found.data} />}
    >
      <Read result={found} lines={6}>
        {(data) => (
          <div className="grid-main">
            <div>
              <Origin version={data} />
              <DescriptionPanel text={data.description} save={(text) => trackingCommands.describeVersion(key, text)} />
              <TagsPanel
                tags={userTags(toMap(data.tags))}
                set={(tag, value) => trackingCommands.setVersionTag(key, tag, value)}
                remove={(tag) => trackingCommands.deleteVersionTag(key, tag)}
              />
            </div>
            <div>
              <Record version={data} />
              <Panel title={t("loggedModel.load")} icon="code">
                <Snippet text={loadSnippet(`models:/${name}/${version}`, [])} />
              </Panel>
            </div>
          </div>
        )}
      </Read>
    </Page>
  );
}

function Title({
  name,
  version,
  found,
}: {
  readonly name: string;
  readonly version: string;
  readonly found: RegisteredVersion | undefined;
}) {
  return (
    <span className="title-row">
      {name} v{version}
      {found !== undefined && <Verdict version={found} />}
      {found?.aliases?.map((alias) => (
        <span key={alias} className="alias">
          {alias}
        </span>
      ))}
    </span>
  );
}

function Actions({ found: { name, version } }: { readonly found: RegisteredVersion }) {
  const { t } = useTrackingText();
  const navigate = useNavigate();
  return (
    <>
      <ActionButton
        label={t("registry.alias.set")}
        icon="features"
        title={t("registry.alias.set")}
        text={<span className="muted">{t("registry.alias.text")}</span>}
        fields={[{ name: "alias", label: t("registry.alias") }]}
        run={(values) => trackingCommands.setAlias({ name, version }, values["alias"] ?? "")}
      />
      <ActionButton
        label={t("action.delete")}
        icon="cross"
        isDanger
        title={t("registry.delete.title", { name: `${name} v${version}` })}
        run={() => trackingCommands.deleteVersion({ name, version })}
        onDone={() => void navigate({ to: address.registeredModel(name) })}
      />
    </>
  );
}

function Origin({ version }: { readonly version: RegisteredVersion }) {
  const { t } = useTrackingText();
  return (
    <Panel title={t("model.origin")} icon="pipeline">
      <Facts
        columns={2}
        items={[
          [t("registry.source"), <code key="source">{version.source}</code>],
          [
            t("runs.run"),
            version.run_id === "" ? (
              "–"
            ) : (
              <Link key="run" to={address.trackingRun(version.run_id)}>
                {version.run_id}
              </Link>
            ),
          ],
          [t("registry.stage"), version.current_stage],
          [t("registry.status"), version.status],
        ]}
      />
    </Panel>
  );
}

/** What esteira knows beyond MLflow: the record, approvals given and waited for. */
function Record({ version }: { readonly version: RegisteredVersion }) {
  const { t } = useTrackingText();
  const asset = /^(.+) (\d+)$/.exec(toMap(version.tags).get("esteira.asset_version") ?? "");
  const name = asset?.[1] ?? "";
  const number = Number(asset?.[2] ?? 0);
  const record = useQuery({ ...queries.modelVersion(name, number), enabled: asset !== null });
  if (asset === null) {
    return (
      <Panel title={t("model.record")} icon="approval">
        <p className="muted">{t("registry.notOurs")}</p>
      </Panel>
    );
  }
  return (
    <>
      <Panel
        title={t("model.record")}
        icon="approval"
        actions={<Link to={address.modelVersion(name, number)}>{t("registry.openRecord")}</Link>}
      >
        <Facts
          items={[
            [
              t("table.digest"),
              <Digest key="digest" digest={toMap(version.tags).get("esteira.digest") ?? ""} length={16} />,
            ],
            [t("model.trainingData"), toMap(version.tags).get("esteira.training_data") ?? "–"],
            [t("assetKind.commit"), toMap(version.tags).get("esteira.commit") ?? "–"],
          ]}
        />
      </Panel>
      <Read result={record} lines={2}>
        {(data) => (
          <>
            {data.pendingApprovals.map((pending) => (
              <PendingApprovalCard key={pending.key} approval={pending} />
            ))}
            <Panel title={t("nav.approvals")} icon="approval" flush={data.approvals.length > 0}>
              {data.approvals.length === 0 ? (
                <p className="muted">{t("approvals.none.text")}</p>
              ) : (
                <ApprovalList approvals={data.approvals} />
              )}
            </Panel>
          </>
        )}
      </Read>
    </>
  );
}

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Environment, Release } from "#api";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { VersionLinks } from "../ui/asset-links.tsx";
import { CommandButton } from "../ui/command-button.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago } from "../ui/text.tsx";

export function ReleasesPage() {
  const { t } = useLanguage();
  const environments = useQuery(queries.environments());
  const { result, more } = useList(queries.releases());
  return (
    <Page title={t("nav.releases")} subtitle={t("releases.subtitle")}>
      <Read result={environments}>
        {(data) => (
          <div className="environments">
            {data.items.map((environment) => (
              <EnvironmentPanel key={environment.name} environment={environment} />
            ))}
          </div>
        )}
      </Read>
      <Read result={result}>
        {(releases) =>
          releases.length === 0 ? (
            <Empty icon="release" title={t("releases.empty.title")} text={t("releases.empty.text")}>
              <pre className="code-block">{"steps:\n  web: { deploy: app, to: [staging, production] }"}</pre>
            </Empty>
          ) : (
            <ReleaseTable releases={releases} more={more} />
          )
        }
      </Read>
    </Page>
  );
}

function EnvironmentPanel({ environment }: { readonly environment: Environment }) {
  const { t } = useLanguage();
  const rule = environment.requiredApprovals === 0 ? t("environment.open") : t(environment.bind === "source" ? "environment.bindSource" : "environment.bindVersion", { count: environment.requiredApprovals });
  return (
    <Panel title={environment.name} icon="release" flush>
      <p className="panel-note">{rule}</p>
      <ul className="attention-list">
        {environment.live.map((release) => (
          <li key={release.id}>
            <StateBadge state={release.status} />
            <div style={{ flex: 1 }}>
              <b>{release.asset}</b> <VersionLinks versions={release.items} />
              <p className="muted">
                {release.actor} · <Ago atMs={release.atMs} />
              </p>
            </div>
            {release.replaces !== undefined && <RollbackButton release={release} />}
          </li>
        ))}
        {environment.live.length === 0 && <li className="muted">{t("environment.empty")}</li>}
      </ul>
    </Panel>
  );
}

function RollbackButton({ release, to }: { readonly release: Release; readonly to?: Release }) {
  const { t } = useLanguage();
  const target = to === undefined ? t("release.before") : `${to.asset} ${to.items.map((item) => `v${item.version}`).join(", ")}`;
  return (
    <CommandButton
      size="xs" label={t("release.rollBack")} icon="back" variant="danger" capability="rollback" done={t("release.rolledBack")}
      run={() => commands.rollBack({ environment: release.environment, asset: release.asset, ...(to === undefined ? {} : { to: to.id }) })}
      confirm={{ title: t("release.rollBack.title", { asset: release.asset, environment: release.environment }), content: <p>{t("release.rollBack.text", { target, environment: release.environment })}</p> }}
    />
  );
}

interface ReleaseTableProps {
  readonly releases: readonly Release[];
  readonly more: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void };
}

function ReleaseTable({ releases, more }: ReleaseTableProps) {
  const { t } = useLanguage();
  const live = new Map(releases.filter(({ status }) => status === "live").map((release) => [`${release.environment}/${release.asset}`, release]));
  const columns: readonly Column<Release>[] = [
    { key: "asset", title: t("table.name"), width: "minmax(140px, 1fr)", cell: (release) => <b>{release.asset}</b>, sortBy: (release) => release.asset },
    { key: "environment", title: t("release.environment"), width: "130px", cell: (release) => release.environment, sortBy: (release) => release.environment },
    { key: "status", title: t("run.status"), width: "150px", cell: (release) => <StateBadge state={release.status} />, sortBy: (release) => release.status },
    { key: "items", title: t("release.contents"), width: "minmax(220px, 1.6fr)", cell: (release) => <VersionLinks versions={release.items} /> },
    { key: "why", title: t("release.why"), width: "minmax(150px, 1fr)", cell: (release) => <span className="clip" title={release.reason}>{release.isRollback ? `${t("release.rollback")} · ${release.reason ?? ""}` : (release.reason ?? "–")}</span> },
    { key: "run", title: t("run.title"), width: "130px", cell: (release) => (release.pipelineRunId === undefined ? "–" : <Link to={address.run(release.pipelineRunId)}>{release.pipelineRunId.slice(-8)}</Link>) },
    { key: "actor", title: t("model.by"), width: "110px", cell: (release) => release.actor },
    { key: "time", title: t("run.time"), width: "130px", cell: (release) => <Ago atMs={release.atMs} />, sortBy: (release) => release.atMs },
    { key: "act", title: t("alert.action"), width: "130px", cell: (release) => <BackTo release={release} live={live.get(`${release.environment}/${release.asset}`)} /> },
  ];
  return <DataTable label={t("nav.releases")} rows={releases} columns={columns} rowKey={(release) => release.id} more={more} rowHeight={46} />;
}

function BackTo({ release, live }: { readonly release: Release; readonly live: Release | undefined }) {
  if (live === undefined || live.id === release.id || (release.status !== "superseded" && release.status !== "rolled_back")) return null;
  return <RollbackButton release={live} to={release} />;
}

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Environment, Release, VersionReference } from "#api";
import { isolationMessages } from "../messages/isolation.ts";
import { deployedItem, releaseChanges } from "../models/release-changes.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { VersionLink } from "../ui/asset-links.tsx";
import { CommandButton } from "../ui/command-button.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { DifferenceButton } from "../ui/release-difference.tsx";
import { ReleaseChanges } from "../ui/release-changes.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago, Amount } from "../ui/text.tsx";

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

/** What is live, and how much was released with it. */
function LiveItem({ release }: { readonly release: Release }) {
  const { t } = useLanguage();
  const item = deployedItem(release);
  return (
    <span className="chips">
      {item === undefined ? <b>{release.asset}</b> : <VersionLink version={{ ...item, role: undefined }} />}
      <span className="muted">{t("release.itemCount", { count: release.items.length })}</span>
    </span>
  );
}

function EnvironmentPanel({ environment }: { readonly environment: Environment }) {
  const { t, language } = useLanguage();
  const rule =
    environment.requiredApprovals === 0
      ? t("environment.open")
      : t(environment.bind === "recipe" ? "environment.bindRecipe" : "environment.bindVersion", {
          count: environment.requiredApprovals,
        });
  return (
    <Panel title={environment.name} icon="release" flush>
      <p className="panel-note">{rule}</p>
      {environment.unisolated.map((each) => (
        <div key={each.asset} className="note tone-bad">
          {isolationMessages[language]({
            release: `${each.asset} v${each.version}`,
            made: `${each.made} v${each.madeVersion}`,
            level: each.level,
          })}
        </div>
      ))}
      <ul className="attention-list">
        {environment.live.map((release) => (
          <li key={release.id}>
            <StateBadge state={release.status} />
            <div style={{ flex: 1 }}>
              <LiveItem release={release} />
              <p className="muted">
                {release.actor} · <Ago atMs={release.atMs} />
              </p>
            </div>
            {release.before !== undefined && <RollbackButton release={release} to={release.before} />}
          </li>
        ))}
        {environment.live.length === 0 && <li className="muted">{t("environment.empty")}</li>}
      </ul>
    </Panel>
  );
}

/** Asks before it goes from a live release to an earlier one: names what changes, and nothing else. */
function RollbackButton({
  release,
  to,
}: {
  readonly release: Release;
  readonly to: { readonly id: string; readonly items: readonly VersionReference[] };
}) {
  const { t } = useLanguage();
  const changes = releaseChanges(release.items, to.items);
  const same =
    new Set(to.items.map(({ kind, asset }) => `${kind} ${asset}`)).size -
    changes.filter((change) => change.to !== undefined).length;
  const content = (
    <>
      {changes.length === 0 ? <p>{t("release.rollBack.nothing")}</p> : <p>{t("release.rollBack.changes")}</p>}
      <ReleaseChanges changes={changes} />
      {changes.length > 0 && same > 0 && <p className="muted">{t("release.rollBack.same", { count: same })}</p>}
      <p>{t("release.rollBack.text", { environment: release.environment })}</p>
    </>
  );
  return (
    <CommandButton
      size="xs"
      label={t("release.rollBack")}
      icon="back"
      variant="danger"
      action="rollback"
      done={t("release.rolledBack")}
      run={() => commands.rollBack({ environment: release.environment, asset: release.asset, to: to.id })}
      confirm={{
        title: t("release.rollBack.title", { asset: release.asset, environment: release.environment }),
        content,
      }}
    />
  );
}

interface ReleaseTableProps {
  readonly releases: readonly Release[];
  readonly more: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void };
}

function ReleaseTable({ releases, more }: ReleaseTableProps) {
  const { t } = useLanguage();
  const live = new Map(
    releases
      .filter(({ status }) => status === "live")
      .map((release) => [`${release.environment}/${release.asset}`, release]),
  );
  const columns: readonly Column<Release>[] = [
    {
      key: "asset",
      title: t("table.name"),
      width: "minmax(130px, 1fr)",
      cell: (release) => <NameCell release={release} />,
      value: (release) => deployedItem(release)?.version,
    },
    { key: "status", title: t("run.status"), width: "124px", cell: (release) => <StateBadge state={release.status} /> },
    {
      key: "changed",
      title: t("release.changed"),
      width: "minmax(200px, 1.7fr)",
      cell: (release) => <ChangedCell release={release} />,
    },
    {
      key: "why",
      title: t("release.why"),
      width: "minmax(64px, 0.7fr)",
      cell: (release) => (
        <span>
          {release.isRollback
            ? [t("release.rollback"), release.reason].filter((part) => part !== undefined).join(" · ")
            : (release.reason ?? "–")}
        </span>
      ),
    },
    {
      key: "run",
      title: t("run.title"),
      width: "104px",
      cell: (release) =>
        release.pipelineRunId === undefined ? (
          "–"
        ) : (
          <Link to={address.run(release.pipelineRunId)}>{release.pipelineRunId.slice(-8)}</Link>
        ),
    },
    { key: "actor", title: t("model.by"), width: "104px", cell: (release) => release.actor },
    {
      key: "time",
      title: t("run.time"),
      width: "124px",
      cell: (release) => <Ago atMs={release.atMs} />,
      value: (release) => release.atMs,
    },
    {
      key: "act",
      title: t("alert.action"),
      width: "148px",
      cell: (release) => <BackTo release={release} live={live.get(`${release.environment}/${release.asset}`)} />,
    },
  ];
  return (
    <DataTable
      name="releases"
      label={t("nav.releases")}
      rows={releases}
      columns={columns}
      rowKey={(release) => release.id}
      more={more}
      rowHeight={54}
    />
  );
}

function NameCell({ release }: { readonly release: Release }) {
  const item = deployedItem(release);
  return (
    <span>
      <b>
        {release.asset} {item !== undefined && `v${item.version}`}
      </b>
      <br />
      <span className="muted">→ {release.environment}</span>
    </span>
  );
}

/** What a release brought that the one before did not have; of the first one, all of it. */
function ChangedCell({ release }: { readonly release: Release }) {
  const { t } = useLanguage();
  const changes = releaseChanges(release.replacedItems ?? [], release.items);
  return (
    <span className="release-changed">
      {changes.length === 0 ? <span className="muted">–</span> : <ReleaseChanges changes={changes} />}
      <span className="chips">
        <Amount name="release.items" value={release.items.length} className="muted">
          {t("release.itemCount", { count: release.items.length })}
        </Amount>
        <DifferenceButton release={release} />
      </span>
    </span>
  );
}

function BackTo({ release, live }: { readonly release: Release; readonly live: Release | undefined }) {
  if (
    live === undefined ||
    live.id === release.id ||
    (release.status !== "superseded" && release.status !== "rolled_back")
  )
    return null;
  return <RollbackButton release={live} to={release} />;
}

import { Link } from "@tanstack/react-router";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { Icon } from "../ui/icon.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Read } from "../ui/page.tsx";
import { Ago } from "../ui/text.tsx";

export function DashboardsPage() {
  const { t } = useLanguage();
  const { result, more } = useList(queries.dashboards());
  return (
    <Page title={t("nav.dashboards")} subtitle={t("dashboards.subtitle")}>
      <Read result={result}>
        {(dashboards) =>
          dashboards.length === 0 ? (
            <Empty icon="dashboard" title={t("dashboards.empty.title")} text={t("dashboards.empty.text")}>
              <pre className="code-block">{"steps:\n  delays: { publish: dashboards/delays.yaml }"}</pre>
            </Empty>
          ) : (
            <>
              <ul className="card-list">
                {dashboards.map((dashboard) => (
                  <li key={dashboard.name}>
                    <Link to={address.dashboard(dashboard.name)} className="card">
                      <Icon name="dashboard" size={22} />
                      <b>{dashboard.title}</b>
                      <span className="muted">{dashboard.description ?? dashboard.name}</span>
                      <span className="muted">
                        {t("dashboard.tileCount", { count: dashboard.tileCount })} ·{" "}
                        <Ago atMs={dashboard.updatedAtMs} />
                      </span>
                    </Link>
                  </li>
                ))}
              </ul>
              {more.hasMore && (
                <button type="button" className="plain-button" disabled={more.isLoading} onClick={more.load}>
                  {t("table.more")}
                </button>
              )}
            </>
          )
        }
      </Read>
    </Page>
  );
}

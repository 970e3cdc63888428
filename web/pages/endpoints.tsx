import type { EndpointSummary } from "#api";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Read } from "../ui/page.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago } from "../ui/text.tsx";

export function EndpointsPage() {
  const { t, format } = useLanguage();
  const { result, more } = useList(queries.endpoints());
  const columns: readonly Column<EndpointSummary>[] = [
    {
      key: "name",
      title: t("table.name"),
      width: "minmax(170px, 1.3fr)",
      cell: (endpoint) => endpoint.name,
      sortBy: (endpoint) => endpoint.name,
    },
    {
      key: "environment",
      title: t("release.environment"),
      width: "140px",
      cell: (endpoint) => endpoint.environment,
      sortBy: (endpoint) => endpoint.environment,
    },
    {
      key: "state",
      title: t("run.status"),
      width: "130px",
      cell: (endpoint) => <StateBadge state={endpoint.openAlertCount > 0 ? "alert" : endpoint.state} />,
    },
    {
      key: "model",
      title: t("assetKind.model"),
      width: "150px",
      cell: (endpoint) => (endpoint.model === undefined ? "–" : `${endpoint.model} v${endpoint.modelVersion ?? "?"}`),
    },
    {
      key: "predictions",
      title: t("endpoint.predictions"),
      width: "130px",
      align: "right",
      cell: (endpoint) => format.number(endpoint.predictionCount),
      sortBy: (endpoint) => endpoint.predictionCount,
    },
    {
      key: "labelled",
      title: t("endpoint.labels"),
      width: "120px",
      align: "right",
      cell: (endpoint) =>
        endpoint.predictionCount === 0 ? "–" : format.percent(endpoint.labelledCount / endpoint.predictionCount, 0),
    },
    {
      key: "deployed",
      title: t("endpoint.deployed"),
      width: "140px",
      cell: (endpoint) => <Ago atMs={endpoint.deployedAtMs} />,
      sortBy: (endpoint) => endpoint.deployedAtMs,
    },
  ];
  return (
    <Page title={t("nav.endpoints")} subtitle={t("endpoints.subtitle")}>
      <Read result={result}>
        {(endpoints) =>
          endpoints.length === 0 ? (
            <Empty icon="endpoint" title={t("endpoints.empty.title")} text={t("endpoints.empty.text")}>
              <pre className="code-block">{"steps:\n  serve: { deploy: MODEL, to: [staging, production] }"}</pre>
            </Empty>
          ) : (
            <DataTable
              label={t("nav.endpoints")}
              rows={endpoints}
              columns={columns}
              rowKey={(endpoint) => `${endpoint.environment}/${endpoint.name}`}
              rowLink={(endpoint) => address.endpoint(endpoint.environment, endpoint.name)}
              more={more}
            />
          )
        }
      </Read>
    </Page>
  );
}

import type { ModelSummary } from "#api";
import { metricNames } from "../models/metrics.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Read } from "../ui/page.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago } from "../ui/text.tsx";

export function ModelsPage() {
  const { t, name, format } = useLanguage();
  const { result, more } = useList(queries.models());
  return (
    <Page title={t("nav.models")} subtitle={t("models.subtitle")}>
      <Read result={result}>
        {(models) => {
          if (models.length === 0)
            return (
              <Empty
                icon="model"
                title={t("models.empty.title")}
                text={t("models.empty.text")}
                command="esteira run PIPELINE"
              />
            );
          const metrics = metricNames(models.map(({ latest }) => latest.metrics)).slice(0, 3);
          const columns: readonly Column<ModelSummary>[] = [
            {
              key: "name",
              title: t("table.name"),
              width: "minmax(170px, 1.4fr)",
              cell: (model) => model.name,
              sortBy: (model) => model.name,
            },
            {
              key: "task",
              title: t("model.task"),
              width: "minmax(150px, 1fr)",
              cell: (model) => (model.task === undefined ? "–" : name("task", model.task)),
            },
            {
              key: "versions",
              title: t("dataset.versions"),
              width: "100px",
              align: "right",
              cell: (model) => format.number(model.versionCount),
              sortBy: (model) => model.versionCount,
            },
            {
              key: "champion",
              title: t("model.inProduction"),
              width: "140px",
              cell: (model) =>
                model.champion === undefined ? (
                  <span className="muted">–</span>
                ) : (
                  <span className="alias">v{model.champion.version}</span>
                ),
              sortBy: (model) => model.champion?.version,
            },
            {
              key: "latest",
              title: t("model.latest"),
              width: "200px",
              cell: (model) => (
                <>
                  v{model.latest.version} <StateBadge state={model.latest.verdict} />
                </>
              ),
              sortBy: (model) => model.latest.version,
            },
            ...metrics.map((metric): Column<ModelSummary> => ({
              key: metric,
              title: metric,
              width: "110px",
              align: "right",
              cell: (model) => <MetricValue value={model.latest.metrics[metric]} />,
              sortBy: (model) => model.latest.metrics[metric],
            })),
            {
              key: "time",
              title: t("table.changed"),
              width: "140px",
              cell: (model) => <Ago atMs={model.latest.madeAtMs} />,
              sortBy: (model) => model.latest.madeAtMs,
            },
          ];
          return (
            <DataTable
              label={t("nav.models")}
              rows={models}
              columns={columns}
              rowKey={(model) => model.name}
              rowLink={(model) => address.model(model.name)}
              more={more}
            />
          );
        }}
      </Read>
    </Page>
  );
}

/** A metric with four digits. */
export function MetricValue({ value }: { readonly value: number | undefined }) {
  const { format } = useLanguage();
  return <span className="figure">{value === undefined ? "–" : format.number(value, 4)}</span>;
}

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { DatasetSummary } from "#api";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { Icon } from "../ui/icon.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Read } from "../ui/page.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago } from "../ui/text.tsx";

export function DatasetsPage() {
  const { t, format } = useLanguage();
  const [filter, setFilter] = useState("");
  const { result, more } = useList(queries.datasets());
  const columns: readonly Column<DatasetSummary>[] = [
    {
      key: "name",
      title: t("table.name"),
      width: "minmax(190px, 1.6fr)",
      cell: (dataset) => <NameCell dataset={dataset} />,
      sortBy: (dataset) => dataset.name,
    },
    {
      key: "version",
      title: t("table.version"),
      width: "100px",
      align: "right",
      cell: (dataset) => `v${dataset.latestVersion}`,
      sortBy: (dataset) => dataset.latestVersion,
    },
    {
      key: "rows",
      title: t("dataset.rows"),
      width: "130px",
      align: "right",
      cell: (dataset) => (dataset.rowCount === undefined ? "–" : format.number(dataset.rowCount)),
      sortBy: (dataset) => dataset.rowCount,
    },
    {
      key: "size",
      title: t("dataset.size"),
      width: "110px",
      align: "right",
      cell: (dataset) => (dataset.sizeBytes === undefined ? "–" : format.bytes(dataset.sizeBytes)),
      sortBy: (dataset) => dataset.sizeBytes,
    },
    {
      key: "quarantine",
      title: t("dataset.quarantine"),
      width: "130px",
      align: "right",
      cell: (dataset) => <QuarantineCell dataset={dataset} />,
      sortBy: (dataset) => dataset.quarantinedCount,
    },
    {
      key: "made",
      title: t("dataset.madeBy"),
      width: "minmax(150px, 1fr)",
      cell: (dataset) =>
        dataset.producedBy === undefined ? (
          "–"
        ) : (
          <Link
            to={address.pipeline(dataset.producedBy.pipeline)}
          >{`${dataset.producedBy.pipeline} / ${dataset.producedBy.step}`}</Link>
        ),
    },
    {
      key: "time",
      title: t("table.changed"),
      width: "140px",
      cell: (dataset) => <Ago atMs={dataset.madeAtMs} />,
      sortBy: (dataset) => dataset.madeAtMs,
    },
  ];
  return (
    <Page title={t("nav.datasets")} subtitle={t("datasets.subtitle")}>
      <Read result={result}>
        {(datasets) =>
          datasets.length === 0 ? (
            <Empty
              icon="dataset"
              title={t("datasets.empty.title")}
              text={t("datasets.empty.text")}
              command="esteira run PIPELINE"
            />
          ) : (
            <>
              <div className="toolbar">
                <input
                  data-filter
                  className="field field-wide"
                  type="search"
                  value={filter}
                  onChange={(event) => setFilter(event.target.value)}
                  placeholder={t("table.filter")}
                  aria-label={t("table.filter")}
                />
              </div>
              <DataTable
                label={t("nav.datasets")}
                rows={datasets.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()))}
                columns={columns}
                rowKey={(dataset) => dataset.name}
                rowLink={(dataset) => address.dataset(dataset.name)}
                more={more}
              />
            </>
          )
        }
      </Read>
    </Page>
  );
}

function NameCell({ dataset }: { readonly dataset: DatasetSummary }) {
  return (
    <span className="chips" style={{ flexWrap: "nowrap" }}>
      <Icon name={dataset.kind === "features" ? "features" : "dataset"} size={15} />
      {dataset.name}
    </span>
  );
}

function QuarantineCell({ dataset }: { readonly dataset: DatasetSummary }) {
  const { format } = useLanguage();
  if (dataset.quarantinedCount === 0) return <span className="muted">0</span>;
  return (
    <Link to={address.quarantine(dataset.name)} className="state tone-waiting">
      <Icon name="quarantine" size={13} />
      {format.number(dataset.quarantinedCount)}
    </Link>
  );
}

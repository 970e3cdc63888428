import type { EndpointObjective } from "#api";
import { useMonitoringText } from "./monitoring-text.ts";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";

/** What an endpoint promises, how much of the budget of errors is left, and how fast it burns. */
export function ObjectiveTable({ objectives }: { readonly objectives: readonly EndpointObjective[] }) {
  const { t, format } = useMonitoringText();
  const columns: readonly Column<EndpointObjective>[] = [
    {
      key: "objective",
      title: t("objective.title"),
      width: "minmax(170px, 1.4fr)",
      cell: (objective) => (
        <span className="wrap">
          {objective.monitor}{" "}
          <span className="muted">{t(`objective.${objective.kind}`, { limit: objective.latencyMs ?? 0 })}</span>
        </span>
      ),
    },
    {
      key: "target",
      title: t("objective.target"),
      width: "130px",
      cell: ({ target, days }) => t("objective.of", { share: format.percent(target, 2), days }),
    },
    {
      key: "good",
      title: t("objective.good"),
      width: "minmax(120px, 1fr)",
      align: "right",
      cell: ({ good, total }) => `${format.number(good)} / ${format.number(total)}`,
      value: ({ good }) => good,
    },
    {
      key: "left",
      title: t("objective.left"),
      width: "120px",
      align: "right",
      cell: ({ budgetLeft }) => format.percent(budgetLeft, 1),
      value: ({ budgetLeft }) => budgetLeft,
    },
    {
      key: "burns",
      title: t("objective.burns"),
      width: "minmax(190px, 1.2fr)",
      cell: ({ burns }) =>
        burns
          .map(({ longRate, shortRate }) => `${format.number(longRate, 3)}/${format.number(shortRate, 3)}`)
          .join(" · "),
    },
    {
      key: "state",
      title: t("column.state"),
      width: "120px",
      cell: ({ burns }) => <StateBadge state={burns.some(({ isBurning }) => isBurning) ? "alert" : "ok"} />,
    },
  ];
  return (
    <DataTable
      name="objectives"
      label={t("objective.title")}
      rows={objectives}
      columns={columns}
      rowKey={({ monitor }) => monitor}
    />
  );
}

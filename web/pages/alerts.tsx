import { queries } from "../services/queries.ts";
import { AlertTable, MonitorTable } from "../ui/alert-table.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Page, Read } from "../ui/page.tsx";
import { Tabs } from "../ui/tabs.tsx";

export function AlertsPage() {
  const { t } = useLanguage();
  const alerts = useList(queries.alerts());
  const monitors = useList(queries.monitors());
  return (
    <Page title={t("nav.alerts")} subtitle={t("alerts.subtitle")}>
      <Tabs
        label={t("nav.alerts")}
        tabs={[
          {
            key: "alerts",
            label: t("nav.alerts"),
            content: () => (
              <Read result={alerts.result}>{(items) => <AlertTable alerts={items} more={alerts.more} />}</Read>
            ),
          },
          {
            key: "monitors",
            label: t("endpoint.monitors"),
            content: () => (
              <Read result={monitors.result}>{(items) => <MonitorTable monitors={items} more={monitors.more} />}</Read>
            ),
          },
        ]}
      />
    </Page>
  );
}

import { useQuery } from "@tanstack/react-query";
import { queries } from "../services/queries.ts";
import { ApprovalList, PendingApprovalCard } from "../ui/approvals.tsx";
import { useLanguage } from "../ui/language.tsx";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { ShownOf } from "../ui/shown-of.tsx";

export function ApprovalsPage() {
  const { t } = useLanguage();
  const approvals = useQuery(queries.approvals());
  return (
    <Page title={t("nav.approvals")} subtitle={t("approvals.subtitle")}>
      <Read result={approvals}>
        {(data) => (
          <>
            {data.pending.length === 0 && (
              <Empty icon="approval" title={t("approvals.empty.title")} text={t("approvals.empty.text")} />
            )}
            {data.pending.map((approval) => (
              <PendingApprovalCard key={approval.key} approval={approval} />
            ))}
            <ShownOf shown={data.pending.length} total={data.pendingCount} />
            {data.given.length > 0 && (
              <Panel title={t("approvals.given")} icon="check" flush>
                <ShownOf shown={data.given.length} total={data.givenCount} />
                <ApprovalList approvals={data.given} />
              </Panel>
            )}
          </>
        )}
      </Read>
    </Page>
  );
}

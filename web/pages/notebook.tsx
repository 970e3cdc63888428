import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { NotebookVersion } from "#api";
import { valueText } from "../models/format.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { ApprovalList } from "../ui/approvals.tsx";
import { useLanguage } from "../ui/language.tsx";
import { Cell } from "../ui/notebook-cell.tsx";
import { Page, Panel, Read } from "../ui/page.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { Ago, Digest, Facts } from "../ui/text.tsx";

export function NotebookPage() {
  const { t } = useLanguage();
  const { id } = useParams({ strict: false }) as { id: string };
  const [stepRun] = useSearchValue("stepRun");
  const notebook = useQuery(queries.notebook(id, stepRun));
  return (
    <Page
      title={notebook.data?.path ?? notebook.data?.asset ?? t("assetKind.notebook")}
      crumbs={[{ label: t("nav.models"), to: address.models() }]}
      subtitle={notebook.data !== undefined && <Subtitle notebook={notebook.data} />}
    >
      <Read result={notebook} lines={8}>
        {(data) => <Body notebook={data} />}
      </Read>
    </Page>
  );
}

function Subtitle({ notebook }: { readonly notebook: NotebookVersion }) {
  const { t } = useLanguage();
  return (
    <>
      <span>{t(notebook.isExecuted ? "notebook.executed" : "notebook.source")}</span>
      {notebook.executedAtMs !== undefined && <Ago atMs={notebook.executedAtMs} />}
      <Digest digest={notebook.sourceDigest} length={16} />
      {notebook.pipelineRunId !== undefined && <Link to={address.run(notebook.pipelineRunId)}>{t("run.title")}</Link>}
    </>
  );
}

function Body({ notebook }: { readonly notebook: NotebookVersion }) {
  const { t, name } = useLanguage();
  const [only, setOnly] = useSearchValue("only");
  const changed = notebook.cells.filter(({ change }) => change === "added" || change === "changed").length;
  const parameters = Object.entries(notebook.parameters);
  const shown = only === "changed" ? notebook.cells.filter(({ change }) => change !== "unchanged") : notebook.cells;
  return (
    <div className="grid-main">
      <div className="notebook">
        {notebook.cells.some(({ change }) => change !== undefined) && (
          <div className="toolbar">
            <span className="muted">{t("notebook.changed", { count: changed })}</span>
            {changed > 0 && (
              <button
                type="button"
                className="plain-button"
                aria-pressed={only === "changed"}
                onClick={() => setOnly(only === "changed" ? undefined : "changed")}
              >
                {only === "changed" ? t("notebook.showAll") : t("notebook.showChanged")}
              </button>
            )}
          </div>
        )}
        {shown.map((cell) => (
          <Cell key={cell.id} cell={cell} />
        ))}
      </div>
      <div>
        <Panel title={t("notebook.about")} icon="notebook">
          <Facts
            items={[
              [t("notebook.kernel"), notebook.kernel ?? "–"],
              [t("notebook.cells"), String(notebook.cells.length)],
              [t("table.version"), `${notebook.asset} v${notebook.version}`],
              [t("notebook.sourceDigest"), <Digest key="digest" digest={notebook.sourceDigest} length={20} />],
              ...(notebook.executedDigest === undefined
                ? []
                : [
                    [
                      name("fact", "executedNotebook"),
                      <Digest key="executed" digest={notebook.executedDigest} length={20} />,
                    ] as const,
                  ]),
              ...parameters.map(([key, value]) => [key, <code key={key}>{valueText(value)}</code>] as const),
            ]}
          />
        </Panel>
        <Panel title={t("nav.approvals")} icon="approval" flush>
          {notebook.approvals.length === 0 ? (
            <p className="panel-note">{t("approvals.none.text")}</p>
          ) : (
            <ApprovalList approvals={notebook.approvals} />
          )}
        </Panel>
      </div>
    </div>
  );
}

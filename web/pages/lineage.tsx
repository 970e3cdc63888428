import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { queries } from "../services/queries.ts";
import { useLanguage } from "../ui/language.tsx";
import { LineageView } from "../ui/lineage-view.tsx";
import { Page, Panel, Read } from "../ui/page.tsx";

export function LineagePage() {
  const { t, name } = useLanguage();
  const { id } = useParams({ strict: false }) as { id: string };
  const upstream = useQuery(queries.lineage(id, "upstream"));
  const downstream = useQuery(queries.lineage(id, "downstream"));
  const root = upstream.data?.nodes.find((node) => node.id === id);
  return (
    <Page
      title={
        root === undefined
          ? t("lineage.title")
          : `${root.label} ${root.version === undefined ? "" : `v${root.version}`}`
      }
      subtitle={root !== undefined && <span>{name("assetKind", root.kind)}</span>}
    >
      <Panel title={t("lineage.from")} icon="pipeline" flush>
        <Read result={upstream}>{(graph) => <LineageView graph={graph} />}</Read>
      </Panel>
      <Panel title={t("lineage.to")} icon="pipeline" flush>
        <Read result={downstream}>
          {(graph) =>
            graph.edges.length === 0 ? (
              <p className="panel-note">{t("lineage.noneTo")}</p>
            ) : (
              <LineageView graph={graph} />
            )
          }
        </Read>
      </Panel>
    </Page>
  );
}

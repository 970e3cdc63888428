import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { toMap, userTags } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { trackingCommands } from "../services/tracking-commands.ts";
import { type RegisteredModel, type RegisteredVersion, trackingQueries } from "../services/tracking-queries.ts";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago, Digest } from "../ui/text.tsx";
import { ActionButton } from "../ui/tracking/action-button.tsx";
import { DescriptionPanel, TagsPanel } from "../ui/tracking/tags.tsx";
import { useTrackingText } from "../ui/tracking/text.ts";
import "../ui/tracking/tracking.css";

export function RegisteredModelPage() {
  const { t } = useTrackingText();
  const { name } = useParams({ strict: false }) as { name: string };
  const navigate = useNavigate();
  const model = useQuery(trackingQueries.registeredModel(name));
  return (
    <Page
      title={name}
      crumbs={[{ label: t("nav.registry"), to: address.registry() }]}
      subtitle={model.data !== undefined && <Ago atMs={model.data.last_updated_timestamp} />}
      actions={
        <>
          <ActionButton
            label={t("action.rename")}
            icon="code"
            title={t("action.rename")}
            fields={[{ name: "name", label: t("table.name"), value: name }]}
            run={async (values) => {
              await trackingCommands.renameModel(name, values["name"] ?? "");
              await navigate({ to: address.registeredModel(values["name"] ?? "") });
            }}
          />
          <ActionButton
            label={t("action.delete")}
            icon="cross"
            isDanger
            title={t("registry.delete.title", { name })}
            text={t("registry.delete.text")}
            run={() => trackingCommands.deleteModel(name)}
            onDone={() => void navigate({ to: address.registry() })}
          />
        </>
      }
    >
      <Read result={model} lines={6}>
        {(data) => (
          <>
            <AliasPanel model={data} />
            <Versions model={data} />
            <DescriptionPanel
              text={data.description ?? ""}
              save={(text) => trackingCommands.describeModel(name, text)}
            />
            <TagsPanel
              tags={userTags(toMap(data.tags))}
              set={(key, value) => trackingCommands.setModelTag(name, key, value)}
              remove={(key) => trackingCommands.deleteModelTag(name, key)}
            />
          </>
        )}
      </Read>
    </Page>
  );
}

/** Aliases and what moves them; what the server refuses, it says in the dialog. */
function AliasPanel({ model: { name, aliases = [] } }: { readonly model: RegisteredModel }) {
  const { t } = useTrackingText();
  const version = { name: "version", label: t("table.version") };
  return (
    <Panel
      title={t("registry.aliases")}
      icon="approval"
      actions={
        <ActionButton
          label={t("registry.alias.set")}
          icon="features"
          isSmall
          title={t("registry.alias.set")}
          text={<span className="muted">{t("registry.alias.text")}</span>}
          fields={[{ name: "alias", label: t("registry.alias") }, version]}
          run={(values) => trackingCommands.setAlias({ name, version: values["version"] ?? "" }, values["alias"] ?? "")}
        />
      }
    >
      {aliases.length === 0 ? (
        <p className="muted">{t("registry.alias.none")}</p>
      ) : (
        <table className="key-table">
          <tbody>
            {aliases.map((each) => (
              <tr key={each.alias}>
                <th scope="row">
                  <span className="alias">{each.alias}</span>
                </th>
                <td>v{each.version}</td>
                <td className="tag-actions">
                  <ActionButton
                    label={t("registry.alias.move")}
                    icon="deploy"
                    isSmall
                    title={t("registry.alias.moveTitle", { alias: each.alias })}
                    fields={[{ ...version, value: each.version }]}
                    run={(values) => trackingCommands.setAlias({ name, version: values["version"] ?? "" }, each.alias)}
                  />
                  <ActionButton
                    label={t("registry.alias.delete")}
                    icon="cross"
                    isSmall
                    isDanger
                    title={t("registry.alias.deleteTitle", { alias: each.alias })}
                    run={() => trackingCommands.deleteAlias(name, each.alias)}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Versions({ model }: { readonly model: RegisteredModel }) {
  const { t } = useTrackingText();
  const { result, more } = useList(trackingQueries.registeredVersions(model.name));
  const aliases = Map.groupBy(model.aliases ?? [], ({ version }) => version);
  const columns: readonly Column<RegisteredVersion>[] = [
    {
      key: "version",
      title: t("table.version"),
      width: "minmax(180px, 1fr)",
      cell: (version) => (
        <>
          v{version.version}{" "}
          {aliases.get(version.version)?.map(({ alias }) => (
            <span key={alias} className="alias">
              {alias}
            </span>
          ))}
        </>
      ),
      sortBy: (version) => Number(version.version),
    },
    { key: "verdict", title: t("model.verdict"), width: "130px", cell: (version) => <Verdict version={version} /> },
    {
      key: "stage",
      title: t("registry.stage"),
      width: "110px",
      cell: (version) => (version.current_stage === "None" ? <span className="muted">–</span> : version.current_stage),
      sortBy: (version) => version.current_stage,
    },
    {
      key: "data",
      title: t("model.trainingData"),
      width: "minmax(130px, 1fr)",
      cell: (version) => <span className="wrap">{toMap(version.tags).get("esteira.training_data") ?? "–"}</span>,
    },
    {
      key: "run",
      title: t("runs.run"),
      width: "150px",
      cell: (version) =>
        version.run_id === "" ? <span className="muted">–</span> : <Digest digest={version.run_id} length={8} />,
    },
    {
      key: "made",
      title: t("table.made"),
      width: "140px",
      cell: (version) => <Ago atMs={version.creation_timestamp} />,
      sortBy: (version) => version.creation_timestamp,
    },
  ];
  return (
    <Panel title={t("dataset.versions")} icon="model" flush>
      <Read result={result}>
        {(versions) =>
          versions.length === 0 ? (
            <Empty icon="model" title={t("registry.noVersions.title")} text={t("registry.noVersions.text")} />
          ) : (
            <DataTable
              label={t("dataset.versions")}
              rows={versions}
              columns={columns}
              rowKey={(version) => version.version}
              rowLink={(version) => address.registeredVersion(version.name, version.version)}
              more={more}
            />
          )
        }
      </Read>
    </Panel>
  );
}

/** The verdict that a pipeline's test left as a tag. */
export function Verdict({ version }: { readonly version: RegisteredVersion }) {
  const verdict = toMap(version.tags).get("esteira.verdict");
  return <StateBadge state={verdict ?? "none"} />;
}

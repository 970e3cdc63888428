import { Link } from "@tanstack/react-router";
import { toMap, userTags } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { trackingCommands } from "../services/tracking-commands.ts";
import { quoteText, type RegisteredModel, trackingQueries } from "../services/tracking-queries.ts";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Read } from "../ui/page.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago } from "../ui/text.tsx";
import { ActionButton } from "../ui/tracking/action-button.tsx";
import { SearchBox } from "../ui/tracking/tags.tsx";
import { useTrackingText } from "../ui/tracking/text.ts";
import { useLater } from "../ui/tracking/use-later.ts";
import "../ui/tracking/tracking.css";

export function RegistryPage() {
  const { t } = useTrackingText();
  const [words = "", setWords] = useSearchValue("name");
  const later = useLater(words);
  const { result, more } = useList(
    trackingQueries.registeredModels(later === "" ? "" : `name ILIKE ${quoteText(`%${later}%`)}`),
  );
  const columns: readonly Column<RegisteredModel>[] = [
    {
      key: "name",
      title: t("table.name"),
      width: "minmax(180px, 1.3fr)",
      cell: (model) => model.name,
      sortBy: (model) => model.name,
    },
    {
      key: "latest",
      title: t("model.latest"),
      width: "120px",
      cell: (model) => <Latest model={model} />,
      sortBy: (model) => Number(latestOf(model) ?? 0),
    },
    {
      key: "aliases",
      title: t("registry.aliases"),
      width: "minmax(180px, 1.2fr)",
      cell: (model) => <Aliases model={model} />,
    },
    {
      key: "tags",
      title: t("tags.title"),
      width: "minmax(150px, 1fr)",
      cell: (model) => (
        <span className="chips one-line">
          {userTags(toMap(model.tags)).map(([key, value]) => (
            <span key={key} className="chip">
              {key}: {value}
            </span>
          ))}
        </span>
      ),
    },
    {
      key: "changed",
      title: t("table.changed"),
      width: "150px",
      cell: (model) => <Ago atMs={model.last_updated_timestamp} />,
      sortBy: (model) => model.last_updated_timestamp,
    },
  ];
  return (
    <Page
      title={t("nav.registry")}
      subtitle={t("registry.subtitle")}
      actions={
        <ActionButton
          label={t("registry.create")}
          icon="registry"
          isFilled
          title={t("registry.create")}
          fields={[
            { name: "name", label: t("table.name") },
            { name: "description", label: t("description.title"), isOptional: true, isLong: true },
          ]}
          run={(values) => trackingCommands.createModel(values["name"] ?? "", values["description"] ?? "")}
        />
      }
    >
      <div className="toolbar">
        <SearchBox
          label={t("table.filter")}
          value={words}
          onChange={(value) => setWords(value === "" ? undefined : value)}
        />
      </div>
      <Read result={result}>
        {(models) =>
          models.length === 0 ? (
            <Empty icon="registry" title={t("registry.empty.title")} text={t("registry.empty.text")} />
          ) : (
            <DataTable
              label={t("nav.registry")}
              rows={models}
              columns={columns}
              rowKey={(model) => model.name}
              rowLink={(model) => address.registeredModel(model.name)}
              more={more}
            />
          )
        }
      </Read>
    </Page>
  );
}

function latestOf(model: RegisteredModel): string | undefined {
  return model.latest_versions?.reduce<string | undefined>(
    (most, { version }) => (most === undefined || Number(version) > Number(most) ? version : most),
    undefined,
  );
}

function Latest({ model }: { readonly model: RegisteredModel }) {
  const version = latestOf(model);
  return version === undefined ? (
    <span className="muted">–</span>
  ) : (
    <Link to={address.registeredVersion(model.name, version)}>v{version}</Link>
  );
}

function Aliases({ model }: { readonly model: RegisteredModel }) {
  return (
    <span className="alias-list">
      {(model.aliases ?? []).map(({ alias, version }) => (
        <Link key={alias} className="alias" to={address.registeredVersion(model.name, version)}>
          {alias} v{version}
        </Link>
      ))}
    </span>
  );
}

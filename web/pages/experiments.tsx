import { toMap, userTags } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { trackingCommands } from "../services/tracking-commands.ts";
import {
  type Experiment,
  type Lifecycle,
  LIFECYCLES,
  quoteText,
  trackingQueries,
} from "../services/tracking-queries.ts";
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

export function ExperimentsPage() {
  const { t } = useTrackingText();
  const [words = "", setWords] = useSearchValue("name");
  const [stage = "ACTIVE_ONLY", setStage] = useSearchValue("stage");
  const lifecycle: Lifecycle = LIFECYCLES.find((each) => each === stage) ?? "ACTIVE_ONLY";
  const later = useLater(words);
  const { result, more } = useList(
    trackingQueries.experiments({ lifecycle, filter: later === "" ? "" : `name ILIKE ${quoteText(`%${later}%`)}` }),
  );
  return (
    <Page
      title={t("nav.experiments")}
      subtitle={t("experiments.subtitle")}
      actions={
        <ActionButton
          label={t("experiments.create")}
          icon="experiment"
          isFilled
          title={t("experiments.create")}
          fields={[{ name: "name", label: t("table.name") }]}
          run={(values) => trackingCommands.createExperiment(values["name"] ?? "")}
        />
      }
    >
      <div className="toolbar">
        <SearchBox
          label={t("table.filter")}
          value={words}
          onChange={(value) => setWords(value === "" ? undefined : value)}
        />
        <StageSelect value={lifecycle} onChange={setStage} />
      </div>
      <Read result={result}>
        {(experiments) =>
          experiments.length === 0 ? (
            <Empty icon="experiment" title={t("experiments.empty.title")} text={t("experiments.empty.text")} />
          ) : (
            <ExperimentTable experiments={experiments} more={more} />
          )
        }
      </Read>
    </Page>
  );
}

export function StageSelect({
  value,
  onChange,
}: {
  readonly value: Lifecycle;
  readonly onChange: (value: string | undefined) => void;
}) {
  const { t, name } = useTrackingText();
  return (
    <select
      className="field"
      aria-label={t("lifecycle.label")}
      value={value}
      onChange={(event) => onChange(event.target.value === "ACTIVE_ONLY" ? undefined : event.target.value)}
    >
      {LIFECYCLES.map((each) => (
        <option key={each} value={each}>
          {name("lifecycle", each)}
        </option>
      ))}
    </select>
  );
}

function ExperimentTable({
  experiments,
  more,
}: {
  readonly experiments: readonly Experiment[];
  readonly more: ReturnType<typeof useList>["more"];
}) {
  const { t } = useTrackingText();
  const columns: readonly Column<Experiment>[] = [
    {
      key: "name",
      title: t("table.name"),
      width: "minmax(220px, 2fr)",
      cell: (experiment) => <span className="wrap">{experiment.name}</span>,
      sortBy: (experiment) => experiment.name,
    },
    {
      key: "tags",
      title: t("tags.title"),
      width: "minmax(160px, 1.4fr)",
      cell: (experiment) => <Chips experiment={experiment} />,
    },
    {
      key: "changed",
      title: t("table.changed"),
      width: "150px",
      cell: (experiment) => <Ago atMs={experiment.last_update_time} />,
      sortBy: (experiment) => experiment.last_update_time,
    },
    {
      key: "made",
      title: t("table.made"),
      width: "150px",
      cell: (experiment) => <Ago atMs={experiment.creation_time} />,
      sortBy: (experiment) => experiment.creation_time,
    },
    {
      key: "actions",
      title: t("actions.title"),
      width: "270px",
      align: "right",
      cell: (experiment) => <Actions experiment={experiment} />,
    },
  ];
  return (
    <DataTable
      label={t("nav.experiments")}
      rows={experiments}
      columns={columns}
      rowKey={(experiment) => experiment.experiment_id}
      rowLink={(experiment) => address.experiment(experiment.experiment_id)}
      rowHeight={48}
      more={more}
    />
  );
}

function Chips({ experiment }: { readonly experiment: Experiment }) {
  return (
    <span className="chips one-line">
      {userTags(toMap(experiment.tags)).map(([key, value]) => (
        <span key={key} className="chip">
          {key}: {value}
        </span>
      ))}
    </span>
  );
}

function Actions({
  experiment: { experiment_id: id, name, lifecycle_stage: stage },
}: {
  readonly experiment: Experiment;
}) {
  const { t } = useTrackingText();
  if (stage === "deleted") {
    return (
      <span className="row-actions">
        <ActionButton
          label={t("action.restore")}
          icon="back"
          isSmall
          title={t("experiments.restore.title", { name })}
          run={() => trackingCommands.restoreExperiment(id)}
        />
      </span>
    );
  }
  return (
    <span className="row-actions">
      <ActionButton
        label={t("action.rename")}
        icon="code"
        isSmall
        title={t("experiments.rename.title", { name })}
        fields={[{ name: "name", label: t("table.name"), value: name }]}
        run={(values) => trackingCommands.renameExperiment(id, values["name"] ?? "")}
      />
      <ActionButton
        label={t("action.delete")}
        icon="cross"
        isSmall
        isDanger
        title={t("experiments.delete.title", { name })}
        text={t("experiments.delete.text")}
        run={() => trackingCommands.deleteExperiment(id)}
      />
    </span>
  );
}

import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useCallback, useEffect, useMemo, useState } from "react";
import {
  columnOf,
  firstColumns,
  knownColumns,
  orderEntry,
  type RunColumn,
  runsCsv,
} from "../models/tracking/run-columns.ts";
import { toMap, type TrackingRun, userTags } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { ProblemError } from "../services/api.ts";
import { saveBlob } from "../services/artifact-file.ts";
import { forEach, trackingCommands } from "../services/tracking-commands.ts";
import { type Lifecycle, LIFECYCLES, trackingQueries } from "../services/tracking-queries.ts";
import { Icon } from "../ui/icon.tsx";
import { Empty, Page, Problem, Read, Waiting } from "../ui/page.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { Tabs } from "../ui/tabs.tsx";
import { Ago, Facts } from "../ui/text.tsx";
import { ActionButton } from "../ui/tracking/action-button.tsx";
import { ColumnChooser } from "../ui/tracking/column-chooser.tsx";
import { type RunList, useRunList } from "../ui/tracking/run-list.ts";
import { type RunMarks, useRunMarks } from "../ui/tracking/run-marks.ts";
import { RunsGrid, type RunSorting } from "../ui/tracking/runs-grid.tsx";
import { SavedViews } from "../ui/tracking/saved-views.tsx";
import { DescriptionPanel, TagsPanel } from "../ui/tracking/tags.tsx";
import { useTrackingText } from "../ui/tracking/text.ts";
import { StageSelect } from "./experiments.tsx";
import "../ui/tracking/tracking.css";

const REFRESH_MS = 10_000;
const MOST_COMPARED = 100;
const NOTE = "mlflow.note.content";

export function ExperimentPage() {
  const { t } = useTrackingText();
  const { id } = useParams({ strict: false }) as { id: string };
  const experiment = useQuery(trackingQueries.experiment(id));
  return (
    <Page title={experiment.data?.name ?? id} crumbs={[{ label: t("nav.experiments"), to: address.experiments() }]}>
      <Read result={experiment}>
        {(data) => (
          <Tabs
            label={data.name}
            tabs={[
              { key: "runs", label: t("runs.title"), content: () => <RunsTab key={id} id={id} /> },
              {
                key: "about",
                label: t("experiment.about"),
                content: () => (
                  <>
                    <Facts
                      columns={3}
                      items={[
                        [t("experiment.id"), <code key="id">{id}</code>],
                        [t("experiment.location"), <code key="location">{data.artifact_location}</code>],
                        [t("table.made"), <Ago key="made" atMs={data.creation_time} />],
                      ]}
                    />
                    <div style={{ height: 18 }} />
                    <DescriptionPanel
                      text={toMap(data.tags).get(NOTE) ?? ""}
                      save={(text) => trackingCommands.setExperimentTag(id, NOTE, text)}
                    />
                    <TagsPanel
                      tags={userTags(toMap(data.tags))}
                      set={(key, value) => trackingCommands.setExperimentTag(id, key, value)}
                      remove={(key) => trackingCommands.deleteExperimentTag(id, key)}
                    />
                  </>
                ),
              },
            ]}
          />
        )}
      </Read>
    </Page>
  );
}

/** What the address says about the table; a link to it shows the same. */
function useRunsView() {
  const [filter = "", setFilter] = useSearchValue("q");
  const [sort, setSort] = useSearchValue("sort");
  const [columns, setColumns] = useSearchValue("columns");
  const [stage = "ACTIVE_ONLY", setStage] = useSearchValue("stage");
  const sorting = useMemo(
    (): RunSorting | undefined =>
      sort === undefined ? undefined : { id: sort.replace(/:(asc|desc)$/, ""), isDescending: !sort.endsWith(":asc") },
    [sort],
  );
  const chosen = useMemo(
    () =>
      columns
        ?.split(",")
        .map(decodeURIComponent)
        .filter((id) => columnOf(id) !== undefined),
    [columns],
  );
  const lifecycle: Lifecycle = LIFECYCLES.find((each) => each === stage) ?? "ACTIVE_ONLY";
  const toggleSort = useCallback(
    (id: string) => setSort(sorting?.id !== id ? `${id}:desc` : sorting.isDescending ? `${id}:asc` : undefined),
    [setSort, sorting],
  );
  const choose = useCallback(
    (ids: readonly string[] | undefined) =>
      setColumns(ids?.map((each) => encodeURIComponent(each).replaceAll(",", "%2C")).join(",")),
    [setColumns],
  );
  return { filter, setFilter, sorting, toggleSort, chosen, choose, lifecycle, setStage };
}

function RunsTab({ id }: { readonly id: string }) {
  const { t } = useTrackingText();
  const view = useRunsView();
  const marks = useRunMarks(id);
  const order = view.sorting === undefined ? undefined : orderEntry(view.sorting.id, view.sorting.isDescending);
  const orderBy = useMemo(() => [order ?? "attributes.start_time DESC"], [order]);
  const list = useRunList({ experimentId: id, filter: view.filter, orderBy, lifecycle: view.lifecycle });
  const known = useMemo(() => knownColumns(list.runs ?? []), [list.runs]);
  const columns = useMemo(
    () => (view.chosen ?? firstColumns(known)).map(columnOf).filter((column) => column !== undefined),
    [view.chosen, known],
  );
  const { pinned, hidden } = marks;
  const shown = useMemo(() => arrange(list.runs ?? [], { pinned, hidden }), [list.runs, pinned, hidden]);
  const [isLive, setLive] = useState(false);
  const { refresh } = list;
  useEffect(() => {
    if (!isLive) return undefined;
    const timer = setInterval(() => void refresh(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [isLive, refresh]);
  const isRefused = list.error instanceof ProblemError && list.error.status === 400;
  return (
    <>
      <div className="toolbar">
        <FilterForm filter={view.filter} onFilter={view.setFilter} error={isRefused ? list.error : undefined} />
        <StageSelect value={view.lifecycle} onChange={view.setStage} />
        <ColumnChooser known={known} chosen={columns} onChoose={view.choose} />
        <SavedViews experimentId={id} />
        <label className="check">
          <input type="checkbox" checked={isLive} onChange={() => setLive(!isLive)} />
          {t("runs.live")}
        </label>
        <button type="button" className="plain-button" onClick={() => void list.refresh()}>
          {t("runs.refresh")}
        </button>
      </div>
      {isRefused && (
        <p id="filter-error" className="filter-error" role="alert">
          {(list.error as ProblemError).message}
        </p>
      )}
      {list.error !== undefined && !isRefused && <Problem error={list.error} retry={() => void list.refresh()} />}
      <SelectionBar runs={shown} columns={columns} marks={marks} list={list} />
      {list.runs === undefined ? (
        list.error === undefined && <Waiting lines={8} />
      ) : (
        <RunsFrame list={list} shown={shown} columns={columns} marks={marks} view={view} />
      )}
    </>
  );
}

/** Pinned runs first, hidden ones not at all. */
function arrange(
  runs: readonly TrackingRun[],
  { pinned, hidden }: Pick<RunMarks, "pinned" | "hidden">,
): readonly TrackingRun[] {
  if (pinned.size === 0 && hidden.size === 0) return runs;
  const visible = runs.filter(({ id }) => !hidden.has(id));
  return [...visible.filter(({ id }) => pinned.has(id)), ...visible.filter(({ id }) => !pinned.has(id))];
}

interface RunsFrameProps {
  readonly list: RunList;
  readonly shown: readonly TrackingRun[];
  readonly columns: readonly RunColumn[];
  readonly marks: RunMarks;
  readonly view: ReturnType<typeof useRunsView>;
}

function RunsFrame({ list, shown, columns, marks, view }: RunsFrameProps) {
  const { t } = useTrackingText();
  if (list.runs?.length === 0)
    return (
      <Empty
        icon="experiment"
        title={t("runs.none.title")}
        text={view.filter === "" ? t("runs.none.text") : t("runs.none.filtered")}
      />
    );
  return (
    <div className="runs-frame">
      <RunsGrid
        runs={shown}
        columns={columns}
        sorting={view.sorting}
        onSort={view.toggleSort}
        selected={marks.selected}
        pinned={marks.pinned}
        onMark={marks.toggle}
        onSelectAll={() => marks.selectAll(shown.map(({ id }) => id))}
        hasMore={list.hasMore}
        onEnd={list.load}
      />
      <div className="runs-foot" role="status">
        <span>{t(list.hasMore ? "runs.loaded" : "runs.all", { count: list.runs?.length ?? 0 })}</span>
        {list.isLoading && <span>{t("page.loading")}</span>}
        {list.hasMore && !list.isLoading && (
          <button type="button" className="link-button" onClick={list.load}>
            {t("table.more")}
          </button>
        )}
        {marks.hidden.size > 0 && (
          <button type="button" className="link-button" onClick={marks.showHidden}>
            {t("runs.showHidden", { count: marks.hidden.size })}
          </button>
        )}
        <span className="muted">{t("runs.columnCount", { count: columns.length, shown: columns.length })}</span>
      </div>
    </div>
  );
}

/** The server's grammar, and what the server says about it, at the box. */
function FilterForm({
  filter,
  onFilter,
  error,
}: {
  readonly filter: string;
  readonly onFilter: (filter: string | undefined) => void;
  readonly error: unknown;
}) {
  const { t } = useTrackingText();
  const [text, setText] = useState(filter);
  useEffect(() => setText(filter), [filter]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onFilter(text.trim() === "" ? undefined : text.trim());
  };
  return (
    <form className="filter-form" role="search" onSubmit={submit}>
      <input
        className="field"
        type="search"
        aria-label={t("runs.filter")}
        placeholder="metrics.rmse < 0.3 AND params.model = 'tree'"
        value={text}
        onChange={(event) => setText(event.target.value)}
        aria-invalid={error !== undefined}
        {...(error === undefined ? {} : { "aria-describedby": "filter-error" })}
        spellCheck={false}
        autoComplete="off"
        data-filter
      />
      <Button type="submit" variant="default">
        {t("runs.search")}
      </Button>
    </form>
  );
}

interface SelectionBarProps {
  readonly runs: readonly TrackingRun[];
  readonly columns: readonly RunColumn[];
  readonly marks: RunMarks;
  readonly list: RunList;
}

function SelectionBar({ runs, columns, marks, list }: SelectionBarProps) {
  const { t } = useTrackingText();
  const navigate = useNavigate();
  const chosen = useMemo(() => runs.filter(({ id }) => marks.selected.has(id)), [runs, marks.selected]);
  const save = (): void =>
    saveBlob(
      new Blob([runsCsv(chosen.length > 0 ? chosen : runs, columns)], { type: "text/csv;charset=utf-8" }),
      "runs.csv",
    );
  const done = (): void => {
    marks.selectAll([]);
    void list.refresh();
  };
  const active = chosen.filter(({ isDeleted }) => !isDeleted);
  const deleted = chosen.filter(({ isDeleted }) => isDeleted);
  return (
    <div className="selection-bar" role="group" aria-label={t("runs.selection")}>
      <b>{t("runs.selected", { count: chosen.length })}</b>
      <Button
        size="xs"
        variant="default"
        leftSection={<Icon name="dashboard" size={14} />}
        disabled={chosen.length < 2 || chosen.length > MOST_COMPARED}
        onClick={() => void navigate({ to: address.compareRuns(chosen.map(({ id }) => id)) })}
      >
        {t("runs.compare")}
      </Button>
      <ActionButton
        label={t("runs.tag")}
        icon="features"
        isSmall
        disabled={active.length === 0}
        title={t("runs.tag.title", { count: active.length })}
        fields={[
          { name: "key", label: t("tags.key") },
          { name: "value", label: t("tags.value"), isOptional: true },
        ]}
        run={(values) =>
          forEach(active, ({ id }) => trackingCommands.setRunTag(id, values["key"] ?? "", values["value"] ?? ""))
        }
        onDone={done}
      />
      <ActionButton
        label={t("action.delete")}
        icon="cross"
        isSmall
        isDanger
        disabled={active.length === 0}
        title={t("runs.delete.title", { count: active.length })}
        text={t("runs.delete.text")}
        run={() => forEach(active, ({ id }) => trackingCommands.deleteRun(id))}
        onDone={done}
      />
      {deleted.length > 0 && (
        <ActionButton
          label={t("action.restore")}
          icon="back"
          isSmall
          title={t("runs.restore.title", { count: deleted.length })}
          run={() => forEach(deleted, ({ id }) => trackingCommands.restoreRun(id))}
          onDone={done}
        />
      )}
      <Button
        size="xs"
        variant="default"
        leftSection={<Icon name="capture" size={14} />}
        disabled={runs.length === 0}
        onClick={save}
      >
        {t(chosen.length > 0 ? "runs.csvSelected" : "runs.csv")}
      </Button>
      {chosen.length > MOST_COMPARED && <span className="muted">{t("runs.tooMany", { count: MOST_COMPARED })}</span>}
    </div>
  );
}

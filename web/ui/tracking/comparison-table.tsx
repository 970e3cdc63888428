import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { compareRuns, type ComparedRow } from "../../models/tracking/run-comparison.ts";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { address } from "../../routes/address.ts";
import { useSearchValue } from "../search-value.ts";
import { metricText } from "./runs-grid.tsx";
import { SearchBox } from "./tags.tsx";
import { useTrackingText } from "./text.ts";

const MOST_ROWS = 1000;

/** Params, metrics and tags of some runs side by side; only what differs, unless asked for all. */
export function ComparisonTable({ runs }: { readonly runs: readonly TrackingRun[] }) {
  const { t } = useTrackingText();
  const [shown, setShown] = useSearchValue("rows");
  const [words = "", setWords] = useSearchValue("find");
  const comparison = useMemo(() => compareRuns(runs), [runs]);
  const isAll = shown === "all";
  const keep = (rows: readonly ComparedRow[]): readonly ComparedRow[] =>
    rows
      .filter(({ key, isDifferent }) => (isAll || isDifferent) && key.toLowerCase().includes(words.toLowerCase()))
      .slice(0, MOST_ROWS);
  const groups = [
    { title: t("params.title"), rows: keep(comparison.params) },
    { title: t("metrics.title"), rows: keep(comparison.metrics) },
    { title: t("tags.title"), rows: keep(comparison.tags) },
  ].filter(({ rows }) => rows.length > 0);
  return (
    <>
      <div className="toolbar">
        <SearchBox
          label={t("compare.find")}
          value={words}
          onChange={(value) => setWords(value === "" ? undefined : value)}
        />
        <label className="check">
          <input
            type="checkbox"
            checked={!isAll}
            onChange={(event) => setShown(event.target.checked ? undefined : "all")}
          />
          {t("compare.onlyDifferences")}
        </label>
      </div>
      {groups.length === 0 && <p className="muted">{t("compare.same")}</p>}
      <div className="table-frame compare-table" tabIndex={0} role="region" aria-label={t("compare.differences")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("runs.run")}</th>
              {runs.map((run) => (
                <th scope="col" key={run.id}>
                  <Link to={address.trackingRun(run.id)}>{run.name}</Link>
                </th>
              ))}
            </tr>
          </thead>
          {groups.map(({ title, rows }) => (
            <Group key={title} title={title} rows={rows} count={runs.length} />
          ))}
        </table>
      </div>
    </>
  );
}

function Group({
  title,
  rows,
  count,
}: {
  readonly title: string;
  readonly rows: readonly ComparedRow[];
  readonly count: number;
}) {
  const { format } = useTrackingText();
  return (
    <tbody>
      <tr className="group-row">
        <th scope="colgroup" colSpan={count + 1}>
          {title}
        </th>
      </tr>
      {rows.map((row) => (
        <tr key={row.key} className={row.isDifferent ? "is-different" : ""}>
          <th scope="row">{row.key}</th>
          {row.values.map((value, index) => (
            <td
              key={index}
              className={typeof value === "number" ? "number" : ""}
              title={value === undefined ? undefined : String(value)}
            >
              {value === undefined ? "–" : typeof value === "number" ? metricText(value, format.number) : value}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}

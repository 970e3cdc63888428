import { Link } from "@tanstack/react-router";
import type { DatasetDetail, QuarantinedRow } from "#api";
import { valueText } from "../models/format.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { useList } from "./list-page.ts";
import { Empty, Panel, Read } from "./page.tsx";
import { useSearchValue } from "./search-value.ts";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago, Command } from "./text.tsx";

const STATES = ["open", "replayed", "discarded", "superseded"] as const;

/** What the contract kept out of a dataset: which rule, which row, and where it came from. */
export function QuarantineView({ dataset }: { readonly dataset: DatasetDetail }) {
  const { t, name } = useLanguage();
  const [rule, setRule] = useSearchValue("rule");
  const [state, setState] = useSearchValue("state");
  const { result, more } = useList(queries.quarantine(dataset.name, { rule, state }));
  return (
    <>
      <RulesPanel dataset={dataset} selected={rule} onSelect={setRule} />
      <div className="toolbar">
        <select className="field" aria-label={t("quarantine.state")} value={state ?? ""} onChange={(event) => setState(event.target.value === "" ? undefined : event.target.value)}>
          <option value="">{t("quarantine.allStates")}</option>
          {STATES.map((each) => (
            <option key={each} value={each}>
              {name("state", each)}
            </option>
          ))}
        </select>
        {rule !== undefined && (
          <button type="button" className="plain-button" onClick={() => setRule(undefined)}>
            {t("quarantine.allRules")}
          </button>
        )}
      </div>
      <Read result={result}>{(rows) => (rows.length === 0 ? <Empty icon="quarantine" title={t("quarantine.empty.title")} text={t("quarantine.empty.text")} /> : <QuarantineTable rows={rows} more={more} />)}</Read>
    </>
  );
}

function RulesPanel({ dataset, selected, onSelect }: { readonly dataset: DatasetDetail; readonly selected: string | undefined; readonly onSelect: (rule: string | undefined) => void }) {
  const { t, format } = useLanguage();
  const counts = new Map(dataset.quarantine?.byRule.map((each) => [each.rule, each.count]));
  const known = dataset.contract?.rules.map((rule) => ({ id: rule.id, text: [rule.column, rule.description].filter((part) => part !== undefined).join(": ") })) ?? [];
  const others = (dataset.quarantine?.byRule ?? []).filter(({ rule }) => !known.some(({ id }) => id === rule)).map((each) => ({ id: each.rule, text: each.description ?? "" }));
  const rules = [...known, ...others].toSorted((left, right) => (counts.get(right.id) ?? 0) - (counts.get(left.id) ?? 0));
  const largest = Math.max(1, ...counts.values());
  if (rules.length === 0) return null;
  return (
    <Panel title={t("quarantine.rules")} icon="approval" actions={dataset.contract?.file !== undefined && <code>{dataset.contract.file}</code>}>
      <ul className="rule-list">
        {rules.map(({ id, text }) => {
          const count = counts.get(id) ?? 0;
          return (
            <li key={id}>
              <button type="button" className="link-button" aria-pressed={selected === id} onClick={() => onSelect(selected === id ? undefined : id)}>
                {id}
              </button>
              <span className="muted clip">{text}</span>
              <span className="rule-bar" aria-hidden="true">
                <span style={{ width: `${(count / largest) * 100}%` }} />
              </span>
              <span className="figure">{format.number(count)}</span>
            </li>
          );
        })}
      </ul>
      {(dataset.quarantine?.openCount ?? 0) > 0 && (
        <p style={{ marginTop: 14 }}>
          <span className="muted">{t("quarantine.replayText")}</span> <Command text={`esteira quarantine replay ${dataset.name}`} />
        </p>
      )}
    </Panel>
  );
}

function QuarantineTable({ rows, more }: { readonly rows: readonly QuarantinedRow[]; readonly more: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void } }) {
  const { t, format } = useLanguage();
  const columns: readonly Column<QuarantinedRow>[] = [
    { key: "rule", title: t("quarantine.rule"), width: "minmax(180px, 1fr)", cell: (row) => <span className="clip" title={row.rules.map(({ id, message }) => message ?? id).join("\n")}>{row.rules.map(({ id }) => id).join(", ")}</span>, sortBy: (row) => row.rules[0]?.id },
    { key: "source", title: t("quarantine.source"), width: "minmax(240px, 1.4fr)", cell: (row) => <SourceCell row={row} /> },
    { key: "row", title: t("quarantine.row"), width: "minmax(340px, 2.6fr)", cell: (row) => <RowCell row={row} /> },
    { key: "state", title: t("quarantine.state"), width: "120px", cell: (row) => <span title={[row.reason, row.actor].filter((part) => part !== undefined).join(" · ")}><StateBadge state={row.state} /></span>, sortBy: (row) => row.state },
    { key: "time", title: t("run.time"), width: "140px", cell: (row) => (row.pipelineRunId === undefined ? <Ago atMs={row.atMs} /> : <Link to={address.run(row.pipelineRunId)} title={format.dateTime(row.atMs)}><Ago atMs={row.atMs} /></Link>), sortBy: (row) => row.atMs },
  ];
  return <DataTable label={t("dataset.quarantine")} rows={rows} columns={columns} rowKey={(row) => row.id} more={more} rowHeight={40} />;
}

function SourceCell({ row }: { readonly row: QuarantinedRow }) {
  const { t, format } = useLanguage();
  const { file, line, row: position } = row.source;
  return (
    <>
      <span className="clip" title={file}>
        {file.split("/").at(-1)}
      </span>
      {line !== undefined && <span className="muted nowrap">{t("quarantine.line", { line: format.number(line) })}</span>}
      {line === undefined && position !== undefined && <span className="muted nowrap">{t("quarantine.position", { row: format.number(position) })}</span>}
    </>
  );
}

function RowCell({ row }: { readonly row: QuarantinedRow }) {
  const entries = Object.entries(row.row);
  const text = entries.map(([key, value]) => `${key}: ${valueText(value)}`).join("\n");
  return (
    <span className="clip mono" title={text}>
      {entries.map(([key, value]) => (
        <span key={key}>
          <span className="muted">{key}=</span>
          {value === null ? "null" : valueText(value)}{" "}
        </span>
      ))}
    </span>
  );
}

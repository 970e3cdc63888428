import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { DatasetDetail, QuarantinedRow } from "#api";
import { valueText } from "../models/format.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { CommandButton } from "./command-button.tsx";
import { useLanguage } from "./language.tsx";
import { useList } from "./list-page.ts";
import { Empty, Panel, Read } from "./page.tsx";
import { useSearchChoice, useSearchValue } from "./search-value.ts";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago, Amount } from "./text.tsx";

const STATES = ["open", "replayed", "discarded", "superseded"] as const;

/** What the contract kept out of a dataset: which rule, which row, and where it came from. */
export function QuarantineView({ dataset }: { readonly dataset: DatasetDetail }) {
  const { t, name } = useLanguage();
  const [rule, setRule] = useSearchValue("rule");
  const [state, setState] = useSearchChoice("state", STATES);
  const { result, more } = useList(queries.quarantine(dataset.name, { rule, state }));
  return (
    <>
      <RulesPanel dataset={dataset} selected={rule} onSelect={setRule} />
      <div className="toolbar">
        <select
          className="field"
          aria-label={t("quarantine.state")}
          value={state ?? ""}
          onChange={(event) => setState(event.target.value === "" ? undefined : event.target.value)}
        >
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
      <Read result={result}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty icon="quarantine" title={t("quarantine.empty.title")} text={t("quarantine.empty.text")} />
          ) : (
            <QuarantineTable rows={rows} more={more} />
          )
        }
      </Read>
    </>
  );
}

function RulesPanel({
  dataset,
  selected,
  onSelect,
}: {
  readonly dataset: DatasetDetail;
  readonly selected: string | undefined;
  readonly onSelect: (rule: string | undefined) => void;
}) {
  const { t, format } = useLanguage();
  const described = new Map(dataset.contract?.rules.map((rule) => [rule.id, rule.description]));
  const rules = dataset.quarantine?.byRule ?? [];
  const largest = Math.max(1, ...rules.map(({ count }) => count));
  if (rules.length === 0) return null;
  return (
    <Panel
      title={t("quarantine.rules")}
      icon="approval"
      actions={dataset.contract?.file !== undefined && <code>{dataset.contract.file}</code>}
    >
      <ul className="rule-list">
        {rules.map(({ rule: id, description, count }) => (
          <li key={id}>
            <button
              type="button"
              className="link-button wrap"
              aria-pressed={selected === id}
              onClick={() => onSelect(selected === id ? undefined : id)}
            >
              {id}
            </button>
            <span className="muted wrap">{described.get(id) ?? description ?? <RuleWords id={id} />}</span>
            <span className="rule-bar" aria-hidden="true">
              <span style={{ width: `${(count / largest) * 100}%` }} />
            </span>
            <Amount name={`quarantine.rule.${id}`} value={count} className="figure">
              {format.number(count)}
            </Amount>
          </li>
        ))}
      </ul>
      {(dataset.quarantine?.openCount ?? 0) > 0 && <Decide dataset={dataset} rule={selected} />}
    </Panel>
  );
}

/** Checks the open rows again, or gives those of the chosen rule (or all) up, with a reason. */
function Decide({ dataset, rule }: { readonly dataset: DatasetDetail; readonly rule: string | undefined }) {
  const { t } = useLanguage();
  const [reason, setReason] = useState("");
  const open = dataset.quarantine?.openCount ?? 0;
  const count = rule === undefined ? open : (dataset.quarantine?.byRule.find((each) => each.rule === rule)?.count ?? 0);
  const form = (
    <>
      <p>{rule === undefined ? t("quarantine.discardAll", { count }) : t("quarantine.discardRule", { count, rule })}</p>
      <label className="label">
        {t("quarantine.reason")}
        <input className="field" required value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
    </>
  );
  return (
    <div className="form-actions quarantine-actions">
      <span className="muted">{t("quarantine.replayText")}</span>
      <CommandButton
        size="xs"
        label={t("quarantine.replay")}
        icon="resume"
        action="quarantine"
        run={() => commands.replayQuarantine(dataset.name)}
        done={t("quarantine.replayed")}
      />
      <CommandButton
        size="xs"
        label={t("quarantine.discard")}
        icon="dash"
        variant="danger"
        action="quarantine"
        run={() => commands.discardQuarantine(dataset.name, { reason, ...(rule === undefined ? {} : { rule }) })}
        done={t("quarantine.discarded")}
        confirm={{ title: t("quarantine.discard.title"), content: form }}
      />
    </div>
  );
}

/** What a rule of a kind that every contract may have asks for: `maximum:delay`. */
function RuleWords({ id }: { readonly id: string }) {
  const { name } = useLanguage();
  const [kind = "", column] = id.split(":");
  const words = name("rule", kind);
  if (words === kind) return null;
  return (
    <>
      {column !== undefined && kind !== "csv" && <b>{column}</b>} {words}
    </>
  );
}

/** Columns that the rules a row broke are about. */
function brokenColumns(row: QuarantinedRow): ReadonlySet<string> {
  return new Set(row.rules.flatMap(({ id }) => id.split(":").slice(1)));
}

function QuarantineTable({
  rows,
  more,
}: {
  readonly rows: readonly QuarantinedRow[];
  readonly more: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void };
}) {
  const { t, format } = useLanguage();
  const columns: readonly Column<QuarantinedRow>[] = [
    {
      key: "rule",
      title: t("quarantine.rule"),
      width: "minmax(170px, 1.2fr)",
      cell: (row) => <RuleCell row={row} />,
      value: (row) => row.rules.map(({ id }) => id).join(" "),
    },
    {
      key: "source",
      title: t("quarantine.source"),
      width: "minmax(190px, 1.1fr)",
      cell: (row) => <SourceCell row={row} />,
    },
    { key: "row", title: t("quarantine.row"), width: "minmax(260px, 2.2fr)", cell: (row) => <RowCell row={row} /> },
    {
      key: "state",
      title: t("quarantine.state"),
      width: "120px",
      cell: (row) => (
        <span title={[row.reason, row.actor].filter((part) => part !== undefined).join(" · ")}>
          <StateBadge state={row.state} />
        </span>
      ),
      value: (row) => row.state,
    },
    {
      key: "time",
      title: t("run.time"),
      width: "140px",
      cell: (row) =>
        row.pipelineRunId === undefined ? (
          <Ago atMs={row.atMs} />
        ) : (
          <Link to={address.run(row.pipelineRunId)} title={format.dateTime(row.atMs)}>
            <Ago atMs={row.atMs} />
          </Link>
        ),
      value: (row) => row.atMs,
    },
  ];
  return (
    <DataTable
      name="quarantine"
      label={t("dataset.quarantine")}
      rows={rows}
      columns={columns}
      rowKey={(row) => row.id}
      more={more}
      rowHeight={40}
    />
  );
}

function RuleCell({ row }: { readonly row: QuarantinedRow }) {
  return (
    <span className="wrap">
      {row.rules.map(({ id, message }) => (
        <span key={id} className="quarantine-rule">
          <b>{id}</b>
          {message !== undefined && <span className="muted">{message}</span>}
        </span>
      ))}
    </span>
  );
}

function SourceCell({ row }: { readonly row: QuarantinedRow }) {
  const { t, format } = useLanguage();
  const { file, line, row: position } = row.source;
  return (
    <span className="wrap">
      {file.split("/").at(-1)}{" "}
      {line !== undefined && (
        <span className="muted nowrap">{t("quarantine.line", { line: format.number(line) })}</span>
      )}
      {line === undefined && position !== undefined && (
        <span className="muted nowrap">{t("quarantine.position", { row: format.number(position) })}</span>
      )}
    </span>
  );
}

/** The row as it came, with what broke a rule marked. */
function RowCell({ row }: { readonly row: QuarantinedRow }) {
  const { t } = useLanguage();
  const broken = brokenColumns(row);
  return (
    <span className="wrap mono">
      {Object.entries(row.row).map(([key, value]) => {
        const text = value === null ? "null" : valueText(value);
        return (
          <span key={key}>
            <span className="muted">{key}=</span>
            {broken.has(key) ? (
              <mark className="broken" title={t("quarantine.broken")}>
                {text}
              </mark>
            ) : (
              text
            )}{" "}
          </span>
        );
      })}
    </span>
  );
}

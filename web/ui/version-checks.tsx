import type { DatasetDetail } from "#api";
import { treatmentMessages } from "../messages/treatments.ts";
import { useLanguage } from "./language.tsx";
import { Panel } from "./page.tsx";
import { StateBadge } from "./state.tsx";
import { Figure } from "./text.tsx";

/** Rules about the whole dataset, as they were judged when the version was made. */
export function ChecksPanel({ checks }: Pick<DatasetDetail, "checks">) {
  const { language } = useLanguage();
  const texts = treatmentMessages[language];
  if (checks === undefined || checks.length === 0) return null;
  return (
    <Panel title={texts.checks}>
      <table className="table">
        <thead>
          <tr>
            <th>{texts.rule}</th>
            <th>{texts.expected}</th>
            <th>{texts.found}</th>
            <th>{texts.outcome}</th>
          </tr>
        </thead>
        <tbody>
          {checks.map(({ rule, expectation, severity, found, holds }) => (
            <tr key={rule}>
              <td>{rule}</td>
              <td>{expectation}</td>
              <td>{found ?? "–"}</td>
              <td>
                {holds === undefined ? (
                  texts.notJudged
                ) : (
                  <StateBadge state={holds ? "passed" : severity === "error" ? "failed" : "attention"} quiet />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

/** What the merge that made the version did, in keys. */
export function MergedFigures({ merged }: Pick<DatasetDetail, "merged">) {
  const { language, format } = useLanguage();
  const texts = treatmentMessages[language];
  if (merged === undefined) return null;
  return (
    <Panel title={texts.merged}>
      <div className="figures">
        <Figure label={texts.added}>{format.number(merged.added)}</Figure>
        <Figure label={texts.changed}>{format.number(merged.changed)}</Figure>
        <Figure label={texts.deleted}>{format.number(merged.deleted)}</Figure>
        <Figure label={texts.unchanged}>{format.number(merged.unchanged)}</Figure>
      </div>
    </Panel>
  );
}

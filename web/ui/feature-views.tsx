import { useQuery } from "@tanstack/react-query";
import { featureViewMessages } from "../messages/feature-views.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Panel } from "./page.tsx";
import { Ago } from "./text.tsx";

/** The feature views that read a dataset: how far each is online, and what was pushed to it. */
export function FeatureViewsPanel({ dataset }: { readonly dataset: string }) {
  const { language, format } = useLanguage();
  const texts = featureViewMessages[language];
  const { data } = useQuery(queries.featureViews());
  const views = data?.items.filter(({ source }) => source === dataset) ?? [];
  if (views.length === 0) return null;
  const takesPushes = views.some(({ push }) => push !== undefined);
  return (
    <Panel title={texts.title}>
      <table className="plain-table">
        <thead>
          <tr>
            <th>{texts.view}</th>
            <th>{texts.features}</th>
            <th>{texts.online}</th>
            <th>{texts.since}</th>
            {takesPushes && (
              <>
                <th>{texts.push}</th>
                <th title={texts.heldHint}>{texts.held}</th>
                <th>{texts.last}</th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {views.map(({ name, features, windows, sourceVersion, onlineVersion, onlineAtMs, push }) => (
            <tr key={name}>
              <td>{name}</td>
              <td>
                {features
                  .map((feature) => (windows?.[feature] === undefined ? feature : `${feature} = ${windows[feature]}`))
                  .join(", ")}
              </td>
              <td>
                {onlineVersion === undefined || sourceVersion === undefined
                  ? texts.notOnline
                  : texts.onlineOf
                      .replace("{online}", format.number(onlineVersion))
                      .replace("{newest}", format.number(sourceVersion))}
              </td>
              <td>
                <Ago atMs={onlineAtMs} />
              </td>
              {takesPushes && (
                <>
                  <td>{push?.name ?? "–"}</td>
                  <td>{push === undefined ? "–" : format.number(push.held)}</td>
                  <td>
                    <Ago atMs={push?.lastAtMs} />
                  </td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ChainLink, PredictionDetail } from "#api";
import { readableChain } from "../models/chain.ts";
import { shortDigest, valueText } from "../models/format.ts";
import { address, versionAddress } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { useLanguage } from "../ui/language.tsx";
import { LineageView } from "../ui/lineage-view.tsx";
import { Page, Panel, Read } from "../ui/page.tsx";
import { Amount, Copy, Digest, Figure } from "../ui/text.tsx";

const ICONS: Readonly<Record<ChainLink["kind"], IconName>> = {
  prediction: "prediction",
  model: "model",
  training_data: "dataset",
  data: "dataset",
  features: "features",
  notebook: "notebook",
  commit: "commit",
  pipeline_run: "pipeline",
  source_file: "file",
};

export function PredictionPage() {
  const { t, format } = useLanguage();
  const { id } = useParams({ strict: false }) as { id: string };
  const prediction = useQuery(queries.prediction(id));
  const endpoint = prediction.data;
  return (
    <Page
      title={t("prediction.title")}
      crumbs={[
        { label: t("nav.endpoints"), to: address.endpoints() },
        ...(endpoint === undefined
          ? []
          : [
              {
                label: `${endpoint.endpoint} ${endpoint.environment}`,
                to: address.endpoint(endpoint.environment, endpoint.endpoint),
              },
            ]),
      ]}
      subtitle={
        <span>
          <code>{id}</code> <Copy text={id} />
        </span>
      }
    >
      <Read result={prediction} lines={7}>
        {(data) => (
          <>
            <Figures prediction={data} />
            <div className="grid-main">
              <Panel title={t("prediction.chain")} icon="pipeline">
                <p className="muted" style={{ marginBottom: 14 }}>
                  {t("prediction.chainText")}
                </p>
                <Chain links={readableChain(data)} />
              </Panel>
              <Panel title={t("prediction.features")} icon="features">
                <table className="key-table">
                  <tbody>
                    {Object.entries(data.features).map(([name, value]) => (
                      <tr key={name}>
                        <th scope="row">{name}</th>
                        <td>
                          <code title={valueText(value)}>
                            {value === null
                              ? "null"
                              : typeof value === "number"
                                ? format.number(value, 6)
                                : valueText(value)}
                          </code>
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Panel>
            </div>
            {data.lineage !== undefined && (
              <Panel title={t("lineage.title")} icon="pipeline" flush>
                <LineageView graph={data.lineage} />
              </Panel>
            )}
          </>
        )}
      </Read>
    </Page>
  );
}

function Figures({ prediction }: { readonly prediction: PredictionDetail }) {
  const { t, format } = useLanguage();
  const value = (each: number | string | undefined): string =>
    each === undefined ? "–" : typeof each === "number" ? format.number(each, 4) : each;
  return (
    <div className="figures">
      <Figure label={t("prediction.value")}>{value(prediction.prediction)}</Figure>
      <Figure label={t("prediction.label")}>{value(prediction.label)}</Figure>
      <Figure label={t("prediction.answeredBy")}>
        <Link
          to={address.modelVersion(prediction.model, prediction.modelVersion)}
        >{`${prediction.model} v${prediction.modelVersion}`}</Link>
      </Figure>
      <Figure label={t("prediction.time")}>
        <span className="figure-small">{format.dateTime(prediction.atMs)}</span>
      </Figure>
      {prediction.entityKey !== undefined && (
        <Figure label={t("prediction.entity")}>
          <span className="figure-small">{prediction.entityKey}</span>
        </Figure>
      )}
    </div>
  );
}

/** From the prediction back to the files it began with, one step a line. */
function Chain({ links }: { readonly links: readonly ChainLink[] }) {
  const { t, name, format } = useLanguage();
  return (
    <ol className="chain">
      {links.map((link, index) => {
        const target = link.fileCount === undefined ? chainAddress(link) : undefined;
        const label =
          link.fileCount !== undefined
            ? t(link.hasMoreFiles === true ? "chain.oneOfMoreFiles" : "chain.oneOfFiles", { count: link.fileCount })
            : link.kind === "commit"
              ? shortDigest(link.label, 12)
              : link.version === undefined
                ? link.label
                : `${link.label} v${link.version}`;
        return (
          <li key={`${link.kind}${link.id}${index}`}>
            <span className="chain-icon">
              <Icon name={ICONS[link.kind]} size={16} />
            </span>
            <div>
              <span className="chain-kind">{name("chain", link.kind)}</span>
              {target === undefined ? <b>{label}</b> : <Link to={target}>{label}</Link>}
              <p className="muted">
                {link.digest !== undefined && <Digest digest={link.digest} />}{" "}
                {link.rowCount !== undefined && (
                  <Amount name={`chain.${link.kind}.rows`} value={link.rowCount}>
                    {t("dataset.rowCount", { count: link.rowCount })}
                  </Amount>
                )}{" "}
                {link.atMs !== undefined && format.dateTime(link.atMs)}
              </p>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function chainAddress(link: ChainLink): string | undefined {
  switch (link.kind) {
    case "prediction":
    case "commit":
    case "source_file":
      return undefined;
    case "pipeline_run":
      return address.run(link.id);
    case "training_data":
      return versionAddress({ id: link.id, kind: "data", asset: link.label, version: link.version });
    case "data":
    case "features":
    case "model":
    case "notebook":
      return versionAddress({ id: link.id, kind: link.kind, asset: link.label, version: link.version });
  }
}

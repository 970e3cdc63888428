import { useQuery } from "@tanstack/react-query";
import { loadSnippet, type SignatureField, toModelFile } from "../../models/tracking/mlmodel.ts";
import { readArtifact } from "../../services/artifact-file.ts";
import { Panel, Read } from "../page.tsx";
import { Copy, Facts } from "../text.tsx";
import { useTrackingText } from "./text.ts";

const MOST_BYTES = 2_000_000;

/** What an `MLmodel` file says, and the code that loads its model. */
export function LoggedModelCard({ runId, path }: { readonly runId: string; readonly path: string }) {
  const { t } = useTrackingText();
  const file = useQuery({
    queryKey: ["artifact", "mlmodel", runId, path],
    queryFn: async ({ signal }) => {
      const { parse } = await import("yaml");
      return toModelFile(
        parse(new TextDecoder().decode((await readArtifact(runId, path, MOST_BYTES, signal)).bytes), {
          maxAliasCount: 20,
        }),
      );
    },
    staleTime: 60_000,
  });
  const folder = path.split("/").slice(0, -1).join("/");
  return (
    <Panel title={t("loggedModel.title")} icon="model">
      <Read result={file}>
        {(model) => (
          <>
            <Facts
              columns={2}
              items={[
                [
                  t("loggedModel.flavors"),
                  <span key="flavors" className="chips">
                    {model.flavors.map((flavor) => (
                      <span key={flavor} className="chip">
                        {flavor}
                      </span>
                    ))}
                  </span>,
                ],
                ["MLflow", model.mlflowVersion ?? "–"],
                [t("model.inputs"), <Fields key="inputs" fields={model.inputs} />],
                [t("model.outputs"), <Fields key="outputs" fields={model.outputs} />],
              ]}
            />
            <h3 style={{ margin: "16px 0 6px" }}>{t("loggedModel.load")}</h3>
            <Snippet text={loadSnippet(`runs:/${runId}/${folder}`, model.flavors)} />
          </>
        )}
      </Read>
    </Panel>
  );
}

function Fields({ fields }: { readonly fields: readonly SignatureField[] }) {
  const { t } = useTrackingText();
  if (fields.length === 0) return <span className="muted">{t("loggedModel.noSignature")}</span>;
  return (
    <span className="chips">
      {fields.map((field) => (
        <span key={field.name} className="chip">
          {field.name}{" "}
          <span className="muted">
            {field.type}
            {field.isRequired ? "" : "?"}
          </span>
        </span>
      ))}
    </span>
  );
}

/** Code to copy. */
export function Snippet({ text }: { readonly text: string }) {
  const { t } = useTrackingText();
  return (
    <div style={{ position: "relative" }}>
      <pre className="preview-text" tabIndex={0} aria-label={t("loggedModel.load")}>
        {text}
      </pre>
      <span style={{ position: "absolute", top: 8, right: 8 }}>
        <Copy text={text} />
      </span>
    </div>
  );
}
